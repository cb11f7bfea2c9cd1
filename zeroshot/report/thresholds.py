"""What stands beside Table 2: the spread of the train scores whose mean is the threshold, and other thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from zeroshot.metrics.images_to_threshold import images_to_threshold
from zeroshot.report.collect import curve
from zeroshot.report.tables import images_needed

PERCENTILES = (5, 10, 25, 50, 75, 90, 95)


def with_images_of(runs: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Collected runs whose images_to_threshold is that of either curve (`zeroshot.report.collect.curve`)."""
    found = [curve(path, kind) for path in runs["path"]]
    return _with_images(runs, found, float(runs["threshold"].iloc[0]))


def _with_images(runs: pd.DataFrame, found: Sequence[np.ndarray], threshold: float) -> pd.DataFrame:
    return runs.assign(images_to_threshold=[images_to_threshold(values, threshold) for values in found])


def spread(scores: np.ndarray, captions: Sequence[int]) -> tuple[float, float]:
    """Sample standard deviations of the scores whose mean is the threshold: of all pairs, of the photographs' means.

    Args:
        scores: one per photograph and caption, float64 [pairs] (`World.train_scores`).
        captions: how many captions each photograph has, in the same order.
    """
    counts = np.asarray(captions)
    means = np.add.reduceat(scores, np.cumsum(counts) - counts) / counts
    return float(scores.std(ddof=1)), float(means.std(ddof=1))


def table2_thresholds(runs: pd.DataFrame, scores: np.ndarray, kind: str = "run") -> pd.DataFrame:
    """Table 2 for the paper's threshold, the mean of the train scores, and for percentiles of the same scores.

    Args:
        runs: a collected table (`zeroshot.report.collect.collect`).
        scores: float64 [pairs] (`World.train_scores`).
        kind: which curve, as `zeroshot.report.collect.curve`.

    Returns:
        columns threshold_name (mean, p5 … p95), threshold, and Table 2's.
    """
    named = {"mean": float(runs["threshold"].iloc[0])}
    named |= {f"p{p}": float(value) for p, value in zip(PERCENTILES, np.percentile(scores, PERCENTILES), strict=True)}
    found = [curve(path, kind) for path in runs["path"]]
    parts = []
    for name, threshold in named.items():
        table = images_needed(_with_images(runs, found, threshold))
        table.insert(0, "threshold_name", name)
        table.insert(1, "threshold", threshold)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)
