"""Each claim of the paper holds on the paper's numbers, can fail, and says what it lacks where it cannot be tested."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zeroshot.report.claim_measures import NotTested, Numbers, grows_like_log, ninth_of_the_images
from zeroshot.report.claims import (
    CLAIMS,
    INTERVAL,
    _published_numbers,
    claims,
    in_words,
    interval,
    verdict,
    write_claims,
)

K, B_MAX = (1, 10, 20, 50, 100, 1000), 20
SCORE = dict(zip(K, (0.30, 0.34, 0.33, 0.32, 0.31, 0.25), strict=True))
DISTANCE = {"sagan": (90, 60, 50, 55, 60, 80), "biggan": (90, 80, 70, 60, 50, 40)}


def runs(
    folder: Path, world: str = "miniature", ks: tuple[int, ...] = K, seeds: tuple[int, ...] = (1, 2, 3)
) -> pd.DataFrame:
    """Collected runs on which every claim holds, with their scores on disk."""
    rows = []
    b = np.arange(1, B_MAX + 1)
    for generator, k, seed in itertools.product(("biggan", "sagan"), ks, seeds):
        path = folder / f"{generator}-{k}-{seed}"
        path.mkdir()
        scores = np.tile(SCORE[k] - 0.02 * np.log(B_MAX / b), (2, 1)) + np.array([[0.01], [-0.01]])
        pd.DataFrame(
            {"image_id": np.repeat(["x", "y"], B_MAX), "b": np.tile(b, 2), "score": scores.ravel()}
        ).to_parquet(path / "scores.parquet")
        (path / "metrics.json").write_text(f'{{"b_max": {B_MAX}}}')
        best = SCORE[k] + 0.001 * np.arange(-3, 4) + 0.0002 * np.sin(np.arange(7) * k)  # captions differ more than k do
        pd.DataFrame({"image_id": list("abcdefg"), "score": best}).to_parquet(path / "selected.parquet")
        distance = DISTANCE[generator][K.index(k)] + 0.5 * seed
        rows.append(
            {"world": world, "generator": generator, "k": k, "seed": seed, "best_clip_score": SCORE[k] + 1e-4 * seed,
             "frechet_distance": distance, "images_to_threshold": {10: 2, 1000: 18}.get(k, 5), "b_max": B_MAX,
             "path": path}
        )  # fmt: skip
    return pd.DataFrame(rows)


def held(table: pd.DataFrame, part: str, generator: str = "sagan") -> str:
    """holds of the one claim with these words."""
    (row,) = table[table.claim.str.contains(part, regex=False) & (table.generator == generator)].to_dict("records")
    return row["holds"]


def test_every_claim_that_the_printed_numbers_can_test_holds_on_them() -> None:
    for generator, numbers in _published_numbers().items():
        for claim in CLAIMS:
            if claim.generator in (None, generator):
                wanted = "not tested" if claim.test is grows_like_log else "yes"
                assert verdict(claim, numbers)[1] == wanted, (claim.sentence, verdict(claim, numbers))


def test_the_published_trends_are_told_apart() -> None:
    """SAGAN's claim does not hold for BigGAN's printed distances, nor BigGAN's for SAGAN's."""
    trends = {claim.generator: claim for claim in CLAIMS if claim.generator}
    assert verdict(trends["sagan"], _published_numbers()["biggan"])[1] == "no"
    assert verdict(trends["biggan"], _published_numbers()["sagan"])[1] == "no"


def test_the_published_share_of_images_is_a_ninth() -> None:
    assert ninth_of_the_images(_published_numbers()["sagan"]) == ("8.0 against 72.3 images: 1/9.0", True)
    assert ninth_of_the_images(_published_numbers()["biggan"]) == (
        "11.0 images against more than 100: less than 1/9.1",
        True,
    )


def test_a_row_per_claim_and_generator_in_the_contracts_columns(tmp_path: Path) -> None:
    table = claims(runs(tmp_path))
    assert list(table) == ["claim", "generator", "measured", "holds", "compared", *INTERVAL]
    assert len(table) == 2 * len(CLAIMS) - 2 and (table.holds == "yes").all()
    assert list(table.generator[:2]) == ["sagan", "biggan"]


@pytest.mark.parametrize(
    ("part", "k", "column", "value"),
    [
        ("An intermediate k", 1, "best_clip_score", 0.35),
        ("k = 1 scores lower", 1, "best_clip_score", 0.35),
        ("k = 1,000 scores lower", 1000, "best_clip_score", 0.35),
        ("falls and then rises", 50, "frechet_distance", 95.0),
        ("falls and then rises", 1000, "frechet_distance", 10.0),
        ("about a ninth", 10, "images_to_threshold", 4),
    ],
)
def test_numbers_against_a_claim_refute_it(tmp_path: Path, part: str, k: int, column: str, value: float) -> None:
    table = runs(tmp_path).astype({"images_to_threshold": float, "frechet_distance": float})
    table.loc[table.k == k, column] = value
    assert held(claims(table), part) == "no"


def test_a_lower_score_in_some_seeds_only_does_not_hold(tmp_path: Path) -> None:
    table = runs(tmp_path)
    table.loc[(table.k == 1) & (table.seed == 2), "best_clip_score"] = 0.341
    result = claims(table)
    assert held(result, "k = 1 scores lower") == "no"
    assert result.measured.str.contains("lower in 2 of 3 seeds").any()


def test_a_step_within_the_seeds_spread_is_no_rise(tmp_path: Path) -> None:
    table = runs(tmp_path)
    at = (table.generator == "biggan") & (table.k == 50)
    table.loc[at, "frechet_distance"] = [60, 71, 80]  # 70.3 after 70 + 1
    assert held(claims(table), "only falls", "biggan") == "yes"
    table.loc[at, "frechet_distance"] = [79, 80, 81]
    assert held(claims(table), "only falls", "biggan") == "no"


def test_seeds_that_disagree_are_named_with_their_k(tmp_path: Path) -> None:
    table = runs(tmp_path)
    table.loc[table.k == 20, "best_clip_score"] = [0.30, 0.33, 0.36] * 2
    result = claims(table)
    assert held(result, "Seeds agree on the best score") == "no" and held(result, "Seeds agree on the Fréchet") == "yes"
    assert result.measured.str.contains("at most 9.1 % (k = 20)", regex=False).any()


def test_log_growth_needs_the_curve_and_refuses_a_straight_line() -> None:
    b = np.arange(1.0, 101)

    def with_curve(curve: np.ndarray) -> Numbers:
        return Numbers(pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), len(curve), {10: curve})

    assert grows_like_log(with_curve(0.3 + 0.02 * np.log(b))) == ("R² = 1.0000 (k = 10)", True)
    assert not grows_like_log(with_curve(0.3 + 0.02 * b))[1]
    for curve in (0.02 * np.log(b[:9]), np.full(20, 0.3)):
        with pytest.raises(NotTested):
            grows_like_log(with_curve(curve))


@pytest.mark.parametrize(
    ("few", "many", "holds", "part"),
    [
        ((3, 3.0), (0, None), "yes", "3.0 images against more than 20: less than 1/6.7"),
        ((3, 9.0), (0, None), "not tested", "a larger b_max would tell"),
        ((0, None), (0, None), "not tested", "within 20 images in 0 of 3 seeds, k = 1,000 in 0 of 3"),
        ((3, 2.0), (2, None), "not tested", "k = 1,000 passes it in 2 of 3 seeds only"),
        ((2, None), (3, 18.0), "no", "k = 1,000 in all"),
    ],
)
def test_a_threshold_that_is_not_reached_is_told_honestly(few: tuple, many: tuple, holds: str, part: str) -> None:
    images = pd.DataFrame(
        {"images_mean": [few[1], many[1]], "reached": [few[0], many[0]], "seeds": 3},
        index=pd.Index([10, 1000], name="k"),
    ).astype({"images_mean": float})
    scores = pd.DataFrame({10: [0.3], 1000: [0.2]})
    (claim,) = [claim for claim in CLAIMS if claim.test is ninth_of_the_images]
    measured, verdict_ = verdict(claim, Numbers(scores, scores, images, 20))
    assert verdict_ == holds and part in measured


@pytest.mark.parametrize("ks", [(10,), (1, 1000), (1, 10), (10, 20, 50), (1000,)])
def test_part_of_the_grid_is_tested_as_far_as_it_goes(tmp_path: Path, ks: tuple[int, ...]) -> None:
    table = claims(runs(tmp_path, ks=ks, seeds=(1,)))
    assert len(table) == 2 * len(CLAIMS) - 2
    assert held(table, "Seeds agree on the best score") == "not tested"
    assert held(table, "An intermediate k") == "not tested"
    assert (table.measured != "").all()


def test_the_real_world_shows_the_published_value_and_no_other_does(tmp_path: Path) -> None:
    table = claims(runs(tmp_path, world="paper"))
    assert list(table) == ["claim", "generator", "measured", "holds", "published", "compared", *INTERVAL]
    published = table.set_index(["claim", "generator"])["published"]
    assert published.str.contains("highest at k = 10: 0.3113").any() and published.str.contains("1/9.0").any()
    assert (published[published.index.get_level_values(0).str.contains("log b")] == "").all()


def test_a_generator_of_ones_own_is_tested_without_a_published_value(tmp_path: Path) -> None:
    table = runs(tmp_path, world="paper").assign(generator=lambda t: t.generator.replace("biggan", "mine"))
    result = claims(table)
    mine = result[result.generator == "mine"]
    assert len(mine) == len(CLAIMS) - 2 and (mine.published == "").all() and (mine.holds == "yes").all()


def test_files_name_the_world_and_hold_the_table(tmp_path: Path) -> None:
    table = claims(runs(tmp_path))
    csv, text = write_claims(table, "Claims (world: miniature)", tmp_path / "tables")
    pd.testing.assert_frame_equal(pd.read_csv(csv), table)
    assert "world: miniature" in text.read_text() and table.claim[0] in text.read_text()
    lines = in_words(table).splitlines()
    assert sum(not line.startswith("      ") for line in lines) == len(table) + len(CLAIMS)
    assert max(map(len, lines)) <= 100


def test_each_comparison_of_two_scores_has_a_paired_interval_over_captions(tmp_path: Path) -> None:
    table = claims(runs(tmp_path))
    sagan = table[table.generator == "sagan"].set_index("claim")
    compared = sagan.dropna(subset="compared")
    assert compared["compared"].tolist() == ["k = 10 − k = 20", "k = 10 − k = 1", "k = 10 − k = 1,000"]
    np.testing.assert_allclose(compared["difference"], [0.01, 0.04, 0.09], atol=3e-4)
    assert (compared["difference_low"] < compared["difference"]).all()
    assert (compared["difference"] < compared["difference_high"]).all()
    assert (compared["difference_high"] - compared["difference_low"] < 6e-4).all()  # captions alone spread by 0.002
    assert sagan[sagan.compared.isna()][list(INTERVAL)].isna().all(axis=None)
    told = interval(compared.iloc[0])
    assert told.startswith("k = 10 − k = 20: +0.0") and ", 95 % +0.0" in told and " … +0.0" in told
    assert told in " ".join(in_words(table).split())
    text = write_claims(table, "Claims (world: miniature)", tmp_path)[1].read_text()
    assert told in text and "difference_low" not in text


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            {"compared": "a − b", "difference": 0.0, "difference_low": -0.001, "difference_high": 0.001},
            "+0.0000, 95 % −0.0",
        ),
        ({"compared": "a − b", "difference": "0.5", "difference_low": "", "difference_high": ""}, "a − b: +0.5000"),
        ({"compared": "", "difference": "", "difference_low": "", "difference_high": ""}, ""),
        ({"claim": "of version 0.2"}, ""),
    ],
)
def test_an_interval_in_words(row: dict[str, object], words: str) -> None:
    told = interval(row)
    assert (words in told) if words else told == ""


def test_scores_that_no_claim_can_compare_have_no_interval(tmp_path: Path) -> None:
    assert claims(runs(tmp_path, ks=(1, 10)))["compared"].isna().all()
