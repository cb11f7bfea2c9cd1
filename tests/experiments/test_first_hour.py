"""The first hour: its experiment, what it refuses, and what it says that it searched."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from experiments.first_hour import check, departed, searched
from experiments.reproduce import main, take_target
from tests.conftest import Call
from zeroshot.errors import UserError
from zeroshot.settings import RunSettings
from zeroshot.worlds.parts import PROTOCOLS, default_run


def settings(world: str = "paper", k: int = 10, captions: int = 50, **protocol: Any) -> RunSettings:
    released = dataclasses.replace(PROTOCOLS["released"], **protocol)
    return dataclasses.replace(default_run(world, "sagan"), k=k, captions=captions, protocol=released)


def test_it_is_its_experiment_unless_another_is_asked_for() -> None:
    assert take_target(["first_hour", "world=paper"]) == ("first_hour", ["experiment=first_hour", "world=paper"])
    assert take_target(["experiment=quick", "first_hour"]) == ("first_hour", ["experiment=quick"])
    assert take_target(["table1", "k=3"]) == ("table1", ["k=3"])


def test_it_is_fifty_captions_one_seed_and_k_10_as_the_released_code_did_it(call: Call) -> None:
    code, said, _ = call(main, "first_hour", "world=paper", "--cfg", "job")
    assert code == 0 and "\ncaptions: 50\n" in said and "  name: released\n" in said
    assert "  k:\n  - 10\n  seeds:\n  - 42\n" in said and "  - sagan\n  - biggan\n" in said


@pytest.mark.parametrize("target", ["table1", "first_hour"])
def test_help_is_told_behind_overrides_too(call: Call, target: str) -> None:
    """In 0.2.0 `reproduce table1 world=paper --help` was refused as unrecognized arguments."""
    code, said, errors = call(main, target, "world=paper", "--help")
    assert code == 0 and "TARGET: table1" in said and not errors


def test_the_miniature_is_never_held_against_the_paper(call: Call) -> None:
    for given in ([], ["world=miniature"], ["captions=5", "experiment=tiny"]):
        code, said, errors = call(main, "first_hour", *given)
        assert code == 2 and not said and len(errors.strip().splitlines()) == 1
        assert "world = miniature" in errors and "give world=paper" in errors and "0.3" not in errors


def test_a_grid_of_which_nothing_was_published_is_refused() -> None:
    check([settings(), settings(k=7)])
    with pytest.raises(UserError, match=r"grid.k among biggan, sagan and 1, 10, 20, 50, 100, 1000"):
        check([settings(k=7)])


def test_whole_batches_are_said() -> None:
    batches = "Searched: 48 captions, of 50 asked for: this protocol scores whole batches of 16 only."
    assert searched(settings(), 48) == batches
    assert searched(settings(captions=48), 48) == "Searched: 48 captions."


def test_another_protocol_is_said() -> None:
    assert departed(settings()) == []
    (line,) = departed(settings(clip_normalisation=True))
    assert line.endswith("published: clip_normalisation=True.")
    assert "truncation=None" in departed(default_run("paper", "sagan"))[0]
