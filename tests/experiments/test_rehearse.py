"""The rehearsal of the real run: its arithmetic, its refusals, and (slow) the whole of it at true size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.rehearse import options, report
from tests.conftest import command
from zeroshot.errors import UserError
from zeroshot.paper.rehearsal import Cost, grid_seconds


def test_the_prediction_adds_what_the_grid_consists_of() -> None:
    costs = [Cost(name, 4, generate=100.0, prepare=1000.0, embed=500.0, memory=1.0) for name in ("sagan", "biggan")]
    images = 2 * 3 * 6 * 2778 * 100
    assert images == 10_000_800  # as the paper's grid is counted
    selected = 2 * 3 * 6 * 2778
    expected = images * (1 / 100 + 1 / 1000 + 1 / 500) + selected / 100 + (selected + 2778) / 50 + 36 * 7
    assert grid_seconds(costs, extraction=50.0, frechet=7.0) == pytest.approx(expected)


def test_only_batches_that_both_generators_bear_are_predicted() -> None:
    fits = [Cost(name, 4, 100.0, 1000.0, 500.0, 1.0) for name in ("sagan", "biggan")]
    measured, predicted = report([*fits, Cost("sagan", 8, 120.0, 1000.0, 500.0, 2.0)], 50.0, 7.0)
    assert len(measured) == 3 and predicted["batch"].tolist() == ["4"]


@pytest.mark.parametrize(
    ("argument", "message"), [("captions=3", "captions unknown"), ("world=miniature", "only world")]
)
def test_unknown_options_are_refused(argument: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        options([argument])


@pytest.mark.slow
def test_the_whole_pipeline_at_true_size(tmp_path: Path) -> None:
    done = command("experiments.rehearse", "world=paper", "device=cpu", f"output={tmp_path}", timeout=900)
    assert done.returncode == 0, done.stderr
    assert "REHEARSAL" in done.stdout and "No number here is a result" in done.stdout
    numbers = json.loads((tmp_path / "rehearsal" / "rehearsal.json").read_text())
    assert numbers["rehearsal"] is True and {c["generator"] for c in numbers["costs"]} == {"sagan", "biggan"}
    assert not list(tmp_path.glob("paper"))  # nothing where results lie
