"""The notebooks, executed as their readers would, from outputs without any run and on a tiny setting."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, command

NOTEBOOKS = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}


def cells(notebook: Path) -> list[dict[str, Any]]:
    """Its cells of code, each with its source as one text."""
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in found if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> dict[str, list[dict[str, Any]]]:
    """The cells of copies of the notebooks, with what they show."""
    outputs, copies = tmp_path_factory.mktemp("outputs"), tmp_path_factory.mktemp("notebooks")
    shutil.copytree(cache, outputs / "cache")
    paths = {key: Path(shutil.copy(path, copies)) for key, path in NOTEBOOKS.items()}
    options = ("--nbmake", "--overwrite", "-p", "no:cacheprovider")
    names = map(str, paths.values())
    done = command("pytest", *options, *names, ZEROSHOT_OUTPUTS=str(outputs), ZEROSHOT_TINY="1")
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout
    return {key: cells(path) for key, path in paths.items()}


def text(executed: list[dict[str, Any]]) -> str:
    """Everything that the cells print or show as text."""
    outputs = [output for cell in executed for output in cell["outputs"]]
    return "\n".join("".join(o.get("text", [])) + "".join(o.get("data", {}).get("text/plain", [])) for o in outputs)


def pictures(executed: list[dict[str, Any]]) -> int:
    """How many pictures they show."""
    return sum("image/png" in output.get("data", {}) for cell in executed for output in cell["outputs"])


def test_results_without_runs_say_what_to_run_and_show_a_demonstration(executed: dict) -> None:
    shown = text(executed["01"])
    assert "There are no finished runs under" in shown and "make reproduce-table1" in shown
    assert "make reproduce-figure3" in shown and "claims.csv is not there yet" in shown
    title = "world: miniature, protocol: paper, sagan, biggan, k = 1, 10, 1000, 6 captions, b = 4, seeds 42, 43, shared"
    assert shown.count(title) >= 4  # the runs and each table
    assert "> 4" in shown and "NaN" not in shown
    assert pictures(executed["01"]) == 2  # Figure 2 and the winners, drawn and not named


def test_one_caption_shows_every_step(executed: dict) -> None:
    shown = text(executed["02"])
    assert "bird" in shown and " wins with 0." in shown  # the library's scores are those of the steps by hand
    assert pictures(executed["02"]) == 6


def test_your_generator_is_checked_and_gets_its_row_of_table_1(executed: dict) -> None:
    shown = text(executed["03"])
    assert "6 captions, b = 4, seeds 42, 43" in shown
    (row,) = [line for line in shown.splitlines() if line.startswith("| best CLIP score") and "mine" in line]
    assert len([word for word in row.split() if word.startswith("0.")]) == 2  # k = 1 and k = 10
    assert "**mine: " in shown and "mine, classes permuted" in shown  # the verdict, and the check's table
    assert len([line for line in shown.splitlines() if "its best score is 0." in line]) == 3
    assert pictures(executed["03"]) == 2  # the check's, and what the search found


@pytest.mark.parametrize("key", NOTEBOOKS)
def test_no_cell_shows_a_warning(executed: dict, key: str) -> None:
    errors = [output for cell in executed[key] for output in cell["outputs"] if output.get("name") == "stderr"]
    errors = [output for output in errors if "biased high: 6 images" not in "".join(output["text"])]  # so few they are
    assert not errors


@pytest.mark.parametrize("key", NOTEBOOKS)
def test_notebooks_use_public_names_only(key: str) -> None:
    lines = "\n".join(cell["source"] for cell in cells(NOTEBOOKS[key])).splitlines()
    tree = ast.parse("\n".join(line for line in lines if not line.startswith("%")))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    attributes = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    private = [name for name in imported + attributes if name.startswith("_") and not name.startswith("__")]
    assert len(imported) >= 3 and not private


def test_a_generator_of_ones_own_takes_40_lines_at_most() -> None:
    steps = ("class Eigenpictures", "zeroshot.check(", "found.picture(")
    sources = [cell["source"] for cell in cells(NOTEBOOKS["03"])]
    needed = [source for source in sources if any(step in source for step in steps)]
    assert len(needed) == len(steps)
    assert sum(bool(line.strip()) for source in needed for line in source.splitlines()) <= 40
