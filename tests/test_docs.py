"""Every command that README and docs show, in their order and in one folder: each runs, and destroys nothing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, with_cache

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SMALL = ("device=cpu", "captions=3", "b_max=2")  # of whatever searches; the released protocol scores sixteen at a time
RELEASED = ("device=cpu", "captions=16", "b_max=2", "grid.seeds=[42]", "grid.generators=[sagan]")
# What other tests run, what would take minutes, and what needs a cluster.
ELSEWHERE = re.compile(
    r"experiments\.(benchmark|rehearse|study_pool|train_miniature|measure_miniature|verify)|(hydra/launcher|LAUNCHER)=slurm"
    r"|tracking\.TensorBoard"
)


def shown() -> list[tuple[str, str]]:
    """(page, command) of every `python -m experiments.…` in a block for the shell, and of `make reproduce-…`."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                command = re.sub(r"\s#.*", "", line).strip()
                if "python -m experiments." in command or command.startswith("make reproduce-"):
                    found.append((page.name, command))
    return found


def as_python(command: str) -> str:
    """A command as `python -m …`: make's variables become overrides as the Makefile does it."""
    made = re.fullmatch(r"make reproduce-(\S+)(.*)", command)
    if made is None:
        return command
    given = dict(word.partition("=")[::2] for word in shlex.split(made[2]))
    words = [f"{key.lower()}={given[key]}" for key in ("EXPERIMENT", "WORLD", "PROTOCOL", "DEVICE") if key in given]
    return f"python -m experiments.reproduce {made[1]} {' '.join(words)} {given.get('ARGS', '')}"


def small(command: str, output: Path) -> str:
    """The same command with little work and a folder to write to."""
    kept = re.sub(r" (captions|b_max|device|output)=\S+", "", as_python(command))
    less: tuple[str, ...] = RELEASED if "audit" in kept or "protocol=released" in kept else SMALL
    if "experiments.imagine" in kept:
        less = tuple(word for word in less if not word.startswith("captions"))
    if "experiments.check" in kept:
        less = ("device=cpu", "check.classes=20", "check.per_class=3", "check.captions=3", "check.b_max=4")
    if "experiments.show" in kept or "experiments.prepare" in kept:
        less = ()
    kept = kept.replace("shard=$i/8", "shard=1/8").removesuffix("&").strip()
    extra = " ".join([*less, *([] if "experiments.prepare" in kept else [f"output={output}"])])
    return f"{kept} {extra}".replace("python -m", "python3 -m")


@pytest.mark.slow
def test_every_command_runs_and_the_first_results_stay(cache: Path, tmp_path: Path) -> None:
    output = with_cache(tmp_path / "outputs", cache)
    (tmp_path / "prompts.txt").write_text("a red bird\na duck on a lake\n", encoding="utf-8")
    environment = os.environ | {
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "ZEROSHOT_CACHE": str(tmp_path / "downloads"),
        "HF_HUB_OFFLINE": "1",
    }
    first: dict[Path, bytes] = {}
    ran = 0
    for page, command in shown():
        if ELSEWHERE.search(command) or "my_gan" in command or "my_conf" in command:
            continue
        done = subprocess.run(
            ["bash", "-c", small(command, output)], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        told = (page, command, done.returncode, done.stderr)
        if "world=paper" in small(command, output):
            assert done.returncode == 3 and "not downloaded yet" in done.stderr + done.stdout, told
            assert "Traceback" not in done.stderr, told
            continue
        assert done.returncode == 0, told
        ran += 1
        if not first:  # the README's first command: Table 1 of the world's default grid
            first = {path: path.read_bytes() for path in output.glob("miniature/*/tables/table*")}
            assert len(first) == 6
    assert ran >= 12
    assert {path: path.read_bytes() for path in first} == first
