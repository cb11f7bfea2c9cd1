"""A small classifier of the 1,000 labels; its pooled features are the space of the Fréchet distance."""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from torch import nn

from zeroshot.metrics.features import SmallFeatures
from zeroshot.miniature.renderer import CLUTTER_DIM, NUISANCE_DIM, render
from zeroshot.miniature.training.batches import IMAGE_SIZE, Labels, normals, soften
from zeroshot.miniature.training.recipe import StageRecipe
from zeroshot.miniature.training.stage import Stage


class FeaturesStage(Stage[nn.ModuleDict]):
    """Cross-entropy on label renders, a third of them as cluttered photographs: it will compare photographs."""

    name = "features"

    def __init__(self, device: torch.device, seed: int, recipe: StageRecipe) -> None:
        torch.manual_seed(seed)
        self.device, self.batch = device, recipe.batch
        self.labels = Labels(device)
        self.module = nn.ModuleDict({"features": SmallFeatures(), "head": nn.Linear(SmallFeatures.dim, 1000)})
        self.module.to(device).to(memory_format=torch.channels_last).train()

    def loss(self, step: int, rng: random.Random, torch_rng: torch.Generator) -> torch.Tensor:
        class_index = self.labels.sample(self.batch, torch_rng).to(self.device)
        attributes = self.labels.attributes[class_index]
        nuisance = normals(self.batch, NUISANCE_DIM, torch_rng, self.device)
        cluttered = self.batch // 3
        clutter = normals(cluttered, CLUTTER_DIM, torch_rng, self.device)
        images = torch.cat(
            [
                render(attributes[:cluttered], nuisance[:cluttered], clutter, size=IMAGE_SIZE),
                render(attributes[cluttered:], nuisance[cluttered:], size=IMAGE_SIZE),
            ]
        )
        features = self.module["features"](soften(images, torch_rng))  # [n, dim]
        return F.cross_entropy(self.module["head"](features), class_index)

    def finish(self, module: nn.ModuleDict) -> dict[str, torch.Tensor]:
        return module["features"].state_dict()
