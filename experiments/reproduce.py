"""The paper's tables and figures: python -m experiments.reproduce all [overrides], or table1 … figure3, see TARGETS.

Runs what is missing of the grid, reuses what is finished, and writes outputs/<world>/<protocol>/tables and figures.
"""

from __future__ import annotations

import re
import sys
from itertools import pairwise

from omegaconf import DictConfig

from experiments.audit import audit
from experiments.cli import StopRequest, guarded, run_as_command
from experiments.composed import composed
from experiments.config import Experiment, register
from experiments.figures import draw_figure1, draw_figure3
from experiments.first_hour import first_hour
from experiments.grid import grid_plan, run_grid, share
from experiments.results import WRITERS, Results, write_page
from zeroshot.errors import UserError

register()

# What a target writes of the whole grid. Table 3 is Table 1 seed by seed: whoever asks for one gets both files.
OF_THE_GRID = {
    "table1": ("table1", "table3"),
    "table2": ("table2",),
    "table3": ("table1", "table3"),
    "figure2": ("figure2",),
    "claims": ("claims",),
    "page": (),  # of what the others have written
    "all": tuple(WRITERS),
}
# What needs less than the grid; `all` draws it too, from the grid's runs. What shows all other files comes last.
DRAWN = {"figure1": draw_figure1, "figure3": draw_figure3}
# audit: what each departure of the released code moves: experiments/audit.py.
# shared: what the grid's runs share (caches, pools), for jobs on a cluster: docs/cluster.md.
# first_hour: a few captions of world=paper against the published numbers: experiments/first_hour.py.
TARGETS = (
    *("table1", "table2", "table3", "figure1", "figure2", "figure3", "claims", "page", "all", "audit"),
    *("first_hour", "shared"),
)


def reproduce(target: str, config: DictConfig, stop: StopRequest) -> None:
    """Write what `target` asks for, and print its tables in the paper's shape."""
    if target == "audit":
        audit(config, stop)
    elif target == "first_hour":
        first_hour(config, stop)
    elif target == "shared":
        share(config, stop)
    elif target in DRAWN:
        DRAWN[target](config, stop)
    else:
        plan = grid_plan(config)
        world, runs = run_grid(plan.runs, config, stop)
        results = Results(config, plan, world, runs)
        for name in OF_THE_GRID[target]:
            told = WRITERS[name](results)
            if target in (name, "all"):
                print(f"{told}\n")
        if target == "all":
            for draw in DRAWN.values():
                draw(config, stop, world)
        if target in ("page", "all"):
            print(write_page(results))


def take_target(arguments: list[str]) -> tuple[str, list[str]]:
    """Part the command line into the target and what is left for Hydra. Raises UserError for none, or another one."""
    follows_flag = {after for before, after in pairwise(arguments) if before.startswith("-")}  # whose value it may be
    named = [a for a in arguments if a in TARGETS or not (re.search("^[-+~]|=", a) or a in follows_flag)]
    wants_help = any(a in ("-h", "--help", "--hydra-help") or a.startswith("--info") for a in arguments)
    if (len(named) != 1 or named[0] not in TARGETS) and not wants_help:
        given = " ".join(map(repr, named)) or "nothing"
        raise UserError(f"{given} was asked for, give one of {', '.join(TARGETS)}, then overrides such as b_max=50")
    target, rest = (named or ["table1"])[0], [a for a in arguments if a not in named]
    added = ["hydra/help=reproduce"] * wants_help
    if target == "first_hour" and not any(a.startswith("experiment=") for a in rest):
        added.append("experiment=first_hour")
    return target, added + rest  # before flags, behind which Hydra takes no override


def main() -> None:
    """Take the target from the command line and leave the rest to Hydra."""
    targets: list[str] = []

    def take(stop: StopRequest) -> None:
        target, sys.argv[1:] = take_target(sys.argv[1:])
        targets.append(target)

    @composed("config", Experiment)
    def with_config(config: DictConfig, stop: StopRequest) -> None:
        reproduce(targets[0], config, stop)

    guarded(take)
    with_config()


if __name__ == "__main__":
    run_as_command(main)
