"""run.log: what it says, that it appears only where something happened, and that it never stops a run."""

from __future__ import annotations

import dataclasses
import logging
import re
from pathlib import Path

import pytest

import zeroshot
from zeroshot.errors import Interrupted, UserError
from zeroshot.runs.log import run_log
from zeroshot.runs.run import run, run_path
from zeroshot.settings import SearchSettings
from zeroshot.worlds.parts import default_run

TINY = dataclasses.replace(default_run("miniature", "sagan"), captions=3, b_max=2, search=SearchSettings("fresh"))


def messages(path: Path) -> list[str]:
    lines = (path / "run.log").read_text(encoding="utf-8").splitlines()
    stamped = [re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([A-Z]+ .*)", line) for line in lines]
    assert all(stamped)
    return [found.group(1) for found in stamped if found]


def test_a_run_logs_its_steps_and_goes_on_in_the_same_file(world: zeroshot.World, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(world, TINY, tmp_path, should_stop=lambda: True)
    run(world, TINY, tmp_path)
    found = messages(run_path(tmp_path, TINY))
    assert found[:3] == [
        "INFO started: 3 captions, b_max 2, on cpu",
        "INFO stopped; the next run of the same settings goes on from here",
        "INFO started: 3 captions, b_max 2, on cpu",
    ]
    assert found[3] == "INFO 3 of 3 captions searched" and found[4].startswith("INFO finished after ")
    run(world, TINY, tmp_path)  # reused
    assert messages(run_path(tmp_path, TINY)) == found


def test_warnings_go_to_the_file_and_to_where_they_went_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("zeroshot.runs")
    with run_log(tmp_path) as log:
        log.info("a step")
        logger.info("not a step of the run")
        logger.warning("2 captions are cut")
    logger.warning("afterwards")
    assert messages(tmp_path) == ["INFO a step", "WARNING 2 captions are cut"]
    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warned == ["2 captions are cut", "afterwards"]


def test_the_last_line_says_what_failed(tmp_path: Path) -> None:
    with pytest.raises(UserError), run_log(tmp_path) as log:
        log.info("a step")
        raise UserError("k = 0\nis too small")
    assert messages(tmp_path)[-1] == "ERROR failed: UserError: k = 0 is too small"


def test_where_nothing_was_logged_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError), run_log(tmp_path):
        raise UserError("refused before anything ran")
    assert not (tmp_path / "run.log").exists()


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for folder in (tmp_path / "missing", tmp_path):
        (tmp_path / "run.log").unlink(missing_ok=True)
        (tmp_path / "run.log").symlink_to("/dev/full")
        with run_log(folder) as log:
            log.info("lost")
    assert capsys.readouterr().err == ""
