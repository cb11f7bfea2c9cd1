"""Figures 1 and 3: targets of `experiments.reproduce` that need less than the whole grid.

What draws is imported once the settings have been checked.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from experiments.cli import StopRequest
from experiments.grid import checked_world, columns_of, grid_plan, run_grid
from zeroshot.report.titles import left_out, setting_of
from zeroshot.settings import SearchSettings
from zeroshot.strategy_settings import NoRefinement, RandomStart
from zeroshot.worlds.world import World

if TYPE_CHECKING:
    from matplotlib.figure import Figure

README_DPI = 132  # the README's copy, docs/images/figure1.png, stays below 150 kB


def draw_figure3(config: DictConfig, stop: StopRequest, world: World | None = None) -> None:
    """Figure 3. Runs what its columns need and no more; with the `world` of a grid that has been run, nothing else."""
    from zeroshot.report.figure3 import figure3_rows, needs_runs
    from zeroshot.report.figure3_drawing import draw_figure3_rows

    columns = columns_of(config, config.figure3.k)
    captions, ran = list(config.figure3.captions), world is not None
    world = world or checked_world(columns, config)
    if not ran and needs_runs(world, captions):
        shown = ", ".join(f"{c.generator.name} k = {c.k}" for c in columns)
        print(f"Figure 3 draws on {len(columns)} runs of the grid and makes no others: {shown}; seed {columns[0].seed}")
        run_grid(columns, config, stop)
    rows = figure3_rows(world, columns, Path(config.output), captions)
    title = f"Figure 3: the selected images ({setting_of(columns)}{left_out(world.photographs_missing())})"
    _save(draw_figure3_rows(rows, columns, title), title, config, "figure3")


def draw_figure1(config: DictConfig, stop: StopRequest, world: World | None = None) -> None:
    """Figure 1: the method, drawn around one search in this world; no run of the grid is needed."""
    from zeroshot.report.figure1 import draw_method, illustrate

    settings = columns_of(config, [10])[-1]
    world = world or checked_world([settings], config)
    # It shows Algorithm 1, whatever the strategy; a sentence draws images of its own.
    own = dataclasses.replace(settings, start=RandomStart(), refine=NoRefinement(), search=SearchSettings("fresh"))
    title = f"Figure 1: the method ({setting_of([own], captions=1)})"
    _save(draw_method(illustrate(world, own)), title, config, "figure1", README_DPI)


def _save(figure: Figure, title: str, config: DictConfig, name: str, dpi: int = 200) -> None:
    from zeroshot.report.figures import save

    folder = grid_plan(config).folder / "figures"
    print(f"{title}\n→ {', '.join(map(str, save(figure, folder, name, dpi)))}\n")
