"""SAGAN in StudioGAN's architecture (Zhang et al. 2019; POSTECH-CVLab/PyTorch-StudioGAN, backbone `resnet`, cBN)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from zeroshot.errors import EnvironmentFailure
from zeroshot.models.generators.base import Generator, check_state, of_classes, to_image
from zeroshot.models.generators.upsampling import UpsampleConv, add_upsampled_

# Channels of each block's input and, last, of the output, in units of g_conv_dim.
CHANNELS = {64: (16, 8, 4, 2, 1), 128: (16, 16, 8, 4, 2, 1), 256: (16, 16, 8, 8, 4, 2, 1)}
BOTTOM = 4  # pixels a side of the first feature map
EPS = 1e-4  # of all batch norms


class ConditionalBatchNorm(nn.Module):
    """out = batchnorm(x) * (1 + gain[y]) + bias[y]; in evaluation mode one multiply-add."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, eps=EPS, momentum=0.1, affine=False)
        self.embed0 = nn.Embedding(num_classes, channels)  # gain
        self.embed1 = nn.Embedding(num_classes, channels)  # bias

    def forward(self, x: torch.Tensor, gain: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        gain, bias = 1 + gain[:, :, None, None], bias[:, :, None, None]  # [N, C, 1, 1]
        if self.training:
            return torch.addcmul(bias, self.bn(x), gain)
        mean, var = self.bn.running_mean[:, None, None], self.bn.running_var[:, None, None]  # type: ignore[index]
        scale = gain * torch.rsqrt(var + EPS)
        return torch.addcmul(bias - mean * scale, x, scale)


class GenBlock(nn.Module):
    """Residual block that doubles the side. The 1x1 shortcut stands before the nearest upsampling: they commute."""

    def __init__(self, channels_in: int, channels_out: int, num_classes: int) -> None:
        super().__init__()
        self.bn1 = ConditionalBatchNorm(channels_in, num_classes)
        self.bn2 = ConditionalBatchNorm(channels_out, num_classes)
        self.conv2d0 = nn.Conv2d(channels_in, channels_out, 1)
        self.conv2d1 = UpsampleConv(channels_in, channels_out)
        self.conv2d2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)

    def forward(self, x: torch.Tensor, affine: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        h = self.conv2d1(F.relu_(self.bn1(x, *affine[0])))  # [N, C_out, 2H, 2W]
        h = self.conv2d2(F.relu_(self.bn2(h, *affine[1])))
        return add_upsampled_(h, self.conv2d0(x))


class SelfAttention(nn.Module):
    """Non-local block; keys and values are max-pooled to half the side, the logits are not scaled."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1x1_theta = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.conv1x1_phi = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.conv1x1_g = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.conv1x1_attn = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.sigma = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, _, height, width = x.shape
        theta = self.conv1x1_theta(x).flatten(2).transpose(1, 2)  # [N, HW, C/8]
        phi = F.max_pool2d(self.conv1x1_phi(x), 2).flatten(2)  # [N, C/8, HW/4]
        g = F.max_pool2d(self.conv1x1_g(x), 2).flatten(2)  # [N, C/2, HW/4]
        attention = torch.softmax(theta @ phi, dim=-1)  # [N, HW, HW/4]
        out = (g @ attention.transpose(1, 2)).view(n, -1, height, width)  # [N, C/2, H, W]
        return x + self.sigma * self.conv1x1_attn(out)


class SAGAN(Generator):
    """StudioGAN's generator: linear, residual blocks with conditional batch norm, one self-attention, tanh.

    Args:
        image_size: 64, 128 or 256 pixels a side.
        z_dim: dimension of z.
        g_conv_dim: channels of the last block.
        num_classes: rows of the class tables.
        attention_after: the block (from 1) after which self-attention stands.
    """

    mixes_classes = True

    def __init__(
        self,
        image_size: int = 128,
        z_dim: int = 128,
        g_conv_dim: int = 64,
        num_classes: int = 1000,
        attention_after: int = 4,
    ) -> None:
        super().__init__()
        self.image_size, self.z_dim, self.num_classes = image_size, z_dim, num_classes
        widths = [g_conv_dim * factor for factor in CHANNELS[image_size]]
        self.linear0 = nn.Linear(z_dim, widths[0] * BOTTOM**2)
        blocks: list[nn.Module] = []
        for number, (channels_in, channels_out) in enumerate(pairwise(widths), start=1):
            blocks.append(GenBlock(channels_in, channels_out, num_classes))
            if number == attention_after:
                blocks.append(SelfAttention(channels_out))
        # Each in a list of its own, as in StudioGAN: its keys are blocks.<i>.0.<name>.
        self.blocks = nn.ModuleList(nn.ModuleList([block]) for block in blocks)
        self.bn4 = nn.BatchNorm2d(widths[-1], eps=EPS, momentum=0.1)
        self.conv2d5 = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def norms(self) -> list[ConditionalBatchNorm]:
        """The conditional batch norms in the order of their use; `synthesise` takes one (gain, bias) for each."""
        blocks = [block for block in self.layers() if isinstance(block, GenBlock)]
        return [norm for block in blocks for norm in (block.bn1, block.bn2)]

    def layers(self) -> list[nn.Module]:
        """Residual blocks and the self-attention in order."""
        return [cast(nn.ModuleList, block)[0] for block in self.blocks]

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        tables = [(norm.embed0.weight, norm.embed1.weight) for norm in self.norms()]  # gain, bias
        return self.synthesise(z, [(of_classes(g, class_index), of_classes(b, class_index)) for g, b in tables])

    def synthesise(self, z: torch.Tensor, affine: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        """Images from z [N, z_dim] and the gain and bias [N, C] of each conditional batch norm."""
        x = self.linear0(z).view(len(z), -1, BOTTOM, BOTTOM).contiguous(memory_format=torch.channels_last)
        pairs = iter(affine)
        for block in self.layers():
            x = block(x, [next(pairs), next(pairs)]) if isinstance(block, GenBlock) else block(x)
        return to_image(self.conv2d5(F.relu_(self.bn4(x))))  # [N, 3, S, S]

    @classmethod
    def from_state(
        cls,
        state: Mapping,
        source: str = "the SAGAN checkpoint",
        error: type[Exception] = EnvironmentFailure,
        **size: int,
    ) -> SAGAN:
        """Build a generator and load a StudioGAN checkpoint of either key format, spectral norm folded in.

        Raises `error` (UserError for a file that the user brings) that names missing, unexpected and mis-shaped keys.
        """
        tensors = fold_checkpoint(state.get("state_dict", state), source, error)
        with torch.device("meta"):
            model = cls(**size)
        expected = model.state_dict()
        tensors = check_state(expected, tensors, source, error)
        model.load_state_dict({key: t.to(expected[key].dtype) for key, t in tensors.items()}, assign=True)
        for block in model.layers():
            if isinstance(block, GenBlock):
                block.conv2d1.fold()
        return model.to(memory_format=torch.channels_last).eval()


def fold_checkpoint(
    state: Mapping[str, torch.Tensor], source: str, error: type[Exception] = EnvironmentFailure
) -> dict[str, torch.Tensor]:
    """StudioGAN's keys and tensors -> this class's: prefixes off, spectral norm folded, class tables as [classes, C].

    Old checkpoints keep conditional gains as `embed0.weight [classes, C]`, new ones as `gain.weight [C, classes]`: the
    matrix is transposed, so spectral norm's u and v have changed places, and their sigma is the same number.
    """
    plain = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    tensors: dict[str, torch.Tensor] = {}
    for key, tensor in plain.items():
        if key.endswith((".weight_u", ".weight_v")) and f"{key[:-2]}_orig" in plain:
            continue
        if key.endswith(".weight_orig"):
            key = key.removesuffix("_orig")
            tensor = tensor / spectral_sigma(plain, key, source, error)
        table = re.fullmatch(r"(blocks\.\d+\.0\.bn[12]\.)(gain|bias)\.weight", key)
        if table:
            key, tensor = f"{table[1]}embed{int(table[2] == 'bias')}.weight", tensor.T.contiguous()
        if key in tensors:
            raise error(f"{source} does not fit: {key} is there twice, in both of StudioGAN's formats")
        tensors[key] = tensor
    return tensors


def spectral_sigma(
    state: Mapping[str, torch.Tensor], key: str, source: str, error: type[Exception] = EnvironmentFailure
) -> torch.Tensor:
    """sigma = u · W v of the matrix W = <key>_orig [rows, columns] and the stored vectors <key>_u and <key>_v."""
    if f"{key}_u" not in state or f"{key}_v" not in state:
        raise error(f"{source} does not fit: {key}_u or {key}_v is missing beside {key}_orig")
    matrix, u, v = state[f"{key}_orig"], state[f"{key}_u"], state[f"{key}_v"]
    if matrix.ndim < 2 or u.shape != matrix.shape[:1] or v.shape != matrix[0].flatten().shape:
        shapes = f"{list(matrix.shape)} with {key}_u {list(u.shape)} and {key}_v {list(v.shape)}"
        raise error(f"{source} does not fit: mis-shaped: {key}_orig {shapes}: one entry for each row and each column")
    return u @ matrix.flatten(1) @ v
