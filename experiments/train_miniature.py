"""Train the embedded world: python -m experiments.train_miniature [stages=[sagan,clip]] [sagan.steps=…].

Goes on where a killed one left off. Overwrites the weights inside the package, and their SHA256SUMS, stage by stage.
"""

from __future__ import annotations

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from experiments.cli import guarded
from zeroshot.miniature.training.make import make
from zeroshot.miniature.training.recipe import Recipe

ConfigStore.instance().store(name="recipe", node=Recipe)


@hydra.main(version_base="1.3", config_path="../conf", config_name="train_miniature")
def main(config: DictConfig) -> None:
    """Hydra's entry point."""
    guarded(lambda stop: make(OmegaConf.to_object(config), should_stop=stop))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
