"""Nearest upsampling to twice the side, without making the upsampled maps: the same numbers from fewer operations."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class UpsampleConv(nn.Conv2d):
    """Nearest upsampling to twice the side, then a 3x3 convolution with padding 1.

    Each 2x2 square of the upsampled map holds one number four times, so that the nine weights fall on at most four
    different numbers: once `fold` has added them up, the two steps are one transposed convolution with a 4x4 kernel, of
    4/9 of the multiplications. Parameters and state are those of `nn.Conv2d`.
    """

    folded: torch.Tensor | None  # [C_in, C_out, 4, 4]

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1)
        self.register_buffer("folded", None, persistent=False)

    @classmethod
    def of(cls, conv: nn.Conv2d) -> UpsampleConv:
        """Upsampling and then this 3x3 convolution, folded."""
        ours = cls(conv.in_channels, conv.out_channels)
        ours.load_state_dict(conv.state_dict())
        ours.fold()
        return ours.eval()

    def fold(self) -> None:
        """Take the weights as they are now; for inference only."""
        weight = self.weight.detach().flip(2, 3).transpose(0, 1)  # [C_in, C_out, 3, 3]
        shifts = [(right, 1 - right, down, 1 - down) for right in (0, 1) for down in (0, 1)]
        self.folded = torch.stack([F.pad(weight, shift) for shift in shifts]).sum(dim=0)

    def train(self, mode: bool = True) -> UpsampleConv:
        """A step of training would leave the folded weights behind."""
        self.folded = None if mode else self.folded
        return super().train(mode)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C_in, H, W] -> [N, C_out, 2H, 2W]."""
        if self.folded is None:
            return super().forward(F.interpolate(x, scale_factor=2))
        return F.conv_transpose2d(x, self.folded, self.bias, stride=2, padding=1)


def add_upsampled_(x: torch.Tensor, small: torch.Tensor) -> torch.Tensor:
    """x + upsampled(small), in place: x [N, C, 2H, 2W], small [N, C, H, W]."""
    height, width = small.shape[2:]
    squares = x.permute(0, 2, 3, 1).unflatten(1, (height, 2)).unflatten(3, (width, 2))  # [N, H, 2, W, 2, C]
    squares.add_(small.permute(0, 2, 3, 1)[:, :, None, :, None])
    return x
