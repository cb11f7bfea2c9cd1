"""The library's BigGAN made trainable: its batch norm has no training mode, so its twin uses the batch's statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from zeroshot.models.biggan_library import BigGAN, BigGANBatchNorm, BigGANConfig


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
        self.collecting, self.frozen = False, False

    def statistics(self, x: torch.Tensor) -> dict[str, Any]:
        """What normalises x: the batch at hand, or the stored row of truncation 1.0."""
        if not self.frozen:
            return {"running_mean": None, "running_var": None, "training": True, "eps": self.eps}
        mean, var = self.running_means[-1], self.running_vars[-1]
        return {"running_mean": mean, "running_var": var, "training": False, "eps": self.eps}

    def forward(self, x: torch.Tensor, truncation: float, condition_vector: torch.Tensor | None = None) -> torch.Tensor:
        if self.collecting:
            self.collected.append((x.mean(dim=(0, 2, 3)), x.pow(2).mean(dim=(0, 2, 3))))
        if not self.conditional:
            return F.batch_norm(x, weight=self.weight, bias=self.bias, **self.statistics(x))
        out = F.batch_norm(x, **self.statistics(x))
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


Draw = Callable[[int, float], tuple[torch.Tensor, torch.Tensor]]


@torch.no_grad()
def measure_statistics(
    model: BigGAN, draw: Draw, truncation: float, batches: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Mean and variance [C] of each batch norm's input at a truncation, each normalising by its own batch.

    Args:
        model: from `trainable`.
        draw: (number of the batch, truncation) -> z and class embedding, both [N, z_dim].
        truncation: in (0, 1].
        batches: how many to average over.
    """
    norms = _norms(model)
    model.eval()  # spectral norm keeps its vectors
    for norm in norms:
        norm.collected, norm.collecting, norm.frozen = [], True, False
    for batch in range(batches):
        synthesise(model, *draw(batch, truncation))
    found = []
    for norm in norms:
        mean, square = (torch.stack(values).mean(dim=0) for values in zip(*norm.collected, strict=True))
        found.append((mean, square - mean.pow(2)))
        norm.collected, norm.collecting = [], False
    return found


def _norms(model: BigGAN) -> list[BatchStatistics]:
    return [module for module in model.modules() if isinstance(module, BatchStatistics)]


@torch.no_grad()
def store_statistics(model: BigGAN, draw: Draw, batches: int = 4) -> None:
    """Measure and store the row of truncation 1.0; leaves the model in training mode."""
    for norm, (mean, var) in zip(_norms(model), measure_statistics(model, draw, 1.0, batches), strict=True):
        norm.running_means[-1], norm.running_vars[-1] = mean, var
    model.train()


@torch.no_grad()
def fill_statistics(model: BigGAN, draw: Draw, batches: int = 4) -> None:
    """Fill the tables of all truncations by sampling, in proportion to the row of 1.0, which the model learnt with.

    The weights have moved since that row was stored. So each row takes the stored one's place as the statistics
    measured at its truncation stand to those measured at 1.0: means by their difference, variances by their ratio.
    """
    norms = _norms(model)
    rows = len(norms[0].running_means)
    now = measure_statistics(model, draw, 1.0, batches)
    for row in range(rows - 1):
        at = measure_statistics(model, draw, max(row, 1) / (rows - 1), batches)
        for norm, (mean, var), (mean_1, var_1) in zip(norms, at, now, strict=True):
            norm.running_means[row] = norm.running_means[-1] + mean - mean_1
            norm.running_vars[row] = norm.running_vars[-1] * var / var_1.clamp(min=1e-12)
