"""Stage `sagan`: StudioGAN's SAGAN at small width, distilled from the renderer."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from zeroshot.miniature.training.distil import POWER_ITERATIONS, Distillation, attribute_network
from zeroshot.miniature.training.recipe import StageRecipe
from zeroshot.models.generators.sagan import SAGAN
from zeroshot.worlds.parts import SAGAN as SETTINGS

CALIBRATION_BATCHES = 120


class SAGANStage(Distillation):
    """Spectral norm on convolutions and the linear layer; class gains and biases from the attribute network."""

    name = "sagan"
    geometry_share = 0.3

    def __init__(self, device: torch.device, seed: int, recipe: StageRecipe) -> None:
        super().__init__(device, seed, recipe, SETTINGS.z_dim)
        generator = SAGAN(SETTINGS.image_size, SETTINGS.z_dim, SETTINGS.g_conv_dim, 1000, SETTINGS.attention_after)
        for layer in list(generator.modules()):
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(layer.weight)
                nn.utils.spectral_norm(layer, eps=1e-6)
        self.channels = [norm.bn.num_features for norm in generator.norms()]
        network = attribute_network(2 * sum(self.channels))
        self.module = nn.ModuleDict({"generator": generator, "network": network})
        self.module.to(device).to(memory_format=torch.channels_last).train()

    def affine(self, module: nn.ModuleDict, attributes: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Gain and bias [N, C] of each conditional batch norm, from class attributes [N, A]."""
        parts = module["network"](attributes).split([c for c in self.channels for _ in range(2)], dim=1)
        return list(zip(parts[::2], parts[1::2], strict=True))

    def generate(self, module: nn.ModuleDict, z: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        return cast(SAGAN, module["generator"]).synthesise(z, self.affine(module, attributes))

    def freeze(self, frozen: bool) -> None:
        generator = cast(SAGAN, self.module["generator"])
        for norm in (*generator.norms(), generator.bn4):
            norm.train(not frozen)

    @torch.no_grad()
    def calibrate(self) -> None:
        self.freeze(False)
        norms = [layer for layer in self.module.modules() if isinstance(layer, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the batches
        for batch in range(CALIBRATION_BATCHES):
            z, class_index = self.draw(self.batch, torch.Generator().manual_seed(batch))
            self.generate(self.module, z, self.labels.attributes[class_index])

    @torch.no_grad()
    def finish(self, module: nn.ModuleDict) -> dict[str, torch.Tensor]:
        """Write the network's outputs into the class tables, after spectral norm has met the averaged weights."""
        generator = cast(SAGAN, module["generator"]).train()
        for norm in (*generator.norms(), generator.bn4):
            norm.eval()  # the statistics that it was trained with
        z, class_index = self.draw(self.batch, torch.Generator().manual_seed(0))
        for _ in range(POWER_ITERATIONS):
            self.generate(module, z, self.labels.attributes[class_index])
        tables = self.affine(module, self.labels.attributes)
        for norm, (gain, bias) in zip(generator.norms(), tables, strict=True):
            norm.embed0.weight.copy_(gain)
            norm.embed1.weight.copy_(bias)
        return generator.state_dict()
