"""The paper's numbers beside ours, in world=paper only."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from zeroshot.report.published import published_table1, published_table2
from zeroshot.report.tables import paper_shape, table1, table2

K = (1, 10, 20, 50, 100, 1000)


def runs(world: str) -> pd.DataFrame:
    rows = [
        {"generator": g, "k": k, "seed": seed, "best_clip_score": 0.3, "frechet_distance": 60.0 + seed, "world": world,
         "images_to_threshold": 12 if k == 10 else None}
        for g, k, seed in itertools.product(("sagan", "biggan"), K, (42, 43, 44))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_published_means_are_the_papers() -> None:
    table = published_table1().set_index(["generator", "k"])
    assert table.loc[("sagan", 10), "paper_best_clip_score"] == pytest.approx(0.311278, abs=1e-6)
    assert table.loc[("sagan", 1), "paper_frechet_distance"] == pytest.approx(106.37, abs=1e-2)
    assert len(table) == 12 and len(published_table2()) == 12


def test_differences_are_ours_minus_the_papers() -> None:
    row = table1(runs("paper")).set_index(["generator", "k"]).loc[("sagan", 10)]
    assert row["best_clip_score_difference"] == pytest.approx(0.3 - row["paper_best_clip_score"])
    assert row["frechet_distance_difference"] == pytest.approx(103.0 - row["paper_frechet_distance"])
    second = table2(runs("paper")).set_index(["generator", "k"])
    assert second.loc[("biggan", 10), "images_mean_difference"] == pytest.approx(1.0)
    assert pd.isna(second.loc[("biggan", 1000), "images_mean_difference"])


def test_the_papers_rows_stand_under_ours() -> None:
    shaped = paper_shape("table1", table1(runs("paper")), 100)
    assert shaped["measure"].tolist()[::2] == [
        "best CLIP score", "best CLIP score, paper", "best CLIP score, difference",
        "Fréchet distance", "Fréchet distance, paper", "Fréchet distance, difference",
    ]  # fmt: skip
    shaped = paper_shape("table2", table2(runs("paper")), 100)
    assert shaped[["generator", "source"]].to_numpy().tolist() == [
        ["sagan", "ours"], ["sagan", "paper"], ["biggan", "ours"], ["biggan", "paper"],
    ]  # fmt: skip
    assert shaped["k = 1000"].tolist() == ["> 100", "72.33 ± 2.52", "> 100", "> 100"]


@pytest.mark.parametrize("table", [table1, table2])
def test_no_other_world_shows_the_papers_numbers(table: object) -> None:
    assert not [column for column in table(runs("miniature")).columns if "paper" in column]  # type: ignore[operator]
