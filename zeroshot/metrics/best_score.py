"""Best CLIP score (Table 1, upper half; Figure 2): the running maximum of the cosine over the images drawn."""

from __future__ import annotations

import numpy as np


def best_so_far(scores: np.ndarray) -> np.ndarray:
    """Running maximum over b: float64 [captions, b_max] -> [captions, b_max], never decreasing along b."""
    return np.maximum.accumulate(scores, axis=1)


def mean_best_curve(scores: np.ndarray) -> np.ndarray:
    """Mean over captions of the best score after b images, b = 1 … b_max: [captions, b_max] -> float64 [b_max]."""
    return best_so_far(scores).mean(axis=0)


def best_clip_score(scores: np.ndarray) -> float:
    """Mean over captions of the best score after all b_max images."""
    return float(mean_best_curve(scores)[-1])
