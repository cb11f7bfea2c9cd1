"""Precision and recall by balls to the third neighbour."""

from __future__ import annotations

import numpy as np

from zeroshot.metrics.precision_recall import precision_recall


def test_halves_of_a_distribution() -> None:
    source = np.random.default_rng(0)
    real = np.concatenate([source.normal(0, 1, (60, 4)), source.normal(50, 1, (60, 4))])
    one_mode = source.normal(0, 1, (90, 4))
    found = precision_recall(real, one_mode)
    assert found is not None
    precision, recall = found
    assert precision > 0.8  # all of them are among the photographs
    assert 0.35 < recall <= 0.5  # half of the photographs have none beside them


def test_far_images_have_neither_and_too_few_no_number() -> None:
    real = np.random.default_rng(0).normal(0, 1, (50, 4))
    assert precision_recall(real, real + 100) == (0.0, 0.0)
    assert precision_recall(real, real) == (1.0, 1.0)
    assert precision_recall(real, real[:3]) is None
