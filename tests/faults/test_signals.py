"""Fault 8: SIGINT and SIGTERM finish the block in hand and say how to go on; a second signal exits at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.cli import StopRequest, guarded
from tests.conftest import ROOT, command
from zeroshot.benchmark.pool_study import study
from zeroshot.errors import Interrupted
from zeroshot.worlds.world import World

TINY = ("captions=100", "b_max=100", "search.k=[10]", "search.share=1.0", "device=cpu")
# command -> its arguments, and what of its output shows that a block has been finished
COMMANDS: dict[str, tuple[tuple[str, ...], str]] = {
    "run, fresh": (("experiments.run", "search.images=fresh", *TINY), "miniature/*/runs/**/blocks/*.parquet"),
    "run, pool": (("experiments.run", "search.images=pool", *TINY), "miniature/pools/*/extension-*/0*.sha256"),
    "reproduce": (("experiments.reproduce", "table1", "grid.k=[10]", *TINY), "miniature/pools/*/extension-*/0*.sha256"),
    "train": (("experiments.train_miniature", "stages=[features]", "photographs=false", "features.batch=12",
               "checkpoint_seconds=0", "device=cpu"), "features.pt"),
}  # fmt: skip


def started(name: str, output: Path) -> subprocess.Popen[str]:
    """The command, once it has finished a block."""
    arguments, sign = COMMANDS[name]
    weights = [f"weights={output / 'weights'}"] if name == "train" else []
    line = [sys.executable, "-m", *arguments, f"output={output}", *weights]
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not list(output.glob(sign)) and process.poll() is None:
        time.sleep(0.02)
    return process


def stops(name: str, output: Path, number: int) -> None:
    process = started(name, output)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said and "the same command goes on where" in said
    assert not list(output.rglob(".*.partial")) and not list(output.rglob("metrics.json"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stops_after_its_block(output: Path, name: str, number: int) -> None:
    stops(name, output, number)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_second_signal_exits_at_once_and_the_next_command_goes_on(output: Path, name: str) -> None:
    process = started(name, output)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    # Where the block ended first, SIGTERM meets a process on its way out: a shell calls that 143 too.
    assert process.wait(timeout=20) in (130, 143, -signal.SIGTERM)
    if name == "run, pool":
        arguments = COMMANDS[name][0]
        done = command(*arguments, f"output={output}")
        assert done.returncode == 0, done.stderr


def by_itself(work: Callable[[StopRequest], None]) -> int | None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        guarded(work)
    except SystemExit as left:
        return int(left.code or 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return None


def test_a_signal_in_the_last_block_still_stops_whatever_called_the_command(capsys: pytest.CaptureFixture) -> None:
    assert by_itself(lambda stop: os.kill(os.getpid(), signal.SIGINT)) == 130
    assert "everything was finished" in capsys.readouterr().err


def test_the_second_signal_leaves_by_itself() -> None:
    def twice(stop: StopRequest) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)

    pid = os.fork()
    if pid == 0:  # no torch in here
        guarded(twice)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130


def test_the_pools_study_stops_too(world: World, tmp_path: Path) -> None:
    stop = StopRequest()
    stop.signal = signal.SIGINT
    with pytest.raises(Interrupted):
        study(world, "sagan", tmp_path, captions=4, b_max=4, should_stop=stop)
