"""Faults 13, 14 and 16: captions that are empty or too long, photographs that are missing or broken."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.mortal import small
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.runs.run import run, run_path
from zeroshot.settings import RunSettings
from zeroshot.storage.paths import resolve
from zeroshot.worlds.parts import DATA
from zeroshot.worlds.world import World

ROWS = 40


def with_data(folder: Path, captions: dict[int, str] | None = None, broken: tuple[int, ...] = ()) -> RunSettings:
    """Settings of a run on the first photographs of both splits, some with other captions or without their picture."""
    paths: dict[str, Any] = {}
    for split in ("train", "test"):
        table = pq.read_table(resolve(getattr(DATA, split))).slice(0, ROWS)
        rows = table.to_pylist()
        for row, text in (captions or {}).items():
            rows[row]["captions"] = [text]
        for row in broken:
            picture = rows[row]["image"]["bytes"]
            rows[row]["image"]["bytes"] = picture[: len(picture) // 2] if row % 2 else None
        paths[split] = str(folder / f"{split}.parquet")
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), paths[split])
    data = dataclasses.replace(DATA, **paths)
    return dataclasses.replace(small("fresh"), data=data, captions=ROWS, b_max=2)


def test_captions_beyond_the_context_are_counted_in_a_warning_and_in_the_metrics(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = with_data(tmp_path, captions={1: "a very long bird " * 60, 5: "a red and blue bird " * 60})
    metrics = run(World(settings, "cpu", cache), settings, tmp_path / "o")
    assert metrics["truncated_captions"] == 2
    assert "2 of 40 captions are longer than CLIP's context of" in caplog.text
    assert "captions are longer" in (run_path(tmp_path / "o", settings) / "run.log").read_text()


def test_an_empty_caption_is_rejected_with_its_row(tmp_path: Path) -> None:
    settings = with_data(tmp_path, captions={7: "  "})
    with pytest.raises(UserError, match=r"test\.parquet, row 7: caption 0 of image \S+ is empty"):
        run(World(settings, "cpu"), settings, tmp_path / "o")
    assert not list((tmp_path / "o").rglob("*.parquet"))


def test_missing_and_broken_photographs_are_listed_before_the_run(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroshot.searching.engine.Engine.images", lambda *_: pytest.fail("generated"))
    settings = with_data(tmp_path, broken=tuple(range(3, 10)))
    with pytest.raises(EnvironmentFailure, match=r"(\S+, ){4}\S+ and 2 more: .* 7 of 40 out with data.allow_m"):
        run(World(settings, "cpu", cache), settings, tmp_path / "o")


def test_with_leave_the_run_does_without_them_and_says_so(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = with_data(tmp_path, broken=(3, 4, 5))
    settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, allow_missing=True))
    world = World(settings, "cpu", cache)
    metrics = run(world, settings, tmp_path / "o")
    assert metrics["captions"] == ROWS and len(world.test_features) == ROWS - 3
    assert world.partial_note() == ", without 3 of 40 test and 3 of 40 train photographs"
    assert "these 3 of 40 are left out of the Fréchet distance and the threshold" in caplog.text
    folder = run_path(tmp_path / "o", settings)
    assert json.loads((folder / "provenance.json").read_text())["photographs_missing"] == {
        "test": [3, 40],
        "train": [3, 40],
    }
    restored = with_data(tmp_path)  # and once they are there, another run
    restored = dataclasses.replace(restored, data=dataclasses.replace(restored.data, allow_missing=True))
    with pytest.raises(EnvironmentFailure, match=r"data test: \w{64} there"):
        run(World(restored, "cpu", cache), restored, tmp_path / "o")
