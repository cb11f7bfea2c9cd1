"""How far a best score depends on which captions were searched for, which the spread over seeds does not show.

A caption's value is its best score's mean over seeds. The bootstrap is a few lines of NumPy: scipy.stats has one too,
but takes half a second to import, and tables of finished runs are to be told at once. Captions that share a pool's
images are not quite independent; standard errors and intervals are then a little too small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from zeroshot.runs.directory import read_run_table

STANDARD_ERROR = "best_clip_score_se"  # Table 1's column
RESAMPLES, CONFIDENCE = 10_000, 0.95
AT_ONCE = 4_000_000  # resampled values in memory: 32 MB


@dataclass(frozen=True)
class Paired:
    """Mean over captions of the difference of two best scores, and its interval; NaN below two captions."""

    difference: float
    low: float
    high: float


def best_by_caption(runs: pd.DataFrame) -> dict[tuple[str, int], pd.DataFrame]:
    """{(generator, k): best score of each test image, a row per image id and a column per seed} of collected runs."""
    found = {}
    for (generator, k), rows in runs.groupby(["generator", "k"], sort=True):
        tables = {
            seed: read_run_table(path, "selected.parquet") for seed, path in zip(rows.seed, rows.path, strict=True)
        }
        columns = {seed: table.set_index("image_id")["score"] for seed, table in tables.items()}
        found[str(generator), int(k)] = pd.DataFrame(columns)
    return found


def with_standard_error(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Table 1 of collected runs with a last column best_clip_score_se: of the mean best score, over captions."""
    errors = {point: standard_error(_values(scores)) for point, scores in best_by_caption(runs).items()}
    points = zip(table["generator"], table["k"], strict=True)
    return table.assign(**{STANDARD_ERROR: [errors[str(generator), int(k)] for generator, k in points]})


def standard_error(values: np.ndarray) -> float:
    """Sample standard deviation (ddof = 1) of a value per caption, float64 [captions], over √captions; NaN of one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def paired(first: pd.DataFrame, second: pd.DataFrame) -> Paired:
    """Mean of first - second over the captions that both have, and its percentile bootstrap interval of 95 %.

    Captions are drawn with replacement, RESAMPLES times, both scores of each together. The draws are fixed: equal
    scores have equal intervals, in whatever order captions stand and whatever else is compared. Of a mean over captions
    the percentiles need no correction for bias.

    Args:
        first, second: best scores, a row per image id and a column per seed (`best_by_caption`).
    """
    seeds = first.columns.intersection(second.columns)
    values = _values((first[seeds] - second[seeds]).sort_index())
    if not len(values):
        return Paired(float("nan"), float("nan"), float("nan"))
    if len(values) == 1:
        return Paired(float(values[0]), float("nan"), float("nan"))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled_means(values), [tail, 1 - tail])
    return Paired(float(values.mean()), float(low), float(high))


def resampled_means(values: np.ndarray) -> np.ndarray:
    """Means of RESAMPLES resamples of float64 [n], drawn with replacement: float64 [RESAMPLES]."""
    n, source = len(values), np.random.Philox(key=0)
    step = max(1, AT_ONCE // n)
    means = []
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        words = source.random_raw(rows * n) >> np.uint64(32)
        chosen = words * np.uint64(n) >> np.uint64(32)  # floor(u·n) of a uniform u of 32 bits
        means.append(values[chosen].reshape(rows, n).mean(axis=1))
    return np.concatenate(means)


def _values(scores: pd.DataFrame) -> np.ndarray:
    """A value per caption that every seed has: its mean over seeds, float64 [captions]."""
    return scores.dropna().mean(axis=1).to_numpy(dtype=np.float64)
