"""Everything the README says runs, on a tiny setting."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, command

README = (ROOT / "README.md").read_text(encoding="utf-8")
TINY = ("device=cpu", "captions=3", "b_max=2")


def blocks(language: str) -> list[str]:
    """Fenced code of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def lines(beginning: str) -> list[str]:
    """Shell lines with a beginning, comments removed."""
    found = [line.partition("#")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    return [line for line in found if line.startswith(beginning)]


def test_commands_run_in_their_order_and_the_first_results_stay(output: Path) -> None:
    first = command("experiments.reproduce", "table1", *TINY, f"output={output}")  # make reproduce-table1
    assert first.returncode == 0, first.stderr
    tables = {path: path.read_bytes() for path in output.glob("miniature/*/tables/*")}
    assert len(tables) == 6
    for line in lines("python -m"):
        arguments = line.removeprefix("python -m ").split()
        kept = [a for a in arguments if not a.startswith(("b_max=", "captions="))]
        done = command(*kept, *TINY, f"output={output}")
        assert done.returncode == 0, (line, done.stderr)
    assert {path: path.read_bytes() for path in tables} == tables


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("line", [*lines("make"), *re.findall(r"`(make [^`]+)`", README)])
def test_targets_exist(line: str) -> None:
    done = subprocess.run([*shlex.split(line), "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("python"))
def test_python_runs(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "bird.png").exists()


@pytest.mark.parametrize("path", [p for p in re.findall(r"(?:\]\(|src=\")([^)#\"]+)[)#\"]", README) if "://" not in p])
def test_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).exists()
