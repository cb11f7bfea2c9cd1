"""Shards: several processes compute one run, whoever ends last puts it together, and nobody can tell afterwards."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import zeroshot
from experiments.grid import checked_world
from experiments.show import report
from tests.conftest import ROOT, command
from tests.experiments.test_config import composed
from tests.runs.test_run import results
from zeroshot.errors import EnvironmentFailure, Interrupted, UserError
from zeroshot.report.runs_table import runs_table
from zeroshot.runs import blocks
from zeroshot.runs.directory import Held, RunDirectory
from zeroshot.runs.run import run, run_path, run_shard
from zeroshot.searching import pool as pool_module
from zeroshot.settings import RunSettings
from zeroshot.storage.shard import WHOLE, Shard
from zeroshot.worlds.parts import default_run


def tiny(images: str, **changes: object) -> RunSettings:
    base = default_run("miniature", "sagan")
    search = dataclasses.replace(base.search, images=images, k=[1, 5])
    tiny = dataclasses.replace(base, k=5, captions=8, b_max=4, batch_size=16, search=search)
    return dataclasses.replace(tiny, **changes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "IMAGES_PER_BLOCK", 8)  # two captions a block, four blocks
    monkeypatch.setattr(pool_module, "BLOCK", 8)


@pytest.mark.parametrize("text", ["0/8", "9/8", "a/b", "", "8", "1/0", "1/8/2", "-1/8", "1.0/8", "١/٨", "1 /8"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=f"^shard = .*{text}.*, but .* 1/8|^shard = .*, but .*(1/|2/8)"):
        Shard.parse(text)


def test_every_block_belongs_to_one_shard() -> None:
    shards = [Shard.parse(f"{index}/3") for index in (1, 2, 3)]
    assert [str(shard) for block in range(7) for shard in shards if shard.takes(block)] == [
        "1/3", "2/3", "3/3", "1/3", "2/3", "3/3", "1/3"
    ]  # fmt: skip
    assert Shard.parse("1/1") == WHOLE and all(WHOLE.takes(block) for block in range(9))


@pytest.mark.parametrize("images", ["fresh", "pool"])
@pytest.mark.parametrize("order", [("1/3", "2/3", "3/3"), ("3/3", "1/3", "2/3")])
def test_the_last_shard_puts_the_run_together(
    images: str, order: tuple[str, ...], world: zeroshot.World, tmp_path: Path
) -> None:
    settings = tiny(images)
    run(world, settings, tmp_path / "one")
    ended = [run_shard(world, settings, tmp_path / "three", Shard.parse(shard)) for shard in order]
    assert [metrics is None for metrics in ended] == [True, True, False]
    path = run_path(tmp_path / "three", settings)
    assert results(path) == results(run_path(tmp_path / "one", settings))
    assert not list(path.glob(".lock*")) and not (path / "blocks").exists()
    assert run_shard(world, settings, tmp_path / "three", Shard(1, 3)) == ended[-1]  # again: nothing to do


@pytest.mark.parametrize("images", ["fresh", "pool"])
def test_a_shard_computes_its_blocks_only_and_a_run_without_shard_the_missing_ones(
    images: str, world: zeroshot.World, tmp_path: Path
) -> None:
    settings = tiny(images)
    assert run_shard(world, settings, tmp_path / "two", Shard(2, 2)) is None
    if images == "fresh":
        blocks = run_path(tmp_path / "two", settings) / "blocks"
        assert sorted(path.name for path in blocks.iterdir()) == ["00002.parquet", "00006.parquet"]
    else:
        blocks = next((tmp_path / "two").glob("miniature/pools/sagan-*/extension-000"))
        numbers = [int(path.stem) for path in blocks.glob("0*.npy")]
        assert numbers and all(number % 2 == 1 for number in numbers)
    before = {path: path.stat().st_mtime_ns for path in blocks.iterdir() if path.suffix in (".parquet", ".npy")}
    run(world, settings, tmp_path / "two")
    run(world, settings, tmp_path / "one")
    assert results(run_path(tmp_path / "two", settings)) == results(run_path(tmp_path / "one", settings))
    if images == "pool":
        assert {path: path.stat().st_mtime_ns for path in before} == before  # theirs were taken as they were


def test_more_shards_than_blocks(world: zeroshot.World, tmp_path: Path) -> None:
    settings = tiny("fresh")
    ended = [run_shard(world, settings, tmp_path, Shard(index, 7)) for index in range(1, 8)]
    assert [metrics is None for metrics in ended] == [True] * 3 + [False] * 4


def test_a_stopped_shard_goes_on(world: zeroshot.World, tmp_path: Path) -> None:
    settings = tiny("fresh")
    answers = iter([False, True])
    with pytest.raises(Interrupted):
        run_shard(world, settings, tmp_path / "two", Shard(1, 2), should_stop=lambda: next(answers))
    assert run_shard(world, settings, tmp_path / "two", Shard(2, 2)) is None
    assert run_shard(world, settings, tmp_path / "two", Shard(1, 2)) is not None
    run(world, settings, tmp_path / "one")
    assert results(run_path(tmp_path / "two", settings)) == results(run_path(tmp_path / "one", settings))


def test_a_damaged_block_of_another_shard_is_made_again(world: zeroshot.World, tmp_path: Path) -> None:
    settings = tiny("fresh")
    run_shard(world, settings, tmp_path / "two", Shard(1, 2))
    block = run_path(tmp_path / "two", settings) / "blocks" / "00000.parquet"
    content = bytearray(block.read_bytes())
    content[len(content) // 3] ^= 1
    block.write_bytes(content)
    assert run_shard(world, settings, tmp_path / "two", Shard(2, 2)) is not None
    run(world, settings, tmp_path / "one")
    assert results(run_path(tmp_path / "two", settings)) == results(run_path(tmp_path / "one", settings))


def test_different_shards_share_a_run_and_the_same_one_is_told_who_holds_it(tmp_path: Path) -> None:
    me = rf"host .*, pid {os.getpid()}, since "
    with RunDirectory(tmp_path, Shard(1, 2)), RunDirectory(tmp_path, Shard(2, 2)):
        with pytest.raises(Held, match=f"shard 2/2 on {me}"):
            RunDirectory(tmp_path, Shard(2, 2)).__enter__()
        with pytest.raises(EnvironmentFailure, match=f"shard 1/2 on {me}.*; shard 2/2 on {me}"):
            RunDirectory(tmp_path).__enter__()
    with RunDirectory(tmp_path), pytest.raises(Held, match=f"by {me}"):
        RunDirectory(tmp_path, Shard(1, 2)).__enter__()
    assert not list(tmp_path.iterdir())


def test_a_shard_that_ends_leaves_the_others_their_lock(tmp_path: Path) -> None:
    with RunDirectory(tmp_path, Shard(1, 2)):
        with RunDirectory(tmp_path, Shard(2, 2)):
            pass
        with pytest.raises(Held, match="by shard 1/2 on host"):
            RunDirectory(tmp_path).__enter__()


def test_a_run_that_ends_while_its_last_shard_is_held_is_put_together_by_that_one(
    world: zeroshot.World, tmp_path: Path
) -> None:
    settings = tiny("fresh")
    run_shard(world, settings, tmp_path, Shard(1, 2))
    with RunDirectory(run_path(tmp_path, settings), Shard(1, 2)):  # has written its blocks, has not ended yet
        assert run_shard(world, settings, tmp_path, Shard(2, 2)) is None
    assert run_shard(world, settings, tmp_path, Shard(1, 2)) is not None


def test_show_names_the_shards_that_are_held(world: zeroshot.World, tmp_path: Path) -> None:
    settings = tiny("fresh")
    run_shard(world, settings, tmp_path, Shard(1, 2))
    with RunDirectory(run_path(tmp_path, settings), Shard(2, 2)):
        assert f"held by pid {os.getpid()} for shard 2/2 (4 of 8 captions done)" in report(
            runs_table(tmp_path), tmp_path
        )


def test_a_shard_is_no_part_of_the_grid() -> None:
    with pytest.raises(UserError, match="shard = 2/8, but the grid is computed in whole runs"):
        checked_world([tiny("fresh")], composed("shard=2/8"))


@pytest.mark.slow
def test_two_shards_at_once_one_of_them_killed(output: Path) -> None:
    settings = tiny("fresh", batch_size=64, captions=9, b_max=400)  # blocks of 4, 4 and 1 captions
    overrides = ["captions=9", "b_max=400", "k=5", "batch_size=64", "search.images=fresh", "search.k=[1,5]"]

    def start(shard: str) -> subprocess.Popen[str]:
        arguments = [*overrides, "generator=sagan", "device=cpu", f"output={output}", f"shard={shard}"]
        words = [sys.executable, "-m", "experiments.run", *arguments]
        return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    path = run_path(output, settings)
    first, second = start("1/2"), start("2/2")
    while not (path / ".lock-1of2").exists() and first.poll() is None:
        time.sleep(0.02)
    time.sleep(1)  # in its first block
    first.send_signal(signal.SIGKILL)
    printed, errors = second.communicate(timeout=400)
    first.communicate()
    assert second.returncode == 0, errors
    assert "shard 2/2 is done, others are missing" in printed and not (path / "metrics.json").exists()
    assert [block.name for block in (path / "blocks").glob("0*")] == ["00004.parquet"]
    again = start("1/2")
    printed, errors = again.communicate(timeout=400)
    assert again.returncode == 0 and "best CLIP score" in printed, errors
    one = output / "one"
    done = command("experiments.run", *overrides, "generator=sagan", "device=cpu", f"output={one}", timeout=400)
    assert done.returncode == 0, done.stderr
    assert results(path) == results(run_path(one, settings))
