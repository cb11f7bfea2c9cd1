"""The paper's tables and figures: python -m experiments.reproduce table1|table2|table3|figure2|all [overrides].

Runs what is missing of the grid, reuses what is finished, and writes outputs/<world>/<protocol>/tables and figures.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
from pathlib import Path

import hydra
import pandas as pd
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from tqdm import tqdm

from experiments.cli import StopRequest, guarded
from experiments.config import register, run_settings
from zeroshot.errors import UserError
from zeroshot.report import figures, tables
from zeroshot.report.collect import collect
from zeroshot.runs import run, run_path
from zeroshot.settings import RunSettings, check_run, variant
from zeroshot.worlds import World

register()

TABLES = {"table1": tables.table1, "table2": tables.table2, "table3": tables.table3}
# Table 3 is Table 1 seed by seed: whoever asks for one gets both files.
TARGETS = {
    "table1": ("table1", "table3"),
    "table2": ("table2",),
    "table3": ("table3", "table1"),
    "figure2": ("figure2",),
    "all": ("table1", "table2", "table3", "figure2"),
}
TITLES = {
    "table1": "Table 1: best CLIP score and Fréchet distance",
    "table2": "Table 2: images needed to pass the train split's threshold",
    "table3": "Table 3: best CLIP score and Fréchet distance, seed by seed",
    "figure2": "Figure 2: mean best CLIP score against images drawn",
}


def grid_settings(config: DictConfig) -> list[RunSettings]:
    """Every point of the grid, checked before anything runs."""
    overrides = list(HydraConfig.get().overrides.task)
    settings = []
    for generator in config.grid.generators:
        own = [o for o in overrides if not o.startswith("generator=")]
        base = run_settings(compose("config", overrides=[*own, f"generator={generator}"]))
        for k, seed in itertools.product(config.grid.k, config.grid.seeds):
            settings.append(dataclasses.replace(base, k=k, seed=seed))
    return settings


def run_grid(grid: list[RunSettings], config: DictConfig, stop: StopRequest) -> tuple[World, pd.DataFrame]:
    """Compute what is missing and collect the whole grid; one world serves all its runs."""
    output = Path(config.output)
    world = World(grid[0], config.device, cache=output / "cache")
    for settings in grid:
        check_run(settings, len(world.labels))
    for settings in tqdm(grid, desc="grid", unit="run", disable=None):
        run(world, settings, output, should_stop=stop)
    return world, collect(run_path(output, settings) for settings in grid)


def reproduce(target: str, config: DictConfig, stop: StopRequest) -> None:
    """Write what `target` asks for, and print its tables in the paper's shape."""
    grid = grid_settings(config)
    if not grid:
        raise UserError("the grid is empty: give at least one of grid.generators, grid.k and grid.seeds each")
    world, runs = run_grid(grid, config, stop)
    folder = Path(config.output) / world.name / variant(grid[0])
    setting = (
        f"world: {world.name}, protocol: {grid[0].protocol.name}, {grid[0].captions} captions, b = {grid[0].b_max}, "
        f"{len(config.grid.seeds)} seeds"
    )
    for name in TARGETS[target]:
        title = f"{TITLES[name]} ({setting})"
        if name == "figure2":
            paths = figures.save(figures.figure2(runs, title), folder / "figures", name)
            print(f"{title}\n→ {', '.join(map(str, paths))}\n")
            continue
        shaped = tables.write_tables(name, TABLES[name](runs), title, folder / "tables", grid[0].b_max)
        if name == target or target == "all":
            print(f"{title}\n\n{tables.markdown(shaped)}\n\n→ {folder / 'tables' / name}.csv, .md, .tex\n")


def main() -> None:
    """Take the target from the command line and leave the rest to Hydra."""
    named = [a for a in sys.argv[1:] if "=" not in a and not a.startswith("-")]
    wants_help = any(a in ("-h", "--help", "--hydra-help") or a.startswith("--info") for a in sys.argv[1:])
    if (len(named) != 1 or named[0] not in TARGETS) and not wants_help:
        given = " ".join(named) or "nothing"
        print(
            f"error: {given} was asked for, give one of {', '.join(TARGETS)}, then overrides such as b_max=50",
            file=sys.stderr,
        )
        sys.exit(2)
    target = named[0] if named else "table1"
    sys.argv = [a for a in sys.argv if a not in named]

    @hydra.main(version_base="1.3", config_path="../conf", config_name="config")
    def composed(config: DictConfig) -> None:
        guarded(lambda stop: reproduce(target, config, stop))

    composed()


if __name__ == "__main__":
    main()
