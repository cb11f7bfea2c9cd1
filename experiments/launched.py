"""What is missing of a grid as the jobs of a launcher, for experiments.reproduce; what follows of them is made here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from experiments.outcomes import leave_if_failed
from experiments.sweep import Job, JobsLauncher, sweep_of
from zeroshot.errors import UserError
from zeroshot.settings import RunSettings

Bases = dict[str, RunSettings]  # by the names that generator= takes: settings at whatever k and seed


def launcher() -> JobsLauncher | None:
    """The launcher that hydra/launcher= chose; None for the default, which computes here.

    Raises UserError for one that runs nothing but sweeps.
    """
    chosen = HydraConfig.get().runtime.choices["hydra/launcher"]
    if chosen == "default":
        return None
    found = instantiate(HydraConfig.get().launcher)
    if not isinstance(found, JobsLauncher):
        raise UserError(f"hydra/launcher={chosen}, but a grid is computed by default, local or slurm: give one of them")
    return found


def launch(missing: Sequence[RunSettings], bases: Bases, config: DictConfig, chosen: JobsLauncher) -> None:
    """Have runs computed and wait for all of them; leaves with the worst code where one fails.

    Args:
        missing: the runs.
        bases: of the grid that they belong to.
        config: the command's.
        chosen: what `launcher` found.

    Raises UserError for a run that no override of the command line's gives.
    """
    own = [o for o in HydraConfig.get().overrides.task if not o.startswith(("generator=", "k=", "seed=", "grid."))]
    points = [(_name(settings, bases), settings) for settings in missing]
    jobs = [Job([*own, f"generator={name}", f"k={run.k}", f"seed={run.seed}"]) for name, run in points]
    leave_if_failed(chosen.run(sweep_of(config, HydraConfig.get(), jobs), _first(points, own)))


def _first(points: Sequence[tuple[str, RunSettings]], own: list[str]) -> list[Job]:
    """What makes that which several of the runs share: each pool, or else what all of them want."""
    groups: dict[tuple[Any, ...], list[tuple[str, RunSettings]]] = {}
    for name, run in points:
        groups.setdefault((name, run.seed) if run.search.images == "pool" else (), []).append((name, run))
    return [Job([*own, *_grid(runs)], "reproduce", "shared") for runs in groups.values() if len(points) > 1]


def _grid(points: Sequence[tuple[str, RunSettings]]) -> list[str]:
    keys: dict[str, list[str | int]] = {
        "generators": [name for name, _ in points],
        "k": [run.k for _, run in points],
        "seeds": [run.seed for _, run in points],
    }
    return [f"grid.{key}=[{','.join(dict.fromkeys(map(str, values)))}]" for key, values in keys.items()]


def _name(settings: RunSettings, bases: Bases) -> str:
    for name, base in bases.items():
        if dataclasses.replace(base, k=settings.k, seed=settings.seed) == settings:
            return name
    raise UserError("hydra/launcher=… computes runs of the grid, but these have settings that it has not: leave it out")
