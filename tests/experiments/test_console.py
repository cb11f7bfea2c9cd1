"""The work is done, then its report is told: a console that refuses changes neither the work nor its exit code."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.console import Telling
from experiments.prompts import choose_prompts, take_prompts
from tests.conftest import ROOT
from zeroshot.errors import UserError

SHOW = "-m experiments.show output={folder}"


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of bash, in which $P is this Python."""
    return subprocess.run(
        ["bash", "-c", command.format(folder=folder)],
        cwd=ROOT,
        env=os.environ | {"P": sys.executable} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        errors="replace",
    )


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii"])
def test_what_a_console_lacks_becomes_a_question_mark(encoding: str) -> None:
    raw = io.BytesIO()
    stream = Telling(io.TextIOWrapper(raw, encoding=encoding))
    print("→ é 鳥", file=stream)
    stream.flush()
    assert raw.getvalue().decode(encoding) == {"ascii": "? ? ?\n"}.get(encoding, "? é ?\n")


def test_no_console_takes_the_exit_code_from_the_work(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    told = "what was computed is kept"
    for command, code, said in (
        (f"$P {SHOW} > /dev/full", 0, told),
        (f"$P {SHOW} >&-", 0, ""),
        (f"$P {SHOW} 2>&-", 0, ""),
        (f"$P {SHOW} > /dev/full 2> /dev/full", 0, ""),
        ("$P -m experiments.run k=0 2> /dev/full", 2, ""),
        (f"set -o pipefail; $P {SHOW} | true", 0, ""),
        ("set -o pipefail; $P -m experiments.run --help | head -1 > /dev/null", 0, ""),
        ("LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 $P -m experiments.run --help > /dev/null", 0, ""),
        ("$P -m experiments.imagine prompts_file=- <&-", 2, "standard input is empty"),
    ):
        done = shell(command, tmp_path)
        assert done.returncode == code, (command, done.stderr)
        assert (said in done.stderr) if said else done.stderr == "", (command, done.stderr)


def test_without_a_home_what_needs_one_says_so() -> None:
    program = (
        "import os, pathlib, sys; os.environ.pop('HOME', None); "
        "import pwd; pwd.getpwuid = lambda _: (_ for _ in ()).throw(KeyError('no entry')); "
        "sys.argv = ['run', 'world=paper']; from experiments.run import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "begins at a home that nobody knows here: set HOME" in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(("typed", "meant"), [("V\udcc3\udcb6gel", "Vögel"), ("\udce9\udcb3\udca5", "鳥"), ("ö", "ö")])
def test_a_prompt_is_read_in_the_encoding_of_its_bytes(typed: str, meant: str) -> None:
    """As Python hands it over where the locale is ASCII."""
    assert choose_prompts(take_prompts([f"prompt={typed}"])[0], {}) == [((meant, 1.0),)]
    assert choose_prompts({}, {}, {"ZEROSHOT_PROMPT": typed}) == [((meant, 1.0),)]


def test_a_prompt_that_is_in_no_encoding_is_refused_with_its_place() -> None:
    with pytest.raises(UserError, match="not UTF-8 at character 2"):
        choose_prompts(take_prompts(["prompt=V\udcf6gel"])[0], {})


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can be somebody else")
def test_a_user_without_a_name_and_a_home_can_do_what_needs_none(output: Path) -> None:
    """As in a container that is given a number for its user."""
    nameless = "setpriv --reuid 54321 --inh-caps=+dac_override --ambient-caps=+dac_override env -u HOME"
    for command, code, said in (
        ("imagine prompt=bird k=2 b_max=2 device=cpu output={folder}", 0, ""),
        ("show 'output=~/outputs'", 2, "'~/outputs' begins at a home that nobody knows here"),
        ("imagine 'prompts_file=~nobody1/prompts'", 2, "'~nobody1/prompts' begins at a home"),
        ("run world=paper output={folder}", 2, "begins at a home that nobody knows here: set HOME"),
    ):
        done = shell(f"{nameless} $P -m experiments.{command}", output)
        assert done.returncode == code and said in done.stderr and "Traceback" not in done.stderr, done.stderr
