"""Orders of the classes, found by vectors that know theirs."""

from __future__ import annotations

import numpy as np
import pytest

from zeroshot.runs.inspection.inspect import permutation
from zeroshot.runs.inspection.orders import named_orders, orders

LABELS = [f"thing {i:02d}" for i in reversed(range(60))]
VECTORS = np.linalg.qr(np.random.default_rng(0).normal(size=(60, 60)))[0]  # a unit vector a label


def images(shown: np.ndarray, noise: float = 0.12) -> np.ndarray:
    """Vectors [60, 4, 60] of images of each class, which shows another label."""
    near = VECTORS[shown][:, None] + noise * np.random.default_rng(1).normal(size=(60, 4, 60))
    return near / np.linalg.norm(near, axis=2, keepdims=True)


@pytest.mark.parametrize("name", ["off by one (class i shows label i + 1)", "alphabetical"])
def test_orders_that_people_use_are_found(name: str) -> None:
    found = orders(images(named_orders(LABELS)[name]), np.arange(60), VECTORS, LABELS)
    assert found.named[name] > 0.9 and found.top5 < 0.3
    assert max(found.named, key=lambda key: found.named[key]) in (name, "reversed")  # these labels are alphabetical so


def test_any_other_order_is_found_on_one_half_and_holds_on_the_other() -> None:
    shown = np.random.default_rng(2).permutation(60)
    found = orders(images(shown), np.arange(60), VECTORS, LABELS)
    assert found.matched > 0.8 and max(found.top5, *found.named.values()) < 0.4


def test_images_that_say_nothing_fit_no_order() -> None:
    found = orders(images(np.zeros(60, dtype=np.int64), noise=0.0), np.arange(60), VECTORS, LABELS)
    assert found.matched < 0.2


def test_the_permutation_moves_every_class() -> None:
    other = permutation()
    assert sorted(other.tolist()) == list(range(1000))
    assert (other != np.arange(1000)).all()
