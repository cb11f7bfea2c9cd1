"""How vectors vary within classes and between them."""

from __future__ import annotations

import numpy as np
import pytest

from zeroshot.metrics.label_accuracy import accuracy, label_ranks
from zeroshot.metrics.spread import class_share, spread, spread_within


def vectors(between: float, within: float, classes: int = 400, n: int = 3, dim: int = 8) -> np.ndarray:
    source = np.random.default_rng(0)
    return between * source.normal(size=(classes, 1, dim)) + within * source.normal(size=(classes, n, dim))


@pytest.mark.parametrize(("between", "within", "share"), [(0, 1, 0), (1, 1, 0.5), (3, 1, 0.9), (1, 0, 1)])
def test_share_of_the_variance_between_classes(between: float, within: float, share: float) -> None:
    assert class_share(vectors(between, within)) == pytest.approx(share, abs=0.03)


def test_it_does_not_depend_on_how_many_images_a_class_has() -> None:
    assert class_share(vectors(1, 1, n=2)) == pytest.approx(class_share(vectors(1, 1, n=20)), abs=0.03)
    assert np.isnan(class_share(np.ones((5, 3, 2))))


def test_spreads_are_standard_deviations() -> None:
    many = vectors(0, 2, n=4)
    assert np.sqrt((spread_within(many) ** 2).mean()) == pytest.approx(2 * np.sqrt(8), rel=0.03)
    assert spread(many.reshape(-1, 8)) == pytest.approx(2 * np.sqrt(8), rel=0.03)


def test_ranks_of_labels_and_ties() -> None:
    labels = np.eye(4, dtype=np.float32)
    images = np.array([[1, 0.5, 0, 0], [1, 0.5, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
    ranks = label_ranks(images, labels, np.array([0, 1, 2]))
    assert ranks.tolist() == [0, 1, 1]  # of four equal labels half of the other three stand before it
    assert accuracy(ranks, 1) == pytest.approx(1 / 3) and accuracy(ranks, 5) == 1
