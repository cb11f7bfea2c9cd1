"""Command lines that nobody would type, over all entry points: an exit code of the contract, and few lines."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import runpy
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from experiments.composed import MOST_LINES
from tests.conftest import with_cache

LINES = 240
SMALL = ("experiment=tiny", "captions=2", "b_max=1", "k=1", "grid.k=[1]", "grid.seeds=[42]", "grid.generators=[sagan]")
HYDRA = ("run", "reproduce table1", "reproduce table2", "reproduce claims", "reproduce figure2", "imagine prompt=bird")
# What starts real work of minutes is only given arguments that it refuses.
OTHERS = (
    *("show", "prepare --offline", "rehearse world=mars", "benchmark only=[z]", "study_pool generator=mine"),
    *("measure_miniature a b", "train_miniature stages=[none]", "reproduce", "reproduce nothing", "imagine"),
    "check check.classes=1",
)
VALUES = (
    *("", "0", "-1", "1", "1.5", "nan", "inf", "-inf", "1e9", "9" * 40, "true", "null", "None", "[]", "[1,1]"),
    *("[1,[2]]", "{a:1}", "${k}", "${nothing}", "${oc.env:HOME}", "a b", "'", '"', "\\", "\n", "\t", "\x1b[31m"),
    *("é", "鳥", "\u200b", "../../x", "/dev/zero", "/proc/self/mem", "~nobody/x", "x" * 5000, "a=b", "=", "+", "~"),
    *("--help", "%s", "{0}"),
)
KEYS = (
    *("k", "seed", "b_max", "captions", "batch_size", "precision", "compile", "device", "output", "shard", "curve"),
    *("world", "world.name", "generator", "generator.name", "generator.weights", "generator.truncation", "protocol"),
    *("generator.architecture", "generator.image_size", "generator.z_dim", "clip.model", "clip.weights", "data.source"),
    *("data.test", "data.image", "features.name", "protocol.caption", "protocol.label_prompt", "protocol.saved_side"),
    *("search", "search.images", "search.share", "search.k", "grid.k", "grid.seeds", "figure3.captions", "page.k"),
    *("prompt", "prompts", "prompts_file", "experiment", "nothing", "generator.nothing", "hydra/launcher", "hydra.job"),
)


def command_line(rng: random.Random) -> tuple[str, ...]:
    """An entry point, valid arguments that keep it small, and one to three hostile ones."""
    entry = rng.choice((*HYDRA, *HYDRA, *OTHERS)).split()
    small = list(SMALL) if " ".join(entry) in HYDRA else []
    hostile = [
        rng.choice(("", "", "", "+", "++", "~")) + rng.choice(KEYS) + "=" + rng.choice(VALUES)
        for _ in range(rng.randint(1, 3))
    ]
    flags = rng.choice(((), (), (), ("-m",), ("--cfg", "job"), ("--foo",), ("--config-dir=/nowhere",)))
    return (*entry, *small, *hostile, *(flags if small else ()))


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """The process's folder, arguments, signals and Hydra, whatever a command does to them."""
    argv, handlers = sys.argv, {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        sys.argv = argv
        for number, handler in handlers.items():
            signal.signal(number, handler)


def outcome(line: tuple[str, ...]) -> tuple[object, str]:
    """Exit code and standard error of a command line, in this process; no file is its standard input."""
    name, *arguments = line
    errors, code = io.StringIO(), 0
    with _as_before(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        sys.argv = [f"experiments/{name}.py", *arguments]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                runpy.run_module(f"experiments.{name}", run_name="__main__")
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    return code, errors.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_no_command_line_ends_in_a_traceback(
    seed: int, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = with_cache(tmp_path / "given", cache)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZEROSHOT_CACHE", str(tmp_path / "given" / "downloads"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    rng = random.Random(seed)
    for _ in range(LINES // 4):
        line = command_line(rng)
        given = any(argument.lstrip("+~").startswith("output=") for argument in line)
        takes_output = " ".join(line[: 2 if line[0] in ("reproduce", "imagine") else 1]) in HYDRA
        told = line if given or not takes_output else (*line, f"output={output}")
        try:
            code, errors = outcome(told)
        except Exception as error:  # what would be a traceback
            pytest.fail(f"{json.dumps(line)}: {type(error).__name__}: {error}")
        assert code in (0, 1, 2, 3), (json.dumps(line), code)
        kept = [said for said in errors.splitlines() if not said.startswith(("WARNING", "warning"))]
        assert "Traceback" not in errors and len(kept) <= MOST_LINES, (json.dumps(line), errors[:2000])
