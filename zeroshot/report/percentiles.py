"""Which captions are shown as examples: those at given percentiles of the score, good and bad ones alike."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def at_percentiles(scores: Sequence[pd.Series], percentiles: Sequence[float]) -> dict[str, float]:
    """{image id: its percentile}, the best first; fewer than were asked for where two fall on one image.

    Args:
        scores: of each search, the best score by image id; their mean over the searches counts.
        percentiles: in [0, 100]; 100 is the highest score.
    """
    mean = pd.concat(scores, axis=1).mean(axis=1)
    order = mean.sort_values(ascending=False, kind="stable").index
    places = {round((100 - p) / 100 * (len(order) - 1)): p for p in sorted(percentiles)}  # of two the higher stays
    return {order[place]: places[place] for place in sorted(places)}
