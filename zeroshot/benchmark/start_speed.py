"""Part g: what a command costs before it works, as ratios to importing the models' libraries in the same minute."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zeroshot.benchmark.settings import BenchmarkSettings
from zeroshot.benchmark.timing import StopAsked, interleaved, never, ratios, spread
from zeroshot.errors import EnvironmentFailure
from zeroshot.models.devices import choose_device

LIBRARIES = "import torch, open_clip"
# Command -> (its arguments, exit code, at most so many times what the libraries take).
COMMANDS = {
    "show": (("experiments.show", "output={output}"), 0, 0.25),
    "run k=0, refused": (("experiments.run", "k=0"), 2, 0.25),
    "run --help": (("experiments.run", "--help"), 0, 0.25),
    "reproduce table1, finished": (("experiments.reproduce", "table1", "output={output}"), 0, 0.5),
    "imagine, b = 100": (("experiments.imagine", "prompt=a small blue bird", "seed={seed}", "output={fresh}"), 0, 1.6),
}


def start_speed(settings: BenchmarkSettings, should_stop: StopAsked = never) -> dict[str, Any]:
    """Seconds of each command as a process of its own, in turn with the libraries' import.

    Table 1 is the README's, in the benchmark's output folder; what is missing of its grid is computed first.
    """
    made = _python(("-m", *COMMANDS["reproduce table1, finished"][0]), 0, output=settings.output)
    made()
    with tempfile.TemporaryDirectory() as fresh:
        seeds = itertools.count()
        works = {"libraries": _python(("-c", LIBRARIES), 0)}
        for name, (arguments, code, _) in COMMANDS.items():
            works[name] = _python(("-m", *arguments), code, output=settings.output, fresh=fresh, seeds=seeds)
        seconds = interleaved(works, settings.start.repetitions, choose_device("cpu"), "g: start", should_stop)
    results = []
    for name, (_, _, target) in COMMANDS.items():
        ratio = ratios(seconds[name], seconds["libraries"])
        results.append(
            {
                "command": name,
                "seconds": spread(seconds[name]),
                "ratio": ratio,
                "target": target,
                "holds": ratio["median"] <= target,
            }
        )
    return {"libraries": LIBRARIES, "seconds": spread(seconds["libraries"]), "results": results}


def _python(
    arguments: tuple[str, ...], code: int, output: str = "", fresh: str = "", seeds: itertools.count[int] | None = None
) -> Callable[[], None]:
    """A call of this Python; raises EnvironmentFailure where it ends otherwise than with `code`.

    A prompt that was searched for is found again, so `imagine` gets another seed every time.
    """

    def run() -> None:
        seed = next(seeds) if seeds and any("{seed}" in argument for argument in arguments) else 0
        filled = [argument.format(output=output, fresh=fresh, seed=seed) for argument in arguments]
        done = subprocess.run([sys.executable, *filled], capture_output=True, text=True, cwd=Path.cwd())
        if done.returncode != code:
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise EnvironmentFailure(f"{' '.join(filled)} ended with {done.returncode} instead of {code}: {last}")

    return run
