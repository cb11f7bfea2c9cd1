"""Whether images show their label: where it stands among all labels by their similarity to the image."""

from __future__ import annotations

import numpy as np


def label_ranks(images: np.ndarray, labels: np.ndarray, class_index: np.ndarray) -> np.ndarray:
    """How many labels are more similar to each image than its own: 0 where its own is the nearest.

    Args:
        images: CLIP embeddings, unit vectors [n, D].
        labels: those of all labels' prompts [classes, D].
        class_index: each image's label, int64 [n].

    Returns:
        int64 [n]. Labels exactly as similar as its own stand before it by half their number, rounded down, so that
        images that say nothing are right by chance only.
    """
    similarity = images.astype(np.float64) @ labels.astype(np.float64).T  # [n, classes]
    own = similarity[np.arange(len(class_index)), class_index][:, None]
    return (similarity > own).sum(axis=1) + ((similarity == own).sum(axis=1) - 1) // 2


def accuracy(ranks: np.ndarray, top: int) -> float:
    """Share of images whose own label is among the `top` nearest."""
    return float((ranks < top).mean())
