"""Faults 2 and 10: disks that are full, read-only or not there; all of them real ones, mounted for the test."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import zeroshot
from experiments.cli import StopRequest, guarded
from experiments.grid import checked_world
from tests.experiments.test_config import composed
from tests.faults.conftest import PAGE, Disk
from tests.faults.mortal import BLOCK, small
from tests.faults.test_kills import FILES, IMAGES
from tests.paper.downloads.server import FILE, Server, item
from zeroshot.data.hub import read_hub
from zeroshot.data.parquet import read_parquet
from zeroshot.errors import EnvironmentFailure
from zeroshot.miniature.training.make import make
from zeroshot.miniature.training.recipe import Recipe
from zeroshot.paper.downloads.fetch import fetch
from zeroshot.report import figures, imagined, tables
from zeroshot.runs.run import run, run_path
from zeroshot.storage.cache import Cache
from zeroshot.storage.files import check_writable
from zeroshot.storage.paths import resolve
from zeroshot.worlds.parts import DATA

FULL = re.compile(r"error: (\S+) needs [\d,]+ bytes and cannot be written \(No space left on device\): make room")
Mount = Callable[[int], Disk]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroshot.runs.blocks.IMAGES_PER_BLOCK", BLOCK)
    monkeypatch.setattr("zeroshot.searching.pool.BLOCK", BLOCK)


def exit_code(work: Callable[[], object]) -> int:
    """What the shell would get."""

    def asked(stop: StopRequest) -> None:
        work()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("signal.signal", lambda *_: None)
        try:
            guarded(asked)
        except SystemExit as left:
            return int(left.code or 0)
    return 0


@pytest.mark.parametrize("images", IMAGES)
def test_a_run_on_a_disk_that_is_too_small_goes_on_as_room_is_made(
    world: zeroshot.World,
    cache: Path,
    tmp_path: Path,
    disk: Mount,
    images: str,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = small(images)
    run(world, settings, tmp_path / "roomy")
    pages, step = (1, 1) if images == "fresh" else (8, 6)
    small_disk = disk(pages)
    output, named = small_disk.path, set()
    monkeypatch.setattr(logging, "lastResort", None)
    before: set[Path] = set()
    while (code := exit_code(lambda: run(world, settings, output))) != 0:
        said = capsys.readouterr().err
        assert code == 3 and "Traceback" not in said and len(said.strip().splitlines()) == 1
        full = FULL.match(said)
        assert full or "output folder" in said, said
        if full:
            assert Path(full[1]) in before or not Path(full[1]).exists()  # nothing under its final name
            named.add(Path(full[1]).name)
        assert not (run_path(output, settings) / "metrics.json").exists()
        before = set(output.rglob("*"))
        pages += step
        assert pages < 200
        small_disk.remount(f"size={pages * PAGE}")
    assert len(named) >= 3 and any(name[:3] == "000" for name in named), named  # blocks among them
    ours, theirs = run_path(output, settings), run_path(tmp_path / "roomy", settings)
    for name in FILES:
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()


def full_disk(disk: Mount) -> Path:
    mounted = disk(8).path
    (mounted / "folder").mkdir()
    with (mounted / "ballast").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(PAGE))
    return mounted / "folder"


def whole_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_download_of_unknown_length_fills_the_disk_and_goes_on(disk: Mount) -> None:
    small_disk = disk(20)
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        server.states_length, wanted = False, item(f"{server.address}/file")
        with pytest.raises(EnvironmentFailure, match=r"\.partial needs [\d,]+ more bytes and cannot .*No space left"):
            fetch(wanted, small_disk.path)
        assert "models/model.pth" not in whole_names(small_disk.path)
        small_disk.remount(f"size={200 * PAGE}")
        assert fetch(wanted, small_disk.path).read_bytes() == FILE
        begun = server.asked[-1][1]
        assert begun and begun.startswith("bytes=")  # what had come was kept
        server.shutdown()


def test_caches_tables_figures_and_searches_do_not_stay_half_written(
    disk: Mount, world: zeroshot.World, capsys: pytest.CaptureFixture
) -> None:
    folder = full_disk(disk)
    table = pd.DataFrame({"generator": ["sagan"], "k": [1], "images_mean": [2.0], "images_std": [1.0]})
    table = table.assign(reached=3, seeds=3)
    found = zeroshot.search(world, "a bird", generator="sagan", k=2, b_max=2)
    settings = {"world": {"name": "miniature"}, "generator": {"name": "sagan"}, "k": 2, "b_max": 2, "seed": 42}
    for work in (
        lambda: Cache(folder).get("x", {}, lambda: np.zeros(9000)),
        lambda: tables.write_tables("table2", table, "title", folder, 10),
        lambda: figures.save(Figure(), folder, "figure2"),
        lambda: imagined.write(found, folder / "x", settings, {}),
    ):
        assert exit_code(work) == 3
        said = capsys.readouterr().err
        assert FULL.match(said) and str(folder) in said
    assert whole_names(folder) == []


def test_a_download_onto_a_full_disk_names_path_and_bytes(disk: Mount) -> None:
    folder = full_disk(disk)
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(EnvironmentFailure, match=r"disk full: .*models needs 300,000 more bytes, but 0 are free"):
            fetch(item(f"{server.address}/file"), folder)
        server.shutdown()
    assert whole_names(folder) == []


def test_only_a_data_set_of_the_hub_needs_room_for_its_photographs(
    disk: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, own = full_disk(disk), resolve(DATA.test or "")
    monkeypatch.setattr(tempfile, "tempdir", str(full))
    assert len(read_parquet(own)) == 300
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", full)
    with pytest.raises(EnvironmentFailure, match=r"folder is full, but data set .* copied there .*HF_DATASETS_CACHE"):
        read_hub(str(own.parent), "test", image_id="image_id", image="image", captions="captions")


@pytest.mark.parametrize("images", IMAGES)
def test_a_read_only_folder_is_said_before_anything_is_generated(
    world: zeroshot.World, disk: Mount, images: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    mounted = disk(100)
    mounted.remount("ro")
    monkeypatch.setattr("zeroshot.searching.engine.Engine._each", lambda *_: pytest.fail("generated"))
    monkeypatch.setattr("zeroshot.models.clip.Clip.encode_text", lambda *_: pytest.fail("embedded"))
    config = composed("device=cpu", f"output={mounted.path}")
    for work in (
        lambda: run(world, small(images), mounted.path),
        lambda: run(world, small(images), mounted.path / "new" / "folder"),
        lambda: checked_world([small(images)], config),  # reproduce's grid
        lambda: make(Recipe(output=str(mounted.path / "o"), weights=str(mounted.path / "w"))),  # train_miniature
        lambda: check_writable(mounted.path),  # imagine, study_pool, measure_miniature
    ):
        assert exit_code(work) == 3
        said = capsys.readouterr().err
        assert re.match(rf"error: output folder {mounted.path}\S* cannot be written \(Read-only file system\)", said)


def test_a_missing_folder_is_made_and_a_file_is_none(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder")
    assert os.listdir(tmp_path / "new" / "folder") == []
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFailure, match=r"output folder .*file cannot be written"):
        check_writable(tmp_path / "file")
