"""BigGAN-deep (Brock et al. 2019) through pytorch-pretrained-biggan, made ready for one truncation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import remove_spectral_norm

from zeroshot.errors import EnvironmentFailure
from zeroshot.models.biggan_library import BigGAN as LibraryBigGAN
from zeroshot.models.biggan_library import BigGANBatchNorm, BigGANConfig, GenBlock
from zeroshot.models.generators.base import Generator, check_state, of_classes, to_image
from zeroshot.models.generators.upsampling import UpsampleConv, add_upsampled_

BOTTOM = 4  # pixels a side of the first feature map
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
        if norm.conditional:
            self.scale, self.offset = norm.scale, norm.offset
        else:
            self.register_buffer("gain", (norm.weight.detach() * rstd)[:, None, None])
            self.register_buffer("shift", (norm.bias.detach() - norm.weight.detach() * rstd * mean)[:, None, None])

    def forward(self, x: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        """[N, C, H, W] -> the same shape; a conditional norm needs `condition` [N, 2 z_dim]."""
        if condition is None:
            return torch.addcmul(self.shift, x, self.gain)
        gain = (1 + self.scale(condition)) * self.rstd  # [N, C]
        shift = self.offset(condition) - gain * self.mean
        return torch.addcmul(shift[:, :, None, None], x, gain[:, :, None, None])


def statistics_at(table: torch.Tensor, truncation: float) -> torch.Tensor:
    """Row of a statistics table [n_stats, C] at a truncation in (0, 1], linearly interpolated between rows.

    The library takes the two weights of its interpolation the wrong way round, and so finds the row above or below for
    some exact multiples of its step (0.14, 0.28, 0.56, 0.58, 0.94): hence this function.
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

    mixes_classes = True

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
        with torch.device("meta"):  # what does not fit is refused before memory is spent on it
            expected = LibraryBigGAN(settings).state_dict()
        state = check_state(expected, state, source, error)
        self.model = LibraryBigGAN(settings)
        self.model.load_state_dict(state)
        prepare(self.model, 1.0 if truncation is None else truncation)
        self.to(memory_format=torch.channels_last).eval()

    def latent(self, uniforms: torch.Tensor) -> torch.Tensor:
        if self.truncation is None:
            return super().latent(uniforms)
        low = torch.special.ndtr(torch.tensor(-CUT, dtype=torch.float64))
        z = torch.special.ndtri(low + uniforms * (1 - 2 * low))  # inverse of the truncated normal's cumulative function
        return (self.truncation * z.clamp(-CUT, CUT)).float()

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        embedding = of_classes(self.model.embeddings.weight.T, class_index)  # [N, z_dim]
        condition = torch.cat((z, embedding), dim=1)  # [N, 2 z_dim]
        generator = self.model.generator
        x = generator.gen_z(condition).view(len(z), BOTTOM, BOTTOM, -1).permute(0, 3, 1, 2)  # channels last already
        for layer in generator.layers:
            x = block(layer, x, condition) if isinstance(layer, GenBlock) else layer(x)
        return to_image(generator.conv_to_rgb(F.relu_(generator.bn(x))))  # [N, 3, S, S]


def block(layer: GenBlock, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    """The library's residual block, made ready by `prepare`: [N, C_in, H, W] -> [N, C_out, H or 2H, W or 2W]."""
    h = layer.conv_0(F.relu_(layer.bn_0(x, condition)))  # [N, C_in / 4, H, W]
    h = layer.conv_1(F.relu_(layer.bn_1(h, condition)))  # [N, C_in / 4, 2H, 2W] where it upsamples
    h = layer.conv_2(F.relu_(layer.bn_2(h, condition)))
    h = layer.conv_3(F.relu_(layer.bn_3(h, condition)))  # [N, C_out, 2H, 2W]
    kept = x[:, : h.shape[1]]  # half of the channels where their number halves
    return add_upsampled_(h, kept) if layer.up_sample else h.add_(kept)


def prepare(model: LibraryBigGAN, truncation: float) -> None:
    """Fold spectral norm and upsampling, bake in one truncation's statistics, keep the last layer's 3 used channels."""
    for module in model.modules():
        if hasattr(module, "weight_orig"):
            fold_spectral_norm(module)
    for layer in model.generator.layers:
        if isinstance(layer, GenBlock) and layer.up_sample:
            layer.conv_1 = UpsampleConv.of(layer.conv_1)
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
