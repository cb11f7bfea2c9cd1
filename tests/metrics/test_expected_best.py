from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import trapezoid

from zeroshot.metrics.best_score import mean_best_curve
from zeroshot.metrics.expected_best import expected_best, mean_expected_curve, order_weights

SCORES = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 8)), elements=st.floats(-1, 1))


@given(SCORES)
def test_it_is_the_mean_of_the_best_over_all_subsets(scores: np.ndarray) -> None:
    n = scores.shape[1]
    for b in range(1, n + 1):
        subsets = [list(subset) for subset in itertools.combinations(range(n), b)]
        wanted = [np.mean([row[subset].max() for subset in subsets]) for row in scores]
        np.testing.assert_allclose(expected_best(scores)[:, b - 1], wanted, atol=1e-13)


@given(SCORES)
def test_it_rises_to_the_best_and_the_order_of_draws_does_not_matter(scores: np.ndarray) -> None:
    expected = expected_best(scores)
    assert (np.diff(expected, axis=1) >= -1e-13).all()
    np.testing.assert_allclose(expected[:, 0], scores.mean(axis=1), atol=1e-13)
    np.testing.assert_allclose(expected[:, -1], scores.max(axis=1), atol=1e-13)
    np.testing.assert_array_equal(expected, expected_best(scores[:, ::-1]))
    np.testing.assert_allclose(mean_expected_curve(scores), expected.mean(axis=0), atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 100, 1000])
def test_the_weights_are_those_of_exact_arithmetic(n: int) -> None:
    weights = order_weights(n)
    assert weights.shape == (n, n)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    for b in sorted({1, min(2, n), 1 + n // 3, 1 + n // 2, n}):
        exact = [float(Fraction(math.comb(i - 1, b - 1), math.comb(n, b))) for i in range(1, n + 1)]
        np.testing.assert_allclose(weights[b - 1], exact, rtol=1e-11, atol=1e-300)


def test_more_scores_than_binomials_fit_into_a_float() -> None:
    n = 3000  # C(3000, 1500) is beyond 1e308
    weights = order_weights(n)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-11)
    exact = [float(Fraction(math.comb(i - 1, n // 2 - 1), math.comb(n, n // 2))) for i in range(n - 40, n + 1)]
    np.testing.assert_allclose(weights[n // 2 - 1, n - 41 :], exact, rtol=1e-10)


def test_a_thousand_scores_match_a_sum_of_fractions() -> None:
    scores = np.random.default_rng(0).normal(0.3, 0.05, (1, 1000))
    expected, ordered = expected_best(scores)[0], [Fraction(s) for s in sorted(scores[0].tolist())]
    for b in (2, 37, 500, 999):
        terms = (s * math.comb(i, b - 1) for i, s in enumerate(ordered))
        assert expected[b - 1] == pytest.approx(float(sum(terms, Fraction()) / math.comb(1000, b)), abs=1e-13)


def test_it_is_what_runs_give_on_average() -> None:
    """Of 400 simulated runs both curves agree within their standard error; the expected one varies less."""
    rng, runs = np.random.default_rng(1), 400
    scores = rng.beta(2, 5, (runs, 5, 40))
    run = np.stack([mean_best_curve(s) for s in scores])
    expected = np.stack([mean_expected_curve(s) for s in scores])
    error = (run - expected).std(axis=0) / math.sqrt(runs)
    assert (np.abs(run.mean(axis=0) - expected.mean(axis=0)) <= 4.5 * error + 1e-12).all()
    # The true value is 1 - ∫ F(s)^b ds.
    grid = np.linspace(0, 1, 20001)
    below = 1 - 6 * (1 - grid) ** 5 + 5 * (1 - grid) ** 6  # Beta(2, 5)
    true = 1 - trapezoid(below ** np.arange(1, 41)[:, None], grid, axis=1)
    assert (np.abs(expected.mean(axis=0) - true) <= 4.5 * expected.std(axis=0) / math.sqrt(runs)).all()
    assert (expected.std(axis=0)[:20] < run.std(axis=0)[:20]).all()
