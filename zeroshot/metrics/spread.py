"""How vectors of images vary within classes and between them."""

from __future__ import annotations

import numpy as np


def class_share(vectors: np.ndarray) -> float:
    """Share of the variance that lies between classes, by an analysis of variance: 0 where the class says nothing.

    Args:
        vectors: float [classes, images, D], at least two of each.

    Returns:
        (between - within) / (between + (n - 1) within) of the mean squares, which is unbiased by how few images a class
        has; 1 where classes do not vary at all, NaN where nothing varies. A little below 0 by chance.
    """
    n = vectors.shape[1]
    means = vectors.mean(axis=1)  # [classes, D]
    between = n * ((means - means.mean(axis=0)) ** 2).sum() / (len(vectors) - 1)
    within = ((vectors - means[:, None]) ** 2).sum() / (len(vectors) * (n - 1))
    total = between + (n - 1) * within
    return float((between - within) / total) if total > 0 else float("nan")


def spread_within(vectors: np.ndarray) -> np.ndarray:
    """Each class's spread: root of the mean squared distance of its images to their mean, corrected for their number.

    `vectors` is float [classes, images, D], at least two of each. Returns float64 [classes].
    """
    n = vectors.shape[1]
    squares = ((vectors - vectors.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2))
    return np.sqrt(squares / (n - 1))


def spread(vectors: np.ndarray) -> float:
    """Root of the mean squared distance of vectors [n, D] to their mean, corrected for their number."""
    return float(np.sqrt(((vectors - vectors.mean(axis=0)) ** 2).sum() / (len(vectors) - 1)))
