"""Fault 1: a run that is killed anywhere, and goes on, leaves the files of an undisturbed one. Fault 9: dead locks.

The kills are real (SIGKILL): at every step of writing every file, and at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.faults.mortal import BLOCK, Server, small
from zeroshot.errors import EnvironmentFailure
from zeroshot.runs.directory import RunDirectory
from zeroshot.runs.run import run_path

IMAGES = ("fresh", "pool")
FILES = ("scores.parquet", "selected.parquet", "config.yaml")


@pytest.fixture(scope="module")
def server(cache: Path) -> Iterator[Server]:
    started = Server(cache)
    yield started
    started.close()


@pytest.fixture(scope="module", params=IMAGES)
def undisturbed(request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp(request.param) / request.param
    for folder in (output.with_name("warm"), output):
        started = time.monotonic()
        assert server.run(folder, request.param) == 0
    (output / "took").write_text(str(time.monotonic() - started))
    return output


def files(output: Path) -> dict[str, object]:
    """`Identical files`: bytes of the tables and the configuration, metrics without seconds; and what else is there."""
    folder = run_path(output, small(output.name))
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics.pop("seconds")
    names = {path.name for path in folder.iterdir()}
    return {name: (folder / name).read_bytes() for name in FILES} | {"metrics": metrics, "names": names}


def finished_blocks(output: Path) -> dict[Path, int]:
    """Blocks that are whole on disk, with the time of their making."""
    pool = [p for p in output.glob("miniature/pools/*/extension-*/*.npy") if p.with_suffix(".sha256").exists()]
    return {path: path.stat().st_mtime_ns for path in [*pool, *output.glob("miniature/*/runs/**/blocks/*.parquet")]}


def goes_on(server: Server, output: Path, undisturbed: Path) -> None:
    """Run again; the files must be the same, and no finished block must have been made twice."""
    before = finished_blocks(output)
    done = (run_path(output, small(output.name)) / "scores.parquet").exists()
    assert server.run(output, output.name) == 0
    assert files(output) == files(undisturbed)
    for path, made in before.items():
        assert not path.exists() or path.stat().st_mtime_ns == made  # a search's blocks go when it is finished
    if output.name == "fresh" and not done:
        log = (run_path(output, small("fresh")) / "run.log").read_text().rpartition("started")[2]
        assert log.count("captions searched") == small("fresh").captions * small("fresh").b_max // BLOCK - len(before)


@pytest.mark.parametrize("draw", [*range(3), *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 25))])
def test_killed_while_writing_and_resumed_gives_the_same_files(
    server: Server, undisturbed: Path, tmp_path: Path, draw: int
) -> None:
    steps = int((undisturbed / "steps").read_text())
    kill_at = int(np.random.default_rng(5).permutation(steps)[draw % steps]) + 1
    output = tmp_path / undisturbed.name
    assert server.run(output, undisturbed.name, kill_at) == -signal.SIGKILL
    goes_on(server, output, undisturbed)


@pytest.mark.slow
def test_killed_at_every_one_of_the_last_steps_gives_the_same_files(
    server: Server, undisturbed: Path, tmp_path: Path
) -> None:
    steps = int((undisturbed / "steps").read_text())
    for kill_at in range(steps - 11, steps + 1):  # scores, selected, provenance, metrics: three steps each
        output = tmp_path / str(kill_at) / undisturbed.name
        assert server.run(output, undisturbed.name, kill_at) == -signal.SIGKILL
        goes_on(server, output, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("draw", range(20))
def test_killed_at_any_time_and_resumed_gives_the_same_files(
    server: Server, undisturbed: Path, tmp_path: Path, draw: int
) -> None:
    output = tmp_path / undisturbed.name
    pid = server.start(output, undisturbed.name)
    time.sleep(float((undisturbed / "took").read_text()) * (draw + 0.5) / 20)
    with contextlib.suppress(ProcessLookupError):  # it was faster than the undisturbed one
        os.kill(pid, signal.SIGKILL)
    assert server.wait() in (-signal.SIGKILL, 0)
    goes_on(server, output, undisturbed)


@pytest.mark.slow
def test_killed_again_and_again_it_still_ends(server: Server, undisturbed: Path, tmp_path: Path) -> None:
    output, kills = tmp_path / undisturbed.name, 0
    while server.run(output, undisturbed.name, kill_at=10) == -signal.SIGKILL:  # some files further each time
        kills += 1
        assert kills < 100
    assert kills > 1
    assert files(output) == files(undisturbed)


HOLDER = """
import sys, time
from pathlib import Path
from zeroshot.runs.directory import RunDirectory
with RunDirectory(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "run")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    since = rf"host {os.uname().nodename}, pid {process.pid}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d: wait for it"
    with pytest.raises(EnvironmentFailure, match=since):
        RunDirectory(tmp_path / "run").__enter__()
    process.kill()
    process.wait()
    assert (tmp_path / "run" / ".lock").exists()
    with RunDirectory(tmp_path / "run") as directory:
        assert f"pid {os.getpid()}" in (directory.path / ".lock").read_text()
