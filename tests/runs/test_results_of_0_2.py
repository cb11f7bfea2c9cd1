"""Results that version 0.2.0 wrote stay readable; its runs are not continued, and say so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import zeroshot
from tests.conftest import ROOT
from zeroshot.errors import EnvironmentFailure
from zeroshot.report.collect import collect, curve, find_runs
from zeroshot.report.page import write_page
from zeroshot.report.redraw import read_settings
from zeroshot.report.runs_table import runs_table
from zeroshot.report.tables import table1
from zeroshot.runs.run import run


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """One run of the tiny setting, as 0.2.0 left it."""
    shutil.copytree(ROOT / "tests" / "fixtures" / "outputs-0.2", tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_show_tables_and_page_read_them(old: Path, world: zeroshot.World) -> None:
    assert runs_table(old)["kind"].tolist() == ["finished"]
    (folder,) = old.glob("miniature/*")
    runs = collect(find_runs(folder))
    assert table1(runs)["best_clip_score"].tolist() == [pytest.approx(runs["best_clip_score"].iloc[0])]
    assert curve(runs["path"].iloc[0]).shape == (4,)
    assert "zeroshot 0.2.0" in write_page(world, runs, folder, captions=1).read_text(encoding="utf-8")


def test_they_are_not_continued(old: Path, world: zeroshot.World) -> None:
    (path,) = old.glob("miniature/*/runs/*/*/*")
    with pytest.raises(
        EnvironmentFailure, match=r"version: 0\.2\.0 there, .* asked for.*give another folder"
    ) as refused:
        run(world, read_settings(path), old)
    assert "\n" not in str(refused.value)
