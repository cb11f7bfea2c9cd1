"""How a sweep of `experiments.run` ends: what it was, and the commands for the tables of its runs."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Sequence
from math import prod
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from experiments.config import Grid

MOST_TABLES = 4  # whose commands are told
# What is swept, and the field of a grid that takes all its values.
GRID = {"generator": "grid.generators", "k": "grid.k", "seed": "grid.seeds"}
OF_JOBS = ("shard", "hydra")  # say how a run is computed, and nothing of its numbers


class SweepTold(Callback):
    """Hydra calls it in the process that started the sweep, once every job has been done."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Print the summary."""
        print(summary(config))


def summary(config: DictConfig) -> str:
    """What was swept over, and a line for each table of it."""
    swept: dict[str, list[str]] = {}
    fixed: list[str] = []
    for override in OverridesParser.create().parse_overrides(list(config.hydra.overrides.task)):
        key = override.key_or_group
        if override.is_sweep_override():
            swept[key] = list(override.sweep_string_iterator())
        elif key not in GRID and not key.startswith(OF_JOBS):
            fixed.append(str(override.input_line))
    jobs = prod(len(values) for values in swept.values())
    told = " ".join(f"{key}={','.join(values)}" for key, values in swept.items())
    grid = _grid(config, swept)
    others = [[f"{key}={value}" for value in swept[key]] for key in swept if key not in GRID and key != "shard"]
    tables = [_command([*fixed, *chosen, *grid]) for chosen in itertools.product(*others)]
    more = [f"  and {len(tables) - MOST_TABLES} more, one for each of the values"] if len(tables) > MOST_TABLES else []
    return "\n".join(
        [
            f"\nThe sweep is done, {jobs} {'job' if jobs == 1 else 'jobs'}: {told}",
            f"Its {'table' if len(tables) == 1 else 'tables'}:",
            *(f"  {command}" for command in tables[:MOST_TABLES]),
            *more,
        ]
    )


def _grid(config: DictConfig, swept: dict[str, list[str]]) -> list[str]:
    """The overrides that make the sweep's generators, k's and seeds a grid; none where they are the default's."""
    one = {"generator": config.hydra.runtime.choices.generator, "k": config.k, "seed": config.seed}
    default = Grid()
    usual: dict[str, list[Any]] = {"generator": default.generators, "k": default.k, "seed": default.seeds}
    found = []
    for key, field in GRID.items():
        values = swept.get(key, [str(one[key])])
        if sorted(values) != sorted(map(str, usual[key])):
            found.append(f"{field}=[{','.join(values)}]")
    return found


def _command(overrides: Sequence[str]) -> str:
    return shlex.join(["python", "-m", "experiments.reproduce", "table1", *overrides])
