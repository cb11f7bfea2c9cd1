"""Finished runs as tables in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from zeroshot.errors import UserError
from zeroshot.limits import check_curve
from zeroshot.metrics.best_score import mean_best_curve
from zeroshot.metrics.expected_best import mean_expected_curve
from zeroshot.runs.directory import read_metrics, read_run_table
from zeroshot.runs.tables import by_b

ONE_TABLE = ("world", "protocol", "clip", "precision", "captions", "b_max", "threshold", "strategy")
# By zeroshot.limits.CURVES.
CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"run": mean_best_curve, "expected": mean_expected_curve}


def collect(runs: Iterable[Path]) -> pd.DataFrame:
    """metrics.json of finished runs, one row each, with the run's folder as `path`.

    Raises UserError for no run at all, and where runs differ in what one table cannot mix (world, protocol, CLIP, …).
    """
    # Runs of 0.2.0 do not say their strategy.
    table = pd.DataFrame([{"strategy": "random"} | read_metrics(path) | {"path": path} for path in runs])
    if table.empty:
        raise UserError("there is no finished run to report: start with `python -m experiments.reproduce table1`")
    for column in ONE_TABLE:
        values = table[column].unique()
        if len(values) > 1:
            raise UserError(f"runs of different {column} ({', '.join(map(str, values))}) do not go into one table")
    return table.sort_values(["generator", "k", "seed"], ignore_index=True)


def images_made(runs: pd.DataFrame, pooled: bool) -> int:
    """Images generated for runs of a collected table: what was searched, and each selected image once more.

    `images_generated` of a run counts all that it rests on: its draws, or with a pool the whole pool, which the runs of
    a generator and seed share.
    """
    searched = runs["images_generated"] - runs["captions"]
    own = searched.groupby([runs["generator"], runs["seed"]]).max() if pooled else searched
    return int(own.sum() + runs["captions"].sum())


def find_runs(folder: Path) -> list[Path]:
    """Folders of the finished runs below outputs/<world>/<variant>, in order."""
    return sorted(path.parent for path in folder.glob("runs/*/k=*/seed=*/metrics.json"))


def mean_and_band(values: np.ndarray, ddof: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the seeds' curves [seeds, b_max] and their standard deviation (0 where there is one seed), [b_max] each.

    `ddof` is the protocol's `band_ddof`: 1 for the sample's standard deviation, 0 for the population's.
    """
    return values.mean(axis=0), values.std(axis=0, ddof=ddof) if len(values) > 1 else np.zeros(values.shape[1])


def curve(run: Path, kind: str = "run") -> np.ndarray:
    """Mean best score of a run after b = 1 … b_max images, float64 [b_max], from its scores.parquet.

    Args:
        run: a finished run's folder.
        kind: `run`, the running maximum (the paper's), or `expected`, the expected best of b of the same scores.

    Where b skips, the best so far is carried on.

    Raises UserError for another kind, and for `expected` of another strategy than Algorithm 1's.
    """
    check_curve(kind)
    metrics, scores = read_metrics(run), read_run_table(run, "scores.parquet")
    strategy = metrics.get("strategy", "random")
    if kind == "expected" and strategy != "random":
        raise UserError(
            f"curve = expected, but {run} searched by {strategy}, whose images are no exchangeable draws: "
            "give curve=run"
        )
    return CURVES[kind](by_b(scores, metrics["b_max"]))


def curves(table: pd.DataFrame, kind: str = "run") -> dict[tuple[str, int], np.ndarray]:
    """{(generator, k): mean best-score curves of its seeds, float64 [seeds, b_max]} of a collected table."""
    groups = table.groupby(["generator", "k"], sort=True)
    return {(str(g), int(k)): np.stack([curve(path, kind) for path in rows["path"]]) for (g, k), rows in groups}


def curve_table(table: pd.DataFrame, kind: str = "run") -> pd.DataFrame:
    """Figure 2's curves as rows, before any mean over seeds: columns generator, k, seed, b, best_clip_score."""
    parts = []
    for generator, k, seed, path in table[["generator", "k", "seed", "path"]].itertuples(index=False):
        values = curve(path, kind)
        b = np.arange(1, len(values) + 1)
        parts.append(pd.DataFrame({"generator": generator, "k": k, "seed": seed, "b": b, "best_clip_score": values}))
    return pd.concat(parts, ignore_index=True)
