"""Feature extractors for the Fréchet distance: images in, one float64 vector per image out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn


class FeatureExtractor(nn.Module):
    """Maps images float32 [N, 3, image_size, image_size] in [-1, 1] to float32 [N, dim]."""

    dim: int
    image_size: int  # pixels a side that pictures are brought to first


def resized(pictures: Sequence[np.ndarray] | np.ndarray, side: int) -> np.ndarray:
    """Pictures uint8 [H, W, 3], squashed to uint8 [n, side, side, 3]: bilinear, anti-aliased, as torchvision does."""
    if all(picture.shape[:2] == (side, side) for picture in pictures):
        return np.stack(list(pictures))
    small = [Image.fromarray(p).resize((side, side), Image.Resampling.BILINEAR) for p in pictures]
    return np.stack([np.asarray(picture) for picture in small])


class SmallFeatures(FeatureExtractor):
    """The miniature's features: a convolutional classifier of the 1,000 labels, cut off after its pooling.

    Maps images float32 [N, 3, 64, 64] in [-1, 1] to float32 [N, 32]. Few dimensions, so that the covariance of the
    images selected for some 80 captions has full rank.
    """

    dim = 32
    image_size = 64

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 96)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in widths:
            layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        layers += [nn.Conv2d(channels, 128, 3, padding=1, bias=False), nn.BatchNorm2d(128), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.project = nn.Linear(128, self.dim)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.trunk(images)  # [N, 128, 4, 4]
        return self.project(maps.mean(dim=(2, 3)))  # [N, 32]
