"""Images needed to pass the threshold (Table 2)."""

from __future__ import annotations

import numpy as np


def images_to_threshold(curve: np.ndarray, threshold: float) -> int | None:
    """Smallest b, counted from 1, at which the mean best-so-far score exceeds `threshold`; None where it never does.

    Args:
        curve: mean best score after b images, float64 [b_max] (`mean_best_curve`).
        threshold: mean CLIP score of the train split's photographs with their captions.
    """
    above = np.flatnonzero(curve > threshold)
    return int(above[0]) + 1 if len(above) else None
