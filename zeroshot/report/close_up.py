"""Figure 2's close-up: scores between which the best k's end, whose order an axis for all of them hides."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SHOWN = 2 / 3  # of the k's, the best at b_max: four of the paper's six
BELOW, ABOVE = 1.0, 0.15  # of the distance between their ends: how much more is shown


def close_up(means: Mapping[tuple[str, int], np.ndarray]) -> tuple[float, float] | None:
    """The lowest and the highest score of the close-up; None where it would show less than twice as large, where all
    end alike, and of fewer than three k's.

    Args:
        means: by (generator, k), the mean best score after b = 1 … b_max images, float64 [b_max].
    """
    ends: dict[int, list[float]] = {}
    for (_, k), mean in means.items():
        ends.setdefault(k, []).append(float(mean[-1]))
    best = sorted(ends, key=lambda k: -float(np.mean(ends[k])))[: round(SHOWN * len(ends))]
    shown = [end for k in best for end in ends[k]]
    low, high = min(shown), max(shown)
    found = low - BELOW * (high - low), high + ABOVE * (high - low)
    whole = np.ptp(np.concatenate(list(means.values())))
    return found if len(ends) > 2 and 0 < found[1] - found[0] <= whole / 2 else None
