"""The library's BigGAN made trainable: its batch norm has no training mode, so its twin uses the batch's statistics."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from pytorch_pretrained_biggan import BigGAN, BigGANConfig
from pytorch_pretrained_biggan.model import BigGANBatchNorm
from torch import nn


class BatchStatistics(nn.Module):
    """Stands in for a BigGANBatchNorm, sharing its parameters and buffers, and normalises by the batch at hand."""

    running_means: torch.Tensor  # [n_stats, C]
    running_vars: torch.Tensor

    def __init__(self, norm: BigGANBatchNorm) -> None:
        super().__init__()
        self.eps, self.conditional = norm.eps, norm.conditional
        self.register_buffer("running_means", norm.running_means)
        self.register_buffer("running_vars", norm.running_vars)
        if norm.conditional:
            self.scale, self.offset = norm.scale, norm.offset
        else:
            self.weight, self.bias = norm.weight, norm.bias
        self.collected: list[tuple[torch.Tensor, torch.Tensor]] = []  # mean and mean square [C] of each batch
        self.collecting = False

    def forward(self, x: torch.Tensor, truncation: float, condition_vector: torch.Tensor | None = None) -> torch.Tensor:
        if self.collecting:
            self.collected.append((x.mean(dim=(0, 2, 3)), x.pow(2).mean(dim=(0, 2, 3))))
        if not self.conditional:
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        out = F.batch_norm(x, None, None, training=True, eps=self.eps)
        gain, shift = 1 + self.scale(condition_vector), self.offset(condition_vector)  # [N, C]
        return torch.addcmul(shift[:, :, None, None], out, gain[:, :, None, None])


def trainable(config: BigGANConfig) -> BigGAN:
    """A fresh model whose batch norms use the batch; its state_dict has the library's keys."""
    model = BigGAN(config)
    nn.init.ones_(model.generator.bn.weight)  # the library leaves them as memory happened to be
    nn.init.zeros_(model.generator.bn.bias)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, BigGANBatchNorm):
                setattr(parent, name, BatchStatistics(child))
    return model.to(memory_format=torch.channels_last)


def synthesise(model: BigGAN, z: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
    """Images [N, 3, S, S] from z and class embedding, both [N, z_dim]."""
    return model.generator(torch.cat((z, embedding), dim=1), 1.0)


@torch.no_grad()
def fill_statistics(
    model: BigGAN, draw: Callable[[int, float], tuple[torch.Tensor, torch.Tensor]], batches: int = 4
) -> None:
    """Measure each batch norm's input at every truncation of the tables and store mean and variance.

    Args:
        model: from `trainable`, trained.
        draw: (number of the batch, truncation) -> z and class embedding, both [N, z_dim].
        batches: how many to average over per truncation.
    """
    norms = [module for module in model.modules() if isinstance(module, BatchStatistics)]
    rows = len(norms[0].running_means)
    model.eval()  # spectral norm keeps its vectors
    for row in range(rows):
        truncation = max(row, 1) / (rows - 1)
        for norm in norms:
            norm.collected, norm.collecting = [], True
        for batch in range(batches):
            synthesise(model, *draw(batch, truncation))
        for norm in norms:
            mean, square = (torch.stack(values).mean(dim=0) for values in zip(*norm.collected, strict=True))
            norm.running_means[row] = mean
            norm.running_vars[row] = square - mean.pow(2)
            norm.collecting = False
