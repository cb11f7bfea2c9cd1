"""A few captions against the published numbers: deviations in standard errors, verdicts, and what to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zeroshot.report.first_hour import deviations, in_words, published_points, reasons
from zeroshot.report.published import published_table1
from zeroshot.storage.tables import write_table

CAPTIONS, SPREAD = 48, 0.02
ERROR = SPREAD / np.sqrt(CAPTIONS)  # of the captions below, over captions


def runs(folder: Path, moved: dict[str, float], world: str = "paper", k: int = 10) -> pd.DataFrame:
    """Collected runs whose means are so many standard errors away from the published ones."""
    rows = []
    published = published_table1().set_index(["generator", "k"])["paper_best_clip_score"]
    values = np.random.default_rng(0).normal(size=CAPTIONS)
    values = SPREAD * (values - values.mean()) / values.std(ddof=1)
    for generator, errors in moved.items():
        score = values + published.get((generator, k), 0.3) + errors * ERROR
        path = folder / generator
        write_table(path / "selected.parquet", pd.DataFrame({"image_id": range(CAPTIONS), "score": score}))
        rows.append(
            {"world": world, "generator": generator, "k": k, "seed": 42, "captions": CAPTIONS, "path": path,
             "best_clip_score": score.mean(), "frechet_distance": 90.0}
        )  # fmt: skip
    return pd.DataFrame(rows)


def test_a_deviation_is_counted_in_standard_errors_over_captions(tmp_path: Path) -> None:
    table = deviations(runs(tmp_path, {"sagan": 1.5, "biggan": -2.5})).set_index("generator")
    assert table["paper_best_clip_score"].round(4).to_dict() == {"sagan": 0.3113, "biggan": 0.3045}
    np.testing.assert_allclose(table["best_clip_score_se"], ERROR)
    np.testing.assert_allclose(table.loc[["sagan", "biggan"], "in_standard_errors"], [1.5, -2.5])
    np.testing.assert_allclose(table.loc[["sagan", "biggan"], "deviation"], [1.5 * ERROR, -2.5 * ERROR])
    assert table["by_chance"].to_dict() == {"sagan": True, "biggan": False} and (table["captions"] == CAPTIONS).all()


@pytest.mark.parametrize(("errors", "chance"), [(0.0, True), (1.99, True), (-1.99, True), (2.01, False), (-9, False)])
def test_chance_explains_two_standard_errors_to_either_side(tmp_path: Path, errors: float, chance: bool) -> None:
    table = deviations(runs(tmp_path, {"sagan": errors}))
    (line,) = in_words(table)
    assert table["by_chance"].tolist() == [chance]
    assert line.endswith(": chance explains it" if chance else ": chance does not explain it")
    assert "sagan, k = 10: 0." in line and "published 0.3113; deviation " in line and "over 48 captions" in line


def test_reasons_are_those_of_the_generators_that_are_off(tmp_path: Path) -> None:
    def told(**moved: float) -> str:
        return "\n".join(reasons(deviations(runs(tmp_path, moved))))

    assert told(sagan=0, biggan=1) == ""
    both = told(sagan=5, biggan=-5)
    assert all(word in both for word in ("normalisation", "resize", "wrong checkpoint", "truncation"))
    sagan, biggan = told(sagan=5, biggan=0), told(sagan=0, biggan=5)
    assert "since biggan agrees" in sagan and "StudioGAN" in sagan and "truncation" not in sagan
    assert "since sagan agrees" in biggan and "truncation" in biggan and "normalisation" not in biggan


def test_what_was_not_published_is_not_compared(tmp_path: Path) -> None:
    assert deviations(runs(tmp_path, {"mine": 0, "sagan": 0}))["generator"].tolist() == ["sagan"]
    assert ("sagan", 10) in published_points() and ("sagan", 7) not in published_points()


def test_another_worlds_numbers_never_stand_beside_the_papers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="world=paper only"):
        deviations(runs(tmp_path, {"sagan": 0}, world="miniature"))
