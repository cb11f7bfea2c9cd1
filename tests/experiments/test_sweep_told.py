"""What a sweep says at its end names the tables of its runs."""

from __future__ import annotations

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from experiments.config import register
from experiments.sweep_told import summary


@pytest.mark.parametrize(
    ("task", "jobs", "tables"),
    [
        (["generator=sagan,biggan", "k=1,10"], "4 jobs", ["grid.k=[1,10]' 'grid.seeds=[42]"]),
        (["k=range(1,4)", "seed=42,43,44"], "9 jobs", ["grid.generators=[sagan]' 'grid.k=[1,2,3]"]),
        (
            ["generator=biggan,sagan", "k=1,10,20,50,100,1000", "seed=44,43,42", "b_max=25"],
            "36 jobs",
            ["experiments.reproduce table1 b_max=25"],
        ),
        (["shard=1/2,2/2", "hydra/launcher=local"], "2 jobs", ["table1 'grid.generators=[sagan]'"]),
        (["b_max=10,20", "k=1"], "2 jobs", ["table1 b_max=10", "table1 b_max=20"]),
        (["b_max=1,2,3,4,5,6"], "6 jobs", ["b_max=1", "b_max=2", "b_max=3", "b_max=4", "and 2 more"]),
    ],
)
def test_the_summary(task: list[str], jobs: str, tables: list[str]) -> None:
    register()
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("config", overrides=[word for word in task if "," not in word], return_hydra_config=True)
    OmegaConf.set_struct(config, False)
    config.hydra.overrides.task = task
    lines = summary(config).splitlines()
    assert lines[1].startswith(f"The sweep is done, {jobs}: ")
    assert len(lines) == 3 + len(tables)
    for line, part in zip(lines[3:], tables, strict=True):
        assert part in line and "shard" not in line and "launcher" not in line
