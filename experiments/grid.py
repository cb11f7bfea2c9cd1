"""The paper's grid, or another: its runs, where what is made of them goes, and computing what is missing."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from experiments.cli import StopRequest
from experiments.config import Figure3, Grid, Page, run_settings
from experiments.launched import launch, launcher
from zeroshot.errors import Interrupted, UserError
from zeroshot.limits import MOST_RUNS, check_values
from zeroshot.report.collect import collect
from zeroshot.runs.run import is_finished, run, run_path
from zeroshot.runs.shared import make_shared
from zeroshot.settings import RunSettings
from zeroshot.storage.files import check_writable
from zeroshot.storage.shard import WHOLE, Shard
from zeroshot.worlds.parts import variant
from zeroshot.worlds.sources import check_present
from zeroshot.worlds.world import World

LONGEST_NAME = 80  # characters of a grid's folder


@dataclass(frozen=True)
class GridPlan:
    """A grid before anything of it runs."""

    runs: list[RunSettings]
    output: Path  # root of all outputs
    folder: Path  # where its tables, figures and page go: outputs/<world>/<variant>, or below it a place of its own


def grid_plan(config: DictConfig) -> GridPlan:
    """The configured grid. Raises UserError where it is empty, or names something twice."""
    bases = _bases(config)
    points = list(itertools.product(config.grid.k, config.grid.seeds))
    runs = [dataclasses.replace(base, k=k, seed=seed) for base in bases for k, seed in points]
    output, first, name = Path(config.output), bases[0], grid_name(config, bases)
    folder = output / first.world.name / variant(first)
    return GridPlan(runs, output, folder / "grids" / name if name else folder)


def columns_of(config: DictConfig, k: Sequence[int]) -> list[RunSettings]:
    """The runs of a figure's columns: those k of each generator of the grid, at the first of its seeds."""
    seed = config.grid.seeds[0]
    return [dataclasses.replace(base, k=kept, seed=seed) for base in _bases(config) for kept in k]


def _bases(config: DictConfig) -> list[RunSettings]:
    """Each generator's settings, at whatever k and seed."""
    for key in ("grid.generators", "grid.k", "grid.seeds"):
        check_values(key, list(OmegaConf.select(config, key)))
    points = len(config.grid.generators) * len(config.grid.k) * len(config.grid.seeds)
    if points > MOST_RUNS:
        raise UserError(f"the grid has {points:,} runs, but at most {MOST_RUNS:,} are made by one command: give less")
    own = [o for o in HydraConfig.get().overrides.task if not o.startswith("generator=")]
    bases = [run_settings(compose("config", overrides=[*own, f"generator={name}"])) for name in config.grid.generators]
    check_values("generator.name of the grid's generators", [base.generator.name for base in bases])
    return bases


def grid_name(config: DictConfig, bases: Sequence[RunSettings]) -> str:
    """A folder's name that says in what a grid differs from the world's default; empty where it does not.

    A generator whose settings are of another variant than the first one's carries that variant's 8 hex digits: another
    generator of the same name is another grid.
    """
    grid, default = config.grid, Grid()
    generators = [base.generator.name + _digits(variant(base), variant(bases[0])) for base in bases]
    told = [
        ("", sorted(generators), sorted(default.generators)),
        ("k", sorted(grid.k), sorted(default.k)),
        ("seeds", list(grid.seeds), default.seeds),  # figures show the first
    ]
    parts = ["-".join(map(str, [*([key] if key else []), *ours])) for key, ours, theirs in told if ours != theirs]
    for key, shown in (("figure3", Figure3()), ("page", Page())):
        ours = OmegaConf.to_container(config[key])
        if ours != dataclasses.asdict(shown):
            parts.append(f"{key}-{_hex(ours)}")
    name = "_".join(parts)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]}+{_hex(name)}"


def _digits(ours: str, first: str) -> str:
    return "" if ours == first else f"+{ours.rpartition('+')[2]}"


def _hex(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def checked_world(grid: Sequence[RunSettings], config: DictConfig) -> World:
    """The world of a grid; whatever is missing, or cannot be written, is said before anything runs."""
    if Shard.parse(config.shard) != WHOLE:
        raise UserError(
            f"shard = {config.shard}, but the grid is computed in whole runs: give shard to experiments.run, "
            "then this command without it"
        )
    for settings in grid:
        check_present(settings)
    check_writable(Path(config.output))
    return World(grid[0], config.device, cache=Path(config.output) / "cache")


def run_grid(grid: Sequence[RunSettings], config: DictConfig, stop: StopRequest) -> tuple[World, pd.DataFrame]:
    """Compute what is missing, here or as a launcher's jobs, and collect the runs, all of one protocol, which share one
    world."""
    output = Path(config.output)
    world, here = checked_world(grid, config), list(grid)
    if chosen := launcher():
        missing = [settings for settings in grid if not is_finished(settings, output)]
        if missing:
            bases = dict(zip(config.grid.generators, _bases(config), strict=True))
            launch(missing, bases, config, chosen)
        here = [settings for settings in grid if settings not in missing]
    for settings in tqdm(here, desc="grid", unit="run", disable=None):
        run(world, settings, output, should_stop=stop)
        if stop():
            raise Interrupted(str(output))
    return world, collect(run_path(output, settings) for settings in grid)


def share(config: DictConfig, stop: StopRequest) -> None:
    """Make what the grid's runs share, and no run."""
    runs, output = grid_plan(config).runs, Path(config.output)
    world = checked_world(runs, config)
    for settings in tqdm(runs, desc="shared", unit="run", disable=None):
        make_shared(world, settings, output, should_stop=stop)
    print(f"what {len(runs)} runs share is made; python -m experiments.run and reproduce use it")
