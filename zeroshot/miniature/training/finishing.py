"""A generator's last steps: what a classifier sees in its images is compared as well as the pixels.

L1 alone is content with soft edges, and what cannot be told apart by its edges becomes a blob: CLIP named 66 % of the
images right (top-5) when the plain stages were done, and 74 % after 800 steps of this.
"""

from __future__ import annotations

import random
from pathlib import Path

import torch
from torch import nn

from zeroshot.errors import UserError
from zeroshot.metrics.features import SmallFeatures
from zeroshot.miniature.training.distil import Distillation, picture_loss
from zeroshot.miniature.training.stage import Stage
from zeroshot.models.weights import load_tensors

PERCEPTUAL = 0.5  # weight beside the loss on pixels


class Finishing(Stage[nn.ModuleDict]):
    """Goes on from a distilled generator, whose batch norms keep their statistics."""

    def __init__(self, stage: Distillation, features: Path) -> None:
        if not features.exists():
            raise UserError(f"{features} is missing, but generators end with it: train the stage features first")
        self.name, self.stage, self.module = f"{stage.name}_finishing", stage, stage.module
        network = SmallFeatures()
        network.load_state_dict({key: tensor.float() for key, tensor in load_tensors(features).items()})
        self.network = network.to(stage.device).to(memory_format=torch.channels_last).eval().requires_grad_(False)

    def loss(self, step: int, rng: random.Random, torch_rng: torch.Generator) -> torch.Tensor:
        self.stage.freeze(True)
        images, target = self.stage.pair(torch_rng)
        return picture_loss(images, target, self.stage.edges) + PERCEPTUAL * self.perceptual_loss(images, target)

    def perceptual_loss(self, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean over the classifier's layers of the L1 distance of their maps, as a share of the target's own mean."""
        with torch.no_grad():
            wanted = self.maps(target)
        found = self.maps(images)
        return torch.stack([(a - b).abs().mean() / b.abs().mean() for a, b in zip(found, wanted, strict=True)]).mean()

    def maps(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Outputs of the classifier's rectifiers [n, C, s, s], and its features [n, dim]."""
        found, x = [], images
        for layer in self.network.trunk:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                found.append(x)
        return [*found, self.network.project(x.mean(dim=(2, 3)))]

    def finish(self, module: nn.ModuleDict) -> dict[str, torch.Tensor]:
        return self.stage.finish(module)
