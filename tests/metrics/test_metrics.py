from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import linalg

from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.metrics.best_score import best_clip_score, best_so_far, mean_best_curve
from zeroshot.metrics.bias import bias_note
from zeroshot.metrics.frechet import frechet_distance, without_rounding
from zeroshot.metrics.images_to_threshold import images_to_threshold

SCORES = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 12)), elements=st.floats(-1, 1))


@given(SCORES)
def test_best_so_far_never_decreases_and_ends_at_the_best(scores: np.ndarray) -> None:
    best = best_so_far(scores)
    assert (np.diff(best, axis=1) >= 0).all()
    np.testing.assert_array_equal(best[:, -1], scores.max(axis=1))
    assert best_clip_score(scores) == pytest.approx(scores.max(axis=1).mean())


@given(SCORES, st.floats(-1, 1))
def test_images_to_threshold_is_the_first_crossing(scores: np.ndarray, threshold: float) -> None:
    curve = mean_best_curve(scores)
    b = images_to_threshold(curve, threshold)
    if b is None:
        assert (curve <= threshold).all()
    else:
        assert curve[b - 1] > threshold and (curve[: b - 1] <= threshold).all()


def by_sqrtm(a: np.ndarray, b: np.ndarray) -> float:
    covariance = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(covariance[0] @ covariance[1]).real
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariance[0] + covariance[1] - 2 * root))


@pytest.mark.parametrize("seed", range(5))
def test_frechet_distance_equals_scipys_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(32, 32))
    a, b = rng.normal(size=(300, 32)) @ mix, rng.normal(size=(80, 32)) @ mix + rng.normal(size=32)
    assert frechet_distance(a, b) == pytest.approx(by_sqrtm(a, b), rel=1e-9)


def test_frechet_distance_of_a_set_to_itself_is_zero_and_order_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(100, 8))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("images", [2, 8, 31, 33])
@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
@pytest.mark.parametrize("seed", range(3))
def test_frechet_distance_is_never_below_zero(images: int, scale: float, seed: int) -> None:
    a = np.random.default_rng(seed).normal(0.4, 0.3, (images, 32)) * scale
    same = a[:1].repeat(9, axis=0)  # one image, selected for every caption
    for distance in (frechet_distance(a, a), frechet_distance(a, a[::-1]), frechet_distance(same, same[:7])):
        assert distance >= 0 and f"{distance / scale**2:.2f}" == "0.00"


def test_a_distance_below_zero_by_more_than_rounding_is_a_defect() -> None:
    assert str(without_rounding(-1e-7, 1.0)) == str(without_rounding(-0.0, 0.0)) == "0.0"
    assert without_rounding(2.5, 1.0) == 2.5
    for distance in (-0.01, float("nan"), float("inf")):
        with pytest.raises(EnvironmentFailure, match=f"came out as {distance:g} of features with mean squares of 1,"):
            without_rounding(distance, 1.0)


def test_too_few_images_are_said_with_both_numbers() -> None:
    assert bias_note(32, 32) == bias_note(2778, 2048) == ""
    assert bias_note(31, 32) == "biased high: 31 images for 32 features"
    assert bias_note(1300, 2048) == "biased high: 1,300 images for 2,048 features"


def test_frechet_distance_says_what_is_missing_or_broken() -> None:
    a = np.ones((5, 3))
    with pytest.raises(UserError, match=r"1 selected images, but .* at least 2"):
        frechet_distance(a, a[:1])
    broken = a.copy()
    broken[3, 1] = np.inf
    with pytest.raises(EnvironmentFailure, match="row 3"):
        frechet_distance(a, broken)
