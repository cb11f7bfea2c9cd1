"""Standard errors and paired intervals over captions: right values, fixed, and honest where there is too little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from tests.report.conftest import Made
from zeroshot.report.over_captions import (
    RESAMPLES,
    best_by_caption,
    paired,
    resampled_means,
    standard_error,
    with_standard_error,
)
from zeroshot.report.tables import paper_shape, table1
from zeroshot.storage.tables import write_table


def scores(n: int, seeds: tuple[int, ...] = (42, 43), shift: float = 0.0, key: int = 0) -> pd.DataFrame:
    """Best scores of n captions, which all k share but for a little noise."""
    level = np.random.default_rng(1).normal(0.6, 0.05, n)[:, None]
    noise = np.random.default_rng([2, key]).normal(shift, 0.01, (n, len(seeds)))
    return pd.DataFrame(level + noise, index=[f"bird_{i}" for i in range(n)], columns=list(seeds))


def test_the_interval_is_scipys() -> None:
    first, second = scores(200, shift=0.004), scores(200, key=1)
    found = paired(first, second)
    values = (first - second).mean(axis=1).to_numpy()
    theirs = bootstrap((values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(3))
    assert found.difference == pytest.approx(values.mean(), rel=1e-12)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=0.02 * width)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=0.02 * width)


def test_pairing_leaves_out_what_captions_have_in_common() -> None:
    """The captions' own levels differ by 0.05, the two k by 0.01: unpaired, the interval would be three times wider."""
    found = paired(scores(200, shift=0.004), scores(200, key=1))
    assert found.low > 0 and found.high - found.low < 0.5 * 4 * 0.05 / np.sqrt(200)


def test_it_is_fixed_whatever_the_order_of_captions_and_seeds() -> None:
    first, second = scores(50, shift=0.01), scores(50, key=1)
    found = paired(first, second)
    assert paired(first, second) == found == paired(first[::-1], second.sample(frac=1, random_state=0))
    back = paired(second, first)
    assert (back.difference, back.low) == pytest.approx((-found.difference, -found.high), rel=0.05)


def test_resamples_are_uniform_and_do_not_depend_on_how_many_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.eye(7)
    shares = np.array([resampled_means(row).mean() for row in values])
    np.testing.assert_allclose(shares, 1 / 7, atol=4 * np.sqrt(6 / 49 / 7 / RESAMPLES))
    whole = resampled_means(values[3])
    assert len(whole) == RESAMPLES and whole.std() == pytest.approx(np.sqrt(6 / 49 / 7), rel=0.05)
    monkeypatch.setattr("zeroshot.report.over_captions.AT_ONCE", 100)
    np.testing.assert_array_equal(resampled_means(values[3]), whole)


def test_only_captions_and_seeds_that_both_have_are_paired() -> None:
    first, second = scores(40, shift=0.01), scores(40, key=1)
    wanted = paired(first.iloc[:30][[43]], second.iloc[:30][[43]])
    assert paired(first.iloc[:30], second.rename(columns={42: 44})) == wanted
    assert paired(first.assign(**{"43": 1.0}).rename(columns={42: 41, "43": 7}), second.iloc[:30]) == wanted


@pytest.mark.parametrize(("n", "known"), [(0, False), (1, True)])
def test_too_few_captions_have_no_interval(n: int, known: bool) -> None:
    found = paired(scores(n, shift=0.01), scores(n, key=1))
    assert np.isnan([found.low, found.high]).all() and np.isnan(found.difference) != known


def test_no_seed_in_common_is_no_difference() -> None:
    assert np.isnan(paired(scores(5, (1, 2)), scores(5, (3, 4))).difference)


def test_the_standard_error_is_of_the_mean_over_captions() -> None:
    assert standard_error(np.array([0.5, 0.7])) == pytest.approx(0.1)
    assert np.isnan(standard_error(np.array([0.5])))


def test_table1_gets_it_as_a_last_column_that_is_not_printed(made: Made) -> None:
    table = table1(made.runs)
    wide = with_standard_error(table, made.runs)
    assert list(wide) == [*table, "best_clip_score_se"] and (wide["best_clip_score_se"] > 0).all()
    pd.testing.assert_frame_equal(paper_shape("table1", wide, 6), paper_shape("table1", table, 6))
    best = best_by_caption(made.runs)["sagan", 10]
    assert best.shape == (5, 2) and best.mean().mean() == pytest.approx(
        table.set_index(["generator", "k"]).loc[("sagan", 10), "best_clip_score"]
    )
    (own,) = wide.query("generator == 'sagan' and k == 10")["best_clip_score_se"]
    assert own == pytest.approx(best.mean(axis=1).std(ddof=1) / np.sqrt(5))


def test_captions_that_only_some_runs_have_do_not_count(tmp_path: Path) -> None:
    rows = []
    for seed, names in ((42, "abcd"), (43, "bcde")):
        write_table(tmp_path / str(seed) / "selected.parquet", pd.DataFrame({"image_id": list(names), "score": 0.5}))
        rows.append({"generator": "sagan", "k": 10, "seed": seed, "path": tmp_path / str(seed)})
    runs = pd.DataFrame(rows)
    assert with_standard_error(runs[["generator", "k"]].head(1), runs)["best_clip_score_se"].tolist() == [0.0]
    assert best_by_caption(runs)["sagan", 10].dropna().index.tolist() == ["b", "c", "d"]
