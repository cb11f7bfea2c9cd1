"""Shared by all tests: the embedded world, loaded once, and a way to run a command as a user would."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from filelock import FileLock

import zeroshot

ROOT = Path(__file__).resolve().parent.parent
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
THREADS = max(1, 2 // WORKERS)
os.environ["OMP_NUM_THREADS"] = str(THREADS)  # of commands: more threads than cores starve each other
torch.set_num_threads(THREADS)  # now, since fixtures of modules are computed first: threads decide last bits


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every run of the miniature needs, computed once for all tests: embeddings, threshold, features."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if WORKERS > 1 else own) / "cache"  # one for all workers
    with FileLock(folder.with_suffix(".lock")):
        world = zeroshot.load_world("miniature", device="cpu", cache=folder)
        assert world.label_embeddings.any() and world.threshold and world.test_features.any()
    return folder


@pytest.fixture(scope="session")
def world(cache: Path) -> zeroshot.World:
    """The miniature on the CPU."""
    return zeroshot.load_world("miniature", device="cpu", cache=cache)


@pytest.fixture
def output(tmp_path: Path, cache: Path) -> Path:
    """A folder for a command's outputs in which that has been computed."""
    return with_cache(tmp_path, cache)


def with_cache(folder: Path, cache: Path) -> Path:
    """The folder, with a copy of the cache in it."""
    shutil.copytree(cache, folder / "cache")
    return folder


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> Iterator[Call]:
    """call(main, *arguments): an entry point here, without a process of its own; its exit code, output and errors."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(main: Callable[[], None], *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["command", *arguments])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        return (code, *capfd.readouterr())

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def command(*arguments: str, timeout: float = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    """python -m <arguments> from the repository's root."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
