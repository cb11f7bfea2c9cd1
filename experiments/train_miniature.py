"""Train the embedded world: python -m experiments.train_miniature [stages=[sagan,clip]] [sagan.steps=…].

Goes on where a killed one left off. Weights and their SHA256SUMS are written stage by stage, into the package with
install=true only.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from experiments.cli import StopRequest, run_as_command
from experiments.composed import composed
from zeroshot.miniature.training.recipe import Recipe

ConfigStore.instance().store(name="recipe", node=Recipe)


@composed("train_miniature", Recipe)
def main(config: DictConfig, stop: StopRequest) -> None:
    """Train what the recipe says."""
    recipe: Any = OmegaConf.to_object(config)
    from zeroshot.miniature.training.make import make

    make(recipe, should_stop=stop)


if __name__ == "__main__":
    run_as_command(main)
