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


@pytest.mark.parametrize("line", lines("python -m"))
def test_commands_run(line: str, output: Path) -> None:
    arguments = line.removeprefix("python -m ").split()
    kept = [a for a in arguments if not a.startswith(("b_max=", "captions="))]
    done = command(*kept, *TINY, f"output={output}")
    assert done.returncode == 0, done.stderr
    assert list(output.glob("miniature/*/runs/*/*/*/metrics.json"))


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


@pytest.mark.parametrize("path", [p for p in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in p])
def test_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).exists()
