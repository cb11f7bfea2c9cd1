"""Fault 18: what was begun with other settings, weights or code is refused with what differs, or is another run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

import zeroshot
from tests.faults.mortal import BLOCK, small
from zeroshot.errors import EnvironmentFailure, Interrupted
from zeroshot.runs.run import run, run_path


@pytest.fixture
def begun(world: zeroshot.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of which one block is done."""
    monkeypatch.setattr("zeroshot.runs.blocks.IMAGES_PER_BLOCK", BLOCK)
    answers = iter([False, True])
    with pytest.raises(Interrupted):
        run(world, small("fresh"), tmp_path, should_stop=lambda: next(answers))
    return tmp_path


def test_another_version_of_the_code_is_refused(
    world: zeroshot.World, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroshot.runs.prepared.__version__", "9.9.9")
    with pytest.raises(EnvironmentFailure, match=r"version: 0\.\S+ there, 9\.9\.9 asked for.*output=…, or delete"):
        run(world, small("fresh"), begun)


def test_other_weights_are_refused(world: zeroshot.World, begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = world.weights_sha256(small("fresh").generator)
    monkeypatch.setattr(world, "weights_sha256", lambda _: dict.fromkeys(known, "other"))
    with pytest.raises(EnvironmentFailure, match=r"weights_sha256\..*: \w{64} there, other asked for.* and \d+ more"):
        run(world, small("fresh"), begun)


def test_other_settings_are_another_run(world: zeroshot.World, begun: Path) -> None:
    other = dataclasses.replace(small("fresh"), b_max=9)
    run(world, other, begun)
    assert run_path(begun, other) != run_path(begun, small("fresh"))
    assert list((run_path(begun, small("fresh")) / "blocks").glob("*.parquet"))  # untouched


def test_a_configuration_that_was_edited_is_refused_with_what_differs(world: zeroshot.World, begun: Path) -> None:
    path = run_path(begun, small("fresh")) / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["settings"]["captions"] = 13
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(EnvironmentFailure, match=r"settings\.captions: 13 there, 12 asked for"):
        run(world, small("fresh"), begun)
