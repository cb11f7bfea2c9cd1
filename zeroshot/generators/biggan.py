"""BigGAN-deep (Brock et al. 2019) through pytorch-pretrained-biggan, made ready for one truncation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pytorch_pretrained_biggan import BigGAN as LibraryBigGAN
from pytorch_pretrained_biggan import BigGANConfig
from pytorch_pretrained_biggan.model import BigGANBatchNorm
from torch import nn
from torch.nn.utils import remove_spectral_norm

from zeroshot.errors import EnvironmentFailure
from zeroshot.generators.base import Generator, check_state

CUT = 2.0  # BigGAN's truncated normal lives in ±2 before it is multiplied by the truncation


class FusedBatchNorm(nn.Module):
    """BigGANBatchNorm at one truncation: the library's four element-wise passes as one multiply-add."""

    gain: torch.Tensor  # of the unconditional norm, [C, 1, 1]
    shift: torch.Tensor

    def __init__(self, norm: BigGANBatchNorm, truncation: float) -> None:
        super().__init__()
        mean = statistics_at(norm.running_means, truncation)
        rstd = torch.rsqrt(statistics_at(norm.running_vars, truncation) + norm.eps)
        self.register_buffer("mean", mean)
        self.register_buffer("rstd", rstd)
        self.conditional = norm.conditional
        if norm.conditional:
            self.scale, self.offset = norm.scale, norm.offset
        else:
            self.register_buffer("gain", (norm.weight.detach() * rstd)[:, None, None])
            self.register_buffer("shift", (norm.bias.detach() - norm.weight.detach() * rstd * mean)[:, None, None])

    def forward(self, x: torch.Tensor, truncation: float, condition_vector: torch.Tensor | None = None) -> torch.Tensor:
        if not self.conditional:
            return torch.addcmul(self.shift, x, self.gain)
        gain = (1 + self.scale(condition_vector)) * self.rstd  # [N, C]
        shift = self.offset(condition_vector) - gain * self.mean
        return torch.addcmul(shift[:, :, None, None], x, gain[:, :, None, None])


def statistics_at(table: torch.Tensor, truncation: float) -> torch.Tensor:
    """Row of a statistics table [n_stats, C] at a truncation in (0, 1], linearly interpolated between rows.

    The library takes the two weights of its interpolation the wrong way round, and finds the row below for some exact
    multiples of its step (0.14, 0.28, 0.56, 0.58, 0.94): hence this function.
    """
    place = truncation * (len(table) - 1)
    if abs(place - round(place)) < 1e-6:
        return table[round(place)].clone()
    low = int(place)
    return torch.lerp(table[low], table[low + 1], place - low)


class BigGAN(Generator):
    """The library's generator with weights checked key by key, spectral norm folded and statistics of one truncation.

    Args:
        config: fields of the library's BigGANConfig.
        state: its state_dict.
        truncation: t in (0, 1]: z from a normal truncated to ±2, times t, with the statistics of t. None: z ~ N(0, I)
            with the statistics of 1.0 (the paper's Algorithm 1).
        source: what error messages call the checkpoint.
        error: what is raised where keys or shapes do not fit: UserError for files that the user brings.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        state: Mapping[str, torch.Tensor],
        truncation: float | None = None,
        source: str = "the BigGAN checkpoint",
        error: type[Exception] = EnvironmentFailure,
    ) -> None:
        super().__init__()
        if truncation is not None and not 0 < truncation <= 1:
            raise ValueError(f"truncation = {truncation}, but it lies above 0 and at most at 1")
        self.truncation = truncation
        settings = BigGANConfig.from_dict(dict(config))
        self.image_size, self.z_dim, self.num_classes = settings.output_dim, settings.z_dim, settings.num_classes
        self.model = LibraryBigGAN(settings)
        expected = {key: tensor.shape for key, tensor in self.model.state_dict().items()}
        check_state(expected, state, source, error)
        self.model.load_state_dict(dict(state))
        prepare(self.model, 1.0 if truncation is None else truncation)
        self.to(memory_format=torch.channels_last).eval()

    def latent(self, uniforms: torch.Tensor) -> torch.Tensor:
        if self.truncation is None:
            return super().latent(uniforms)
        low = torch.special.ndtr(torch.tensor(-CUT, dtype=torch.float64))
        z = torch.special.ndtri(low + uniforms * (1 - 2 * low))  # inverse of the truncated normal's cumulative function
        return (self.truncation * z.clamp(-CUT, CUT)).float()

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        embedding = self.model.embeddings.weight.T[class_index]  # [N, z_dim]: the product with a one-hot vector
        condition = torch.cat((z, embedding), dim=1)  # [N, 2 z_dim]
        return self.model.generator(condition, self.truncation or 1.0)


def prepare(model: LibraryBigGAN, truncation: float) -> None:
    """Fold spectral norm, bake in one truncation's statistics, keep the 3 used channels of the last convolution."""
    for module in model.modules():
        if hasattr(module, "weight_orig"):
            fold_spectral_norm(module)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, BigGANBatchNorm):
                setattr(parent, name, FusedBatchNorm(child, truncation))
    last = model.generator.conv_to_rgb
    last.weight = nn.Parameter(last.weight.detach()[:3].clone())
    last.bias = nn.Parameter(last.bias.detach()[:3].clone())
    last.out_channels = 3


def fold_spectral_norm(module: nn.Module) -> None:
    """Replace weight_orig, weight_u, weight_v by weight = weight_orig / (u · W v), without a new power iteration."""
    module.eval()
    remove_spectral_norm(module)
