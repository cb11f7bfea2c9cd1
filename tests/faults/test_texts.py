"""Fault 21: what CLIP reads is what was given, or it is said; the same for captions of a data set and for prompts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import zeroshot
from tests.faults.test_photographs import ROWS, with_data
from zeroshot.report.figure3 import figure3_rows
from zeroshot.runs.run import run, run_path
from zeroshot.worlds.world import World

CAPTIONS = {
    1: "a bird\ufffd\ufffdwith a red head",
    2: "a blue\0bird",
    5: "a bird <end_of_text> with a red head",
    8: "a bird &lt;start_of_text&gt;\u200b",
}


def test_captions_that_are_not_read_as_they_are_given_are_counted_in_a_warning_and_in_the_metrics(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = with_data(tmp_path, captions=CAPTIONS)
    metrics = run(World(settings, "cpu", cache), settings, tmp_path / "o")
    assert metrics["changed_captions"] == 4
    told = caplog.text
    assert "3 of 40 captions hold characters that no reader sees; the first is caption 0 of " in told
    assert "2 of 40 captions hold markers of CLIP's own; the first is caption 0 of " in told
    assert (
        f"3 of {ROWS + 36 * 9} captions of the train split hold characters" in told and told.count("captions hold") == 2
    )
    path = run_path(tmp_path / "o", settings)
    assert "captions hold markers of CLIP's own" in (path / "run.log").read_text()
    kept = set(pd.read_parquet(path / "selected.parquet").caption)
    assert {"a bird with a red head", "a blue bird", CAPTIONS[5], "a bird &lt;start_of_text&gt;"} <= kept


def test_the_numbers_are_those_of_the_captions_as_they_are_read(tmp_path: Path, cache: Path) -> None:
    scores = []
    for name, captions in (("odd", CAPTIONS), ("plain", {1: "a bird with a red head", 2: "a blue bird"})):
        (tmp_path / name).mkdir()
        settings = with_data(tmp_path / name, captions=captions | {n: "a < end_of_text > bird" for n in (5, 8)})
        run(World(settings, "cpu", cache), settings, tmp_path / name)
        scores.append(pd.read_parquet(run_path(tmp_path / name, settings) / "scores.parquet").score)
    np.testing.assert_array_equal(*scores)


def test_plain_captions_are_not_counted(tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = with_data(tmp_path)
    assert run(World(settings, "cpu", cache), settings, tmp_path / "o")["changed_captions"] == 0
    assert "captions" not in caplog.text


@pytest.mark.parametrize(
    ("prompt", "plain", "said"),
    [
        ("a blue\0bird", "a blue bird", "characters that no reader sees: read as 'a blue bird'"),
        ("a bird\ufffd\ufffdwith feet", "a bird with feet", "characters that no reader sees"),
        (
            "a bird <end_of_text>",
            "a bird < end_of_text >",
            "holds <end_of_text>, a marker of CLIP's own: read as 'a bird <",
        ),
        ("a bird &lt;END_OF_TEXT>", "a bird < end_of_text >", "holds <end_of_text>, a marker"),
    ],
)
def test_a_prompt_is_read_as_a_caption_is_and_told(world: zeroshot.World, prompt: str, plain: str, said: str) -> None:
    with pytest.warns(UserWarning, match=said) as told:
        vectors = zeroshot.search(world, [(prompt, 1.0)], generator="sagan", k=3, b_max=2).similarities
    assert len(told) == 1 and told[0].filename == __file__
    theirs = zeroshot.search(world, [(plain, 1.0)], generator="sagan", k=3, b_max=2).similarities
    np.testing.assert_allclose(vectors, theirs, atol=1e-6)


def test_sentences_of_figure_3_are_read_so_too(world: zeroshot.World, caplog: pytest.LogCaptureFixture) -> None:
    settings = dataclasses.replace(world.settings, b_max=2, k=3)
    (row,) = figure3_rows(world, [settings], Path("nowhere"), ["a blue\0bird"])
    assert row.caption == "a blue bird"
    assert "figure3.captions: the prompt holds characters that no reader sees: read as 'a blue bird'" in caplog.text
