"""Runs that are killed: python -m tests.faults.mortal CACHE loads the miniature once and forks for each run.

Every line on standard input is a job; every job answers with its process id, then with its exit code. A job dies by
SIGKILL of its own hand at a step of writing its files: half of the bytes written, all of them, renamed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import torch

import zeroshot
from tests.conftest import ROOT
from zeroshot.runs import blocks
from zeroshot.runs.run import run
from zeroshot.searching import pool
from zeroshot.settings import RunSettings
from zeroshot.storage.cache import Cache
from zeroshot.worlds.parts import default_run

CAPTIONS, B_MAX, BLOCK = 12, 10, 40  # three blocks of a search, and some of a pool


def small(images: str) -> RunSettings:
    """Settings of a run of a second."""
    base = default_run("miniature", "sagan")
    search = dataclasses.replace(base.search, images=images, k=[5, 10], share=1.0)
    return dataclasses.replace(base, captions=CAPTIONS, b_max=B_MAX, k=5, batch_size=20, search=search)


def small_blocks() -> None:
    """Blocks of this process, small enough for several to a run."""
    blocks.IMAGES_PER_BLOCK = BLOCK
    pool.BLOCK = BLOCK


class Kills:
    """Counts steps of writing, and kills this process at one of them."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        write, replace = Path.write_bytes, os.replace

        def write_bytes(path: Path, content: Any) -> int:
            write(path, content[: len(content) // 2])
            self.step()
            written = write(path, content)
            self.step()
            return written

        def renamed(*arguments: Any) -> None:
            replace(*arguments)
            self.step()

        Path.write_bytes, os.replace = write_bytes, renamed  # type: ignore[method-assign, assignment]


def child(world: zeroshot.World, job: dict[str, Any]) -> None:
    """One run; its number of steps is written where the job says."""
    world.cache = Cache(Path(job["output"]) / "cache")
    small_blocks()
    kills = Kills(job["kill_at"])
    kills.install()
    run(world, small(job["images"]), Path(job["output"]))
    Path(job["output"], "steps").write_text(str(kills.steps))


def serve(cache: str) -> None:
    """Load what all runs need, then fork for each job."""
    torch.set_num_threads(1)  # no threads, so that forking is safe
    world = zeroshot.load_world("miniature", device="cpu", cache=cache)
    world.engine("sagan", 20).pictures  # noqa: B018 - loaded before the first fork
    assert world.label_embeddings.any() and world.threshold and world.test_features.any() and len(world.test)
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                child(world, json.loads(line))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


class Server:
    """The process, as tests use it."""

    def __init__(self, cache: Path) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.mortal", str(cache)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def start(self, output: Path, images: str, kill_at: int = 0) -> int:
        """Begin a run; returns its process id."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"output": str(output), "images": images, "kill_at": kill_at}) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def wait(self) -> int:
        """The exit code of the run that was started last: minus the signal where one ended it."""
        return int(self._line())

    def run(self, output: Path, images: str, kill_at: int = 0) -> int:
        """A run from beginning to end; returns its exit code."""
        self.start(output, images, kill_at)
        return self.wait()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


if __name__ == "__main__":
    serve(sys.argv[1])
