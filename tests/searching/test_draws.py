from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from zeroshot.searching.draws import choose_rank, draw


@given(seed=st.integers(0, 2**63), image_id=st.text(), start=st.integers(1, 500), length=st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_a_draw_depends_on_its_address_only(seed: int, image_id: str, start: int, length: int) -> None:
    whole = draw(seed, image_id, 1, start + length, 32)
    part = draw(seed, image_id, start, start + length, 32)
    np.testing.assert_array_equal(whole.label[start - 1 :], part.label)
    np.testing.assert_array_equal(whole.latent[start - 1 :], part.latent)


def test_other_seed_or_image_gives_other_draws() -> None:
    base = draw(42, "a", 1, 2, 8).latent
    for other in (draw(43, "a", 1, 2, 8), draw(42, "b", 1, 2, 8), draw(42, "a", 2, 3, 8)):
        assert not np.isin(other.latent, base).any()


def test_known_answer_so_that_published_seeds_keep_their_meaning() -> None:
    draws = draw(42, "153.Philadelphia_Vireo/Philadelphia_Vireo_0038_794759", 7, 8, 3)
    np.testing.assert_allclose([*draws.label, *draws.latent[0]], KNOWN, rtol=0, atol=1e-15)


KNOWN = [0.014789026015489648, 0.7511328446430035, 0.572868178563738, 0.7552673750248806]


def test_uniform_and_independent() -> None:
    draws = draw(0, "x", 1, 5001, 15)
    values = np.column_stack([draws.label, draws.latent])
    assert values.min() > 0 and values.max() < 1
    assert min(stats.kstest(values[:, i], "uniform").pvalue for i in range(values.shape[1])) > 1e-4
    correlation = np.corrcoef(values.T) - np.eye(values.shape[1])
    assert np.abs(correlation).max() < 5 / np.sqrt(len(values))


@given(k=st.integers(1, 1000))
def test_rank_is_floor_of_uniform_times_k(k: int) -> None:
    uniform = np.array([0.0, 1 / k, 0.5, np.nextafter(1, 0)])
    ranks = choose_rank(uniform, k)
    assert ranks.min() >= 0 and ranks.max() == k - 1
    assert ranks[2] == int(np.floor(0.5 * k))


@pytest.mark.parametrize(("seed", "b"), [(-1, 1), (0, 0)])
def test_impossible_addresses_are_refused(seed: int, b: int) -> None:
    with pytest.raises(ValueError, match=f"seed = {seed}, b = {b}"):
        draw(seed, "x", b, b + 1, 4)
