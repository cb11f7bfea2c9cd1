"""Generators that know nothing: what a measure gives for noise, and for one grey image, is its floor."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

_SIDE = 32  # of the grid of independent values; larger images show each as a square


class Noise(nn.Module):
    """Every value normal with a standard deviation of 1/2, whatever the class, cut to [-1, 1]."""

    z_dim = 3 * _SIDE * _SIDE
    num_classes = 1000

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """Images float32 [N, 3, image_size, image_size]."""
        return F.interpolate((z / 2).clamp(-1, 1).view(-1, 3, _SIDE, _SIDE), (self.image_size, self.image_size))


class Grey(nn.Module):
    """The same grey image, whatever z and class."""

    z_dim = 1
    num_classes = 1000

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """Images float32 [N, 3, image_size, image_size], all 0."""
        return z.new_zeros(len(z), 3, self.image_size, self.image_size)
