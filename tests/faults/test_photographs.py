"""Faults 13, 14, 16, 18, 20 and 22 where they come from captions and photographs: what a run says, and what it is."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.data.test_cub import IDS, write_ccub, write_cub
from tests.faults.mortal import small
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.report.titles import left_out
from zeroshot.runs.run import run, run_path, run_shard
from zeroshot.settings import DataSettings, RunSettings
from zeroshot.storage.paths import resolve
from zeroshot.storage.pins import sha256_of
from zeroshot.storage.shard import Shard
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
    monkeypatch.setattr("zeroshot.searching.engine.Engine._each", lambda *_: pytest.fail("generated"))
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
    assert left_out(world.photographs_missing()) == ", without 3 of 40 test and 3 of 40 train photographs"
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


def test_a_shard_does_not_search_before_it_has_looked_at_the_photographs(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroshot.searching.engine.Engine._each", lambda *_: pytest.fail("generated"))
    settings = with_data(tmp_path, broken=(3,))
    with pytest.raises(EnvironmentFailure, match=r"1 of 40 out with data\.allow_missing=true"):
        run_shard(World(settings, "cpu", cache), settings, tmp_path / "o", Shard(1, 2))


def test_the_miniatures_identity_is_that_of_its_files(world: World) -> None:
    for split in ("train", "test"):
        assert world.data_identity(split) == sha256_of(resolve(getattr(DATA, split)))


def turned(path: Path) -> None:
    """Another picture under the same name, as large as the first."""
    picture = Image.open(path)
    picture.transpose(Image.Transpose.ROTATE_180).save(path)


def identities(settings: RunSettings) -> list[str]:
    return [World(settings, "cpu").data_identity(split) for split in ("train", "test")]


def test_photographs_beside_a_parquet_are_part_of_what_a_run_is(tmp_path: Path) -> None:
    settings = with_data(tmp_path)
    for split in ("train", "test"):
        table = pq.read_table(tmp_path / f"{split}.parquet")
        rows = table.to_pylist()
        for number, row in enumerate(rows):
            (tmp_path / f"{split}{number}.jpg").write_bytes(row["image"]["bytes"])
            row["image"] = {"bytes": None, "path": f"{split}{number}.jpg"}
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), tmp_path / f"{split}.parquet")
    before, features = identities(settings), World(settings, "cpu", tmp_path / "cache").test_features
    assert before == identities(settings)
    turned(tmp_path / "test7.jpg")
    after = identities(settings)
    assert after[0] == before[0] and after[1] != before[1]
    changed = (World(settings, "cpu", tmp_path / "cache").test_features != features).any(axis=1)
    assert changed.tolist() == [row == 7 for row in range(ROWS)]  # cached features of the other picture are not taken


def test_photographs_and_boxes_of_cub_are_part_of_what_a_run_is(tmp_path: Path) -> None:
    write_cub(tmp_path / "cub")
    write_ccub(tmp_path / "split")
    data = DataSettings(source="ccub", photographs=str(tmp_path / "cub"), split=str(tmp_path / "split"))
    settings = dataclasses.replace(small("fresh"), data=data)
    before = identities(settings)
    assert before == identities(settings)
    turned(tmp_path / "cub" / "images" / f"{IDS[3]}.jpg")
    turned_one = identities(settings)
    assert turned_one[0] == before[0] and turned_one[1] != before[1]
    boxes = tmp_path / "cub" / "bounding_boxes.txt"
    boxes.write_text(boxes.read_text().replace("4 60.0", "4 61.0"))
    assert identities(settings)[0] == before[0] and identities(settings)[1] != turned_one[1]


def test_photographs_of_a_hubs_data_set_are_part_of_what_a_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    folder = tmp_path / "birds"
    (folder / "train").mkdir(parents=True)
    Image.linear_gradient("L").save(folder / "train" / "a.png")
    (folder / "train" / "metadata.csv").write_text("file_name,text\na.png,a bird\n")
    data = DataSettings("hub", train="train", test="train", name=str(folder), image_id=None, captions="text")
    settings = dataclasses.replace(small("fresh"), data=data)
    before = identities(settings)
    assert before == identities(settings)
    turned(folder / "train" / "a.png")
    assert identities(settings)[1] != before[1]
