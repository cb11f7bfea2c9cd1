"""A run's settings put together with what they name, before anything is computed. No model is loaded for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from zeroshot.errors import UserError
from zeroshot.runs.plans import plan_of
from zeroshot.searching.pool_plan import Plan
from zeroshot.settings import RunSettings
from zeroshot.storage.files import check_writable
from zeroshot.version import __version__
from zeroshot.worlds.parts import departures
from zeroshot.worlds.protocols import Searched
from zeroshot.worlds.sources import check_present
from zeroshot.worlds.world import World


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What a run works on."""

    world: World
    settings: RunSettings  # with a number where batch_size=auto was asked for
    output: Path
    images: list[Searched]
    plan: Plan | None  # of the pool, where images come from one
    identity: dict[str, Any]  # what two runs must share to be one


def prepare(
    world: World,
    asked: RunSettings,
    output: Path,
    path: Path,
    should_stop: Callable[[], bool] = lambda: False,
) -> Prepared:
    """Put a run together; `path` is its folder. `should_stop` is the run's: what all runs share is made under it too.

    Raises UserError and EnvironmentFailure for whatever is wrong with its settings, or missing.
    """
    check_world(world, asked)
    world.cache.should_stop = should_stop
    check_present(asked)
    settings = with_physical_batch(world, asked, path)
    check_writable(output)
    images = world.searched(settings)
    plan = plan_of(world, settings, images, output) if settings.search.images == "pool" else None
    # The run's path and its departures go by the settings before batch_size=auto became a number.
    identity = {
        "settings": settings.identity(),
        "departures": departures(asked),
        "weights_sha256": world.weights_sha256(settings.generator),
        "version": __version__,
    }
    return Prepared(world, settings, output, images, plan, identity | ({"pool_plan": plan.digest} if plan else {}))


def check_world(world: World, settings: RunSettings) -> None:
    """Raise UserError where a world's models were loaded for another arithmetic than the settings say."""
    for key in ("precision", "compile"):
        ours, theirs = getattr(settings, key), getattr(world.settings, key)
        if ours != theirs:
            raise UserError(f"{key} = {ours}, but this world was loaded with {key} = {theirs}: load one with {ours}")


def with_physical_batch(world: World, settings: RunSettings, path: Path) -> RunSettings:
    """The settings with batch_size=auto replaced by a number: that of the run's config.yaml, where one was begun."""
    if settings.batch_size != "auto":
        return settings

    def begun() -> int | None:
        try:
            return yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))["settings"]["batch_size"]
        except (OSError, TypeError, KeyError, yaml.YAMLError):  # none, or one that `claim` has something to say about
            return None

    found = begun() or world.physical_batch(settings.generator, "auto")
    return dataclasses.replace(settings, batch_size=begun() or found)  # another shard may have begun meanwhile
