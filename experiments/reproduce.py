"""The paper's tables and figures: python -m experiments.reproduce all [overrides], or table1 … figure3, see TARGETS.

Runs what is missing of the grid, reuses what is finished, and writes outputs/<world>/<protocol>/tables and figures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from experiments.audit import audit
from experiments.cli import StopRequest, guarded
from experiments.config import register
from experiments.figures import draw_figure1, draw_figure3
from experiments.grid import grid_settings, run_grid
from zeroshot.parts import variant
from zeroshot.report import figures, tables

register()

TABLES = {"table1": tables.table1, "table2": tables.table2, "table3": tables.table3}
# Table 3 is Table 1 seed by seed: whoever asks for one gets both files.
TARGETS = {
    "table1": ("table1", "table3"),
    "table2": ("table2",),
    "table3": ("table3", "table1"),
    "figure1": (),  # one search; experiments/figures.py
    "figure2": ("figure2",),
    "figure3": (),  # a smaller grid; experiments/figures.py
    "all": ("table1", "table2", "table3", "figure2"),
    "audit": (),  # what each departure of the released code moves: experiments/audit.py
}
DRAWN = {"figure1": draw_figure1, "figure3": draw_figure3}
TITLES = {
    "table1": "Table 1: best CLIP score and Fréchet distance",
    "table2": "Table 2: images needed to pass the train split's threshold",
    "table3": "Table 3: best CLIP score and Fréchet distance, seed by seed",
    "figure2": "Figure 2: mean best CLIP score against images drawn",
}


def reproduce(target: str, config: DictConfig, stop: StopRequest) -> None:
    """Write what `target` asks for, and print its tables in the paper's shape."""
    if target == "audit":
        audit(config, stop)
        return
    if target in DRAWN:
        DRAWN[target](config, stop)
        return
    grid = grid_settings(config)
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
    if target == "all":
        for draw in DRAWN.values():
            draw(config, stop, world)


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
    sys.argv = [a for a in sys.argv if a not in named] + ["hydra/help=reproduce"] * wants_help

    @hydra.main(version_base="1.3", config_path="../conf", config_name="config")
    def composed(config: DictConfig) -> None:
        guarded(lambda stop: reproduce(target, config, stop))

    composed()


if __name__ == "__main__":
    main()
