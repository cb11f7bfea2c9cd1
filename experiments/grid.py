"""The paper's grid: its settings, and running what is missing of it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from tqdm import tqdm

from experiments.cli import StopRequest
from experiments.config import run_settings
from zeroshot.errors import Interrupted, UserError
from zeroshot.report.collect import collect
from zeroshot.runs.run import run, run_path
from zeroshot.settings import RunSettings, check_run
from zeroshot.storage.files import check_writable
from zeroshot.storage.shard import WHOLE, Shard
from zeroshot.worlds.loading import check_present
from zeroshot.worlds.world import World


def grid_settings(
    config: DictConfig, k: Sequence[int] | None = None, seeds: Sequence[int] | None = None
) -> list[RunSettings]:
    """Every point of the grid, or of that for other k or seeds than config.grid's. Raises UserError for no point."""
    overrides = list(HydraConfig.get().overrides.task)
    settings = []
    for generator in config.grid.generators:
        own = [o for o in overrides if not o.startswith("generator=")]
        base = run_settings(compose("config", overrides=[*own, f"generator={generator}"]))
        points = itertools.product(config.grid.k if k is None else k, config.grid.seeds if seeds is None else seeds)
        settings += [dataclasses.replace(base, k=k, seed=seed) for k, seed in points]
    if not settings:
        raise UserError("the grid is empty: give at least one of grid.generators, grid.k and grid.seeds each")
    return settings


def checked_world(grid: Sequence[RunSettings], config: DictConfig) -> World:
    """The world of a grid; whatever is wrong with the settings or missing is said before anything runs."""
    if Shard.parse(config.shard) != WHOLE:
        raise UserError(
            f"shard = {config.shard}, but the grid is computed in whole runs: give shard to experiments.run, "
            "then this command without it"
        )
    world = World(grid[0], config.device, cache=Path(config.output) / "cache")
    for settings in grid:
        check_run(settings, len(world.labels))
        check_present(settings)
    check_writable(Path(config.output))
    return world


def run_grid(grid: list[RunSettings], config: DictConfig, stop: StopRequest) -> tuple[World, pd.DataFrame]:
    """Compute what is missing and collect the whole grid, all of one protocol; one world serves all its runs."""
    output = Path(config.output)
    world = checked_world(grid, config)
    for settings in tqdm(grid, desc="grid", unit="run", disable=None):
        run(world, settings, output, should_stop=stop)
        if stop():
            raise Interrupted(str(output))
    return world, collect(run_path(output, settings) for settings in grid)
