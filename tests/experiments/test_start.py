"""Commands that need no model load none: --help, lists, refusals, and a table whose runs are finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, command

HEAVY = ("datasets", "matplotlib", "open_clip", "scipy", "timm", "torch", "torchmetrics", "torchvision")
ENTRIES = (
    "benchmark",
    "check",
    "imagine",
    "measure_miniature",
    "prepare",
    "rehearse",
    "reproduce",
    "run",
    "show",
    "study_pool",
    "train_miniature",
    "verify",
)
REFUSED = (
    ("run", "k=0"),
    ("run", "k=2000"),
    ("run", "seed=-1"),
    ("run", "b_max=0"),
    ("run", "captions=0"),
    ("run", "batch_size=0"),
    ("run", "precision=fp8"),
    ("run", "device=tpu"),
    ("run", "shard=3/2"),
    ("run", "search.share=0"),
    ("run", "generator.truncation=2"),
    ("run", "protocol.label_prompt=nothing"),
    ("run", "data.source=mars"),
    ("reproduce", "table9"),
    ("reproduce", "table1", "grid.k=[]"),
    ("reproduce", "table1", "grid.seeds=[42,42]"),
    ("reproduce", "table1", "grid.k=[0]"),
    ("reproduce", "figure2", "curve=bent"),
    ("reproduce", "page", "page.captions=0"),
    ("reproduce", "audit", "protocol.caption=none"),
    ("reproduce", "first_hour"),
    ("reproduce", "first_hour", "world=paper", "grid.k=[7]"),
    ("imagine",),
    ("imagine", "prompt="),
    ("imagine", "prompt=a bird", "k=0"),
    ("imagine", "prompt=a bird", "search=pool"),
    ("imagine", "prompts=[]"),
    ("imagine", "prompts_file=/nowhere"),
    ("check", "check.classes=5"),
    ("check", "generators=[sagan,sagan]"),
    ("rehearse", "precision=fp8"),
    ("rehearse", "world=mars"),
    ("benchmark", "only=[z]"),
    ("benchmark", "repetitions=0"),
    ("prepare", "world=mars"),
    ("show", "somewhere"),
    ("study_pool", "generator=mine"),
    ("measure_miniature", "a", "b"),
    ("verify",),
    ("verify", "/nowhere"),
    ("verify", str(ROOT / "tests")),
)
# Runs entry points one after another in one process; prints arguments, exit code and heavy modules of each.
PROGRAM = """
import contextlib, io, json, runpy, sys, warnings
warnings.simplefilter("ignore")  # of modules that were imported before
from hydra.core.global_hydra import GlobalHydra
calls, heavy, told = json.loads(sys.argv[1]), json.loads(sys.argv[2]), []
for name, *arguments in calls:
    GlobalHydra.instance().clear()
    sys.argv, code = [f"experiments/{name}.py", *arguments], 0
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            runpy.run_module(f"experiments.{name}", run_name="__main__")
        except SystemExit as left:
            code = left.code or 0
    told.append([[name, *arguments], code, [module for module in heavy if module in sys.modules]])
print(json.dumps(told))
"""


def outcomes(*calls: tuple[str, ...]) -> list[tuple[list[str], int, list[str]]]:
    """Arguments, exit code and heavy modules after each call, all in one process that starts without any."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(calls), json.dumps(HEAVY)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_help_and_refusals_load_no_model() -> None:
    helps = [(name, "--help") for name in ENTRIES]
    for arguments, code, loaded in outcomes(*helps, *REFUSED):
        assert not loaded, arguments
        assert code == (0 if arguments[1:] == ["--help"] else 2), arguments


def test_a_finished_grid_and_its_list_are_told_without_a_model(output: Path) -> None:
    tiny = ("experiment=tiny", f"output={output}")
    done = command("experiments.reproduce", "table1", *tiny, "device=cpu")
    assert done.returncode == 0, done.stderr
    calls = [("reproduce", target, *tiny) for target in ("table1", "table2", "table3", "claims")]
    (folder,) = map(str, output.glob("miniature/paper+*"))
    others = (("show", f"output={output}"), ("run", *tiny, "k=1", "seed=42"), ("verify", folder))
    for arguments, code, loaded in outcomes(*calls, *others):
        assert (code, loaded) == (0, []), arguments
