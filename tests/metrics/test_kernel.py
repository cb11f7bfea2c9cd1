"""The kernel distance: torch-fidelity's on our features, unbiased, with its standard error."""

from __future__ import annotations

import numpy as np
import pytest

from zeroshot.errors import UserError
from zeroshot.metrics.kernel import kernel_distance, kernel_distance_error


def features(n: int, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, size=(n, 16))


def by_hand(real: np.ndarray, generated: np.ndarray) -> float:
    """The unbiased estimate on all images."""

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    n, m = len(real), len(generated)
    own = [(k.sum() - np.trace(k)) for k in (kernel(real, real), kernel(generated, generated))]
    return own[0] / (n * (n - 1)) + own[1] / (m * (m - 1)) - 2 * kernel(real, generated).mean()


def test_it_agrees_with_the_formula_within_its_error() -> None:
    real, generated = features(300), features(200, 0.7, seed=1)
    wanted, error = by_hand(real, generated), kernel_distance_error(real, generated)
    found = kernel_distance(real, generated)
    assert found is not None and abs(found - wanted) < error
    assert found > 10 * error


def test_two_samples_of_one_distribution_are_at_no_distance() -> None:
    few = [kernel_distance(features(40, seed=s), features(40, seed=s + 100)) for s in range(12)]
    values = np.array(few, dtype=float)
    assert abs(values.mean()) < 3 * values.std(ddof=1) / np.sqrt(len(values))  # of few images too
    assert values.min() < 0  # unbiased, so below 0 as often as above


def test_the_standard_error_is_that_of_repeated_samples() -> None:
    wanted = np.std([by_hand(features(80, seed=s), features(80, 0.5, seed=s + 500)) for s in range(60)], ddof=1)
    found = kernel_distance_error(features(80), features(80, 0.5, seed=1))
    assert 0.6 * wanted < found < 1.6 * wanted


def test_too_few_images_have_none() -> None:
    assert kernel_distance(features(3), features(100)) is None
    assert kernel_distance(features(4), features(4, seed=1)) is not None
    with pytest.raises(UserError, match="3 images, but a kernel distance needs at least 4"):
        kernel_distance_error(features(100), features(3))
