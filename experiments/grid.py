"""The paper's grid: its settings, and running what is missing of it."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pandas as pd
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from tqdm import tqdm

from experiments.cli import StopRequest
from experiments.config import run_settings
from zeroshot.errors import UserError
from zeroshot.loading import check_present
from zeroshot.report.collect import collect
from zeroshot.runs import run, run_path
from zeroshot.settings import RunSettings, check_run
from zeroshot.worlds import World


def grid_settings(config: DictConfig) -> list[RunSettings]:
    """Every point of the grid. Raises UserError where there is none."""
    overrides = list(HydraConfig.get().overrides.task)
    settings = []
    for generator in config.grid.generators:
        own = [o for o in overrides if not o.startswith("generator=")]
        base = run_settings(compose("config", overrides=[*own, f"generator={generator}"]))
        for k, seed in itertools.product(config.grid.k, config.grid.seeds):
            settings.append(dataclasses.replace(base, k=k, seed=seed))
    if not settings:
        raise UserError("the grid is empty: give at least one of grid.generators, grid.k and grid.seeds each")
    return settings


def run_grid(grid: list[RunSettings], config: DictConfig, stop: StopRequest) -> tuple[World, pd.DataFrame]:
    """Compute what is missing and collect the whole grid, all of one protocol; one world serves all its runs."""
    output = Path(config.output)
    world = World(grid[0], config.device, cache=output / "cache")
    for settings in grid:  # before anything runs
        check_run(settings, len(world.labels))
        check_present(settings)
    for settings in tqdm(grid, desc="grid", unit="run", disable=None):
        run(world, settings, output, should_stop=stop)
    return world, collect(run_path(output, settings) for settings in grid)
