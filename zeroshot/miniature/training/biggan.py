"""Stage `biggan`: the library's BigGAN-deep at small width, distilled from the renderer; sharper by its loss."""

from __future__ import annotations

import json
from typing import cast

import torch
from torch import nn

from zeroshot.miniature.training.biggan_twin import (
    BatchStatistics,
    fill_statistics,
    store_statistics,
    synthesise,
    trainable,
)
from zeroshot.miniature.training.distil import POWER_ITERATIONS, Distillation, attribute_network
from zeroshot.miniature.training.recipe import StageRecipe
from zeroshot.models.biggan_library import BigGAN, BigGANConfig
from zeroshot.storage.paths import resolve
from zeroshot.worlds.parts import BIGGAN as SETTINGS

STATISTICS_BATCH = 256  # images; four such batches for each of the 51 truncations


class BigGANStage(Distillation):
    """The class embedding comes from the attribute network."""

    name = "biggan"
    geometry_share = 0.2  # less varied than SAGAN
    edges = 1.0

    def __init__(self, device: torch.device, seed: int, recipe: StageRecipe) -> None:
        config = json.loads(resolve(SETTINGS.config or "").read_text(encoding="utf-8"))
        super().__init__(device, seed, recipe, config["z_dim"])
        generator = trainable(BigGANConfig.from_dict(config))
        network = attribute_network(config["z_dim"])
        self.module = nn.ModuleDict({"generator": generator, "network": network})
        self.module.to(device).to(memory_format=torch.channels_last).train()

    def generate(self, module: nn.ModuleDict, z: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        return synthesise(cast(BigGAN, module["generator"]), z, module["network"](attributes))

    def freeze(self, frozen: bool) -> None:
        for norm in self.module.modules():
            if isinstance(norm, BatchStatistics):
                norm.frozen = frozen

    @torch.no_grad()
    def calibrate(self) -> None:
        self.freeze(False)

        def draw(batch: int, truncation: float) -> tuple[torch.Tensor, torch.Tensor]:
            z, class_index = self.draw(STATISTICS_BATCH, torch.Generator().manual_seed(batch))
            return z, self.module["network"](self.labels.attributes[class_index])

        store_statistics(cast(BigGAN, self.module["generator"]), draw)

    @torch.no_grad()
    def finish(self, module: nn.ModuleDict) -> dict[str, torch.Tensor]:
        """Write the network's outputs into the class embedding and fill in the statistics of all truncations."""
        generator, network = cast(BigGAN, module["generator"]), module["network"]
        z, class_index = self.draw(self.batch, torch.Generator().manual_seed(0))
        module.train()
        for _ in range(POWER_ITERATIONS):
            self.generate(module, z, self.labels.attributes[class_index])
        generator.embeddings.weight.copy_(network(self.labels.attributes).T)

        def draw(batch: int, truncation: float) -> tuple[torch.Tensor, torch.Tensor]:
            rng = torch.Generator().manual_seed(batch)
            z, class_index = self.draw(STATISTICS_BATCH, rng)
            if truncation < 1:  # below 1 as BigGAN truncates: a normal cut at ±2, times the truncation
                z = truncation * truncated_normals(z.shape, rng).to(z.device)
            return z, generator.embeddings.weight.T[class_index]

        fill_statistics(generator, draw)
        return generator.state_dict()


def truncated_normals(shape: torch.Size, rng: torch.Generator, cut: float = 2.0) -> torch.Tensor:
    """Standard normals cut at ±cut, by the inverse of their cumulative function."""
    low = torch.special.ndtr(torch.tensor(-cut, dtype=torch.float64))
    return torch.special.ndtri(low + torch.rand(shape, generator=rng, dtype=torch.float64) * (1 - 2 * low)).float()
