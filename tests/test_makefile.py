"""The commands a newcomer types, and the files that an installed package must bring along."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
VARIABLES = ("WORLD", "PROTOCOL", "DEVICE", "EXPERIMENT", "ARGS", "PYTHON", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str) -> str:
    """What make prints, without the variables of a make that may have started these tests."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def last_command(*arguments: str) -> str:
    """The command that a target ends with, its environment set up or not."""
    return make("--dry-run", *arguments).rstrip("\n").splitlines()[-1].rstrip()


def phony_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    return {target for line in re.findall(r"^\.PHONY:(.*)$", text, re.MULTILINE) for target in line.split()}


@needs_make
def test_help_lists_every_target() -> None:
    listed = dict(re.findall(r"^  ([a-z0-9-]+) +(\S.*)$", make("help"), re.MULTILINE))
    assert set(listed) == phony_targets()
    assert {"reproduce-table1", "test", "lint", "notebooks", "miniature"} <= set(listed)


@needs_make
def test_help_is_what_make_alone_says() -> None:
    assert make() == make("help")


@needs_make
@pytest.mark.parametrize("result", ["table1", "table2", "table3", "figure2", "figure3", "claims", "page"])
def test_variables_not_given_add_nothing(result: str) -> None:
    assert last_command(f"reproduce-{result}") == f".venv/bin/python -m experiments.reproduce {result}"


@needs_make
def test_reproduce_alone_makes_everything() -> None:
    command = last_command("reproduce", "EXPERIMENT=quick")
    assert command == ".venv/bin/python -m experiments.reproduce all experiment=quick"


@needs_make
def test_variables_become_overrides() -> None:
    command = last_command("reproduce-table1", "WORLD=miniature", "DEVICE=cpu", "ARGS=captions=5")
    assert command == ".venv/bin/python -m experiments.reproduce table1 world=miniature device=cpu captions=5"


@needs_make
def test_all_variables_together() -> None:
    given = ["EXPERIMENT=quick", "WORLD=paper", "PROTOCOL=released", "DEVICE=cuda", "ARGS=k=1,10  prompt='a  bird'"]
    overrides = "experiment=quick world=paper protocol=released device=cuda k=1,10  prompt='a  bird'"
    assert last_command("reproduce-figure2", *given).endswith(f"experiments.reproduce figure2 {overrides}")


@needs_make
def test_a_python_too_old_is_named(tmp_path: Path) -> None:
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo "Python 2.7.18"; exit 0; }\nexit 1\n', encoding="utf-8")
    old.chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    command = ["make", "setup", f"PYTHON={old}"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "Python 3.11 or newer is needed" in result.stderr
    assert "Python 2.7.18" in result.stderr
    assert not (tmp_path / ".venv").exists()


def test_continuous_integration_runs_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.search(r"^make test$", script.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("package", ["zeroshot", "conf"])
def test_package_data_covers_every_file(package: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folder = ROOT / package
    covered = {path for pattern in settings["package-data"][package] for path in folder.glob(pattern)}
    present = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert sorted(str(path.relative_to(ROOT)) for path in present - covered) == []


def test_constraints_are_exact_and_from_the_index() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    wrong = [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*( ; .+)?", pin)]
    assert wrong == []
    pinned = {re.split("==", pin)[0].lower().replace("_", "-") for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needs = [*project["dependencies"], *extras["test"], *extras["dev"]]
    wanted = [need for need in needs if ";" not in need and not need.startswith(project["name"])]
    assert {re.split("[<>=~! ]", need)[0].lower().replace("_", "-") for need in wanted} <= pinned
