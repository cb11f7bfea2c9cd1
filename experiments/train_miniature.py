"""Train the embedded world: python -m experiments.train_miniature [stages=[sagan,clip]] [sagan.steps=…].

Goes on where a killed one left off. Weights and their SHA256SUMS are written stage by stage, into the package with
install=true only.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from experiments.cli import StopRequest, guarded, run_as_command
from experiments.composed import composed
from zeroshot.miniature.training.recipe import Recipe

ConfigStore.instance().store(name="recipe", node=Recipe)


def train(recipe: Any, stop: StopRequest) -> None:
    """Train what the recipe says."""
    from zeroshot.miniature.training.make import make

    make(recipe, should_stop=stop)


@composed("train_miniature")
def main(config: DictConfig) -> None:
    """Hydra's entry point."""
    guarded(lambda stop: train(OmegaConf.to_object(config), stop))


if __name__ == "__main__":
    run_as_command(main)
