"""`make prepare`: what is there, what is missing, how to get it, and the exit code that says so."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from experiments import prepare
from experiments.cli import StopRequest, guarded
from tests.conftest import ROOT, Call, command
from tests.test_makefile import last_command, needs_make
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.paper.downloads.table import ITEMS, Item


def test_offline_in_an_empty_cache_every_part_is_named_with_what_to_do(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    result = command("experiments.prepare", "world=paper", "--offline", ZEROSHOT_CACHE=str(cache))
    assert result.returncode == 3
    for number, item in enumerate(ITEMS, start=1):
        (row,) = [line for line in result.stdout.splitlines() if line.startswith(f"| [{number}] ")]
        cells = [cell.strip() for cell in row.split("|")[2:-1]]
        assert cells[0] == item.name
        assert cells[1] == "missing"
        assert f"see [{number}]" in cells[-1]
        assert f"[{number}] {item.name}: {item.purpose}\n" in result.stdout
        assert f"By hand: {item.by_hand.format(path=cache / item.filename)}\n" in result.stdout
    assert "51.8 instead of 34.7" in result.stdout
    assert result.stderr.startswith("error: 7 of the parts that world=paper needs are missing: clip, ")
    assert result.stderr.count("\n") == 1
    assert not cache.exists()


IMPORTS = """
import contextlib, io, sys
from experiments import prepare
from experiments.cli import guarded
codes = []
for arguments in ["--help"], ["world=moon"], ["--offlin"], ["world=miniature"], ["--offline", "--cache", sys.argv[1]]:
    sys.argv[1:] = arguments
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            codes.append(guarded(prepare.main))
        except SystemExit as left:
            codes.append(left.code)
heavy = {"torch", "open_clip", "torchvision", "matplotlib", "datasets", "scipy", "gdown", "requests"}
print(codes, sorted(heavy & set(sys.modules)))
"""


def test_help_refusals_and_listing_import_nothing_heavy(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", IMPORTS, str(tmp_path / "cache")]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[0, 2, 2, None, 3] []\n"


def test_hugging_faces_variable_means_offline_too(tmp_path: Path) -> None:
    result = command("experiments.prepare", "--cache", str(tmp_path / "c"), HF_HUB_OFFLINE="1")
    assert result.returncode == 3
    assert "not tried, because offline" in result.stdout


def main() -> None:
    guarded(prepare.main)


def test_the_miniature_needs_nothing(call: Call) -> None:
    code, stdout, stderr = call(main, "world=miniature", "--offline")
    assert (code, stderr) == (0, "")
    assert "needs no download" in stdout


@pytest.mark.parametrize("argument", ["world=moon", "paper", "--offlin", "--cache"])
def test_wrong_arguments_end_in_one_line(call: Call, argument: str) -> None:
    code, _, stderr = call(main, argument)
    assert code == 2
    assert stderr.startswith("error: ")
    assert stderr.count("\n") == 1


@needs_make
def test_make_passes_the_world_on() -> None:
    assert last_command("prepare") == ".venv/bin/python -m experiments.prepare"
    given = last_command("prepare", "WORLD=paper", "ARGS=--offline")
    assert given == ".venv/bin/python -m experiments.prepare world=paper --offline"


def item(name: str, **fields: object) -> Item:
    given = {"purpose": "a test", "filename": name, "size": None, "by_hand": "put it at {path}"}
    return Item(name=name, **(given | fields))  # type: ignore[arg-type]


def archive(path: Path, *members: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as file:
        for member in members:
            info = tarfile.TarInfo(member)
            info.size = 4
            file.addfile(info, io.BytesIO(b"text"))


PHOTOGRAPHS = item("birds.tgz", kind="archive", folder="birds", member="CUB", contains=("images.txt",))
ALTERNATIVE = item("second", instead_of="first")
OPTIONAL = item("extra", required=False)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A folder laid out as a cache, with everything that the small world below needs."""
    folder = tmp_path / "mirror"
    archive(folder / "birds.tgz", "attributes.txt", "CUB/images.txt")
    (folder / "first").write_bytes(b"weights")
    return folder


@pytest.fixture
def run(tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command for a small world; returns what it prints, or raises."""
    monkeypatch.setattr(prepare, "ITEMS", (item("first"), ALTERNATIVE, PHOTOGRAPHS, OPTIONAL))

    def runs(*arguments: str) -> str:
        given = ["prepare", "--cache", str(tmp_path / "cache"), "--mirror", str(mirror), "--offline", *arguments]
        monkeypatch.setattr(sys, "argv", given)
        prepare.main(StopRequest())
        return capsys.readouterr().out

    return runs


def states(output: str) -> dict[str, str]:
    rows = [[cell.strip() for cell in line.split("|")] for line in output.splitlines() if line.startswith("| [")]
    return {row[2]: row[3] for row in rows}


def test_what_can_be_had_is_fetched_checked_and_unpacked(tmp_path: Path, run) -> None:
    output = run()
    assert states(output) == {
        "first": "present, pinned",
        "second": "missing",
        "birds.tgz": "present",
        "extra": "missing",
    }
    assert "All is there" in output
    assert f"ZEROSHOT_CACHE={tmp_path / 'cache'}" in output
    assert (tmp_path / "cache/birds/images.txt").read_text() == "text"
    assert run() == output


def test_an_alternative_stands_in(mirror: Path, run) -> None:
    (mirror / "first").rename(mirror / "second")
    output = run()
    assert states(output)["first"] == "missing"
    assert states(output)["second"] == "present, pinned"
    assert "All is there" in output


def test_optional_parts_are_fetched_when_asked_for(mirror: Path, run) -> None:
    (mirror / "extra").write_bytes(b"captions")
    assert states(run())["extra"] == "missing"
    assert states(run("--optional"))["extra"] == "present, pinned"


def test_the_archive_may_go_once_it_is_unpacked(tmp_path: Path, mirror: Path, run) -> None:
    run()
    (tmp_path / "cache/birds.tgz").unlink()
    (mirror / "birds.tgz").unlink()
    assert states(run())["birds.tgz"] == "present"


def test_a_file_that_changed_since_is_missing_again(
    tmp_path: Path, mirror: Path, run, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    (tmp_path / "cache/first").write_bytes(b"other weights")
    with pytest.raises(EnvironmentFailure, match=r"1 of the parts .* missing: first"):
        run()
    output = capsys.readouterr().out
    assert "pinned on first use" in output
    assert "first.damaged" in output
    assert states(run())["first"] == "present, pinned"


@pytest.mark.parametrize(
    ("members", "reason"),
    [(("CUB/images.txt", "../x"), "leads outside"), (("else/images.txt",), "has no CUB"), (("CUB/a",), "lacks one of")],
)
def test_a_hostile_or_wrong_archive_is_the_users_to_mend(
    tmp_path: Path, mirror: Path, run, capsys: pytest.CaptureFixture[str], members: tuple[str, ...], reason: str
) -> None:
    archive(mirror / "birds.tgz", *members)
    with pytest.raises(UserError, match=r"missing: birds\.tgz"):
        run()
    output = capsys.readouterr().out
    assert reason in output
    assert states(output)["birds.tgz"] == "missing"
    assert not (tmp_path / "cache/x").exists()
    assert not (tmp_path / "x").exists()
