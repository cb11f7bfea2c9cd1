"""Examples at percentiles of the score."""

from __future__ import annotations

import numpy as np
import pandas as pd

from zeroshot.report.percentiles import at_percentiles


def test_percentiles_are_of_the_mean_and_the_best_comes_first() -> None:
    names = [f"image {i}" for i in range(11)]
    scores = [pd.Series(np.arange(11) * scale, index=names) for scale in (0.1, 0.3)]
    assert at_percentiles(scores, [10, 50, 90]) == {"image 9": 90, "image 5": 50, "image 1": 10}
    assert list(at_percentiles(scores, [10, 90])) == ["image 9", "image 1"]
    assert at_percentiles(scores, [100, 0]) == {"image 10": 100, "image 0": 0}


def test_two_percentiles_of_one_image_show_it_once() -> None:
    assert at_percentiles([pd.Series([0.5], index=["only"])], [90, 50, 10]) == {"only": 90}
