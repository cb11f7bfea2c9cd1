"""Figure 2's close-up shows where the best curves end."""

from __future__ import annotations

import numpy as np
import pytest

from zeroshot.report.close_up import close_up

ENDS = {1: 0.61, 10: 0.62, 20: 0.615, 50: 0.60, 100: 0.55, 1000: 0.4}


def test_the_best_two_thirds_of_the_ks_decide() -> None:
    means = {(g, k): np.array([0.0, end]) for g in ("sagan", "biggan") for k, end in ENDS.items()}
    assert close_up(means) == pytest.approx((0.58, 0.623))
    means["biggan", 50] = np.array([0.0, 0.59])
    assert close_up(means) == pytest.approx((0.56, 0.6245))


@pytest.mark.parametrize("ends", [{10: 0.5, 1000: 0.4}, {1: 0.5, 10: 0.5, 1000: 0.4}, {1: 0.9, 10: 0.5, 1000: 0.4}])
def test_there_is_none_where_nothing_would_be_seen(ends: dict[int, float]) -> None:
    assert close_up({("sagan", k): np.array([0, end]) for k, end in ends.items()}) is None
