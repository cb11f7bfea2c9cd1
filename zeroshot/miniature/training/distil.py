"""Two generators learn to draw what the renderer draws: image = render(class attributes, projection of z).

With 1,000 free rows of class gains a generator of this size still draws blobs when its time is over; a small network
that computes them from the class's attributes shares what all yellow things, or all ducks, have in common. At the end
its outputs for the 1,000 labels are written into the generator's ordinary tables, and the network is thrown away.
"""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from torch import nn

from zeroshot.miniature.attributes import ATTRIBUTE_DIM
from zeroshot.miniature.renderer import NUISANCE_DIM, render
from zeroshot.miniature.training.batches import IMAGE_SIZE, Labels, normals
from zeroshot.miniature.training.stage import Stage

Z_DIM = 32


def nuisance_projection(seed: int = 0) -> torch.Tensor:
    """Orthonormal rows [NUISANCE_DIM, Z_DIM]: z ~ N(0, I) gives nuisances ~ N(0, I)."""
    if NUISANCE_DIM > Z_DIM:
        raise ValueError(f"{NUISANCE_DIM} nuisances do not fit into z of {Z_DIM} dimensions")
    square = torch.randn(Z_DIM, Z_DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(square).Q[:NUISANCE_DIM].float()


def attribute_network(outputs: int, hidden: int = 192) -> nn.Sequential:
    """Class attributes [N, ATTRIBUTE_DIM] -> [N, outputs], near zero at the start."""
    last = nn.Linear(hidden, outputs)
    nn.init.normal_(last.weight, std=0.02)
    nn.init.zeros_(last.bias)
    return nn.Sequential(
        nn.Linear(ATTRIBUTE_DIM, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2), last
    )


def picture_loss(images: torch.Tensor, target: torch.Tensor, edges: float) -> torch.Tensor:
    """L1 on pixels, on 4x averaged pixels (colour of areas) and, weighted by `edges`, on differences of neighbours."""
    loss = F.l1_loss(images, target) + F.l1_loss(F.avg_pool2d(images, 4), F.avg_pool2d(target, 4))
    if edges:
        across, down = images.diff(dim=3) - target.diff(dim=3), images.diff(dim=2) - target.diff(dim=2)
        loss = loss + edges * (across.abs().mean() + down.abs().mean())
    return loss


class Distillation(Stage):
    """What both generators' stages share: the batch and the loss."""

    edges = 0.0

    def __init__(self, device: torch.device, seed: int) -> None:
        self.device = device
        self.labels = Labels(device)
        self.projection = nuisance_projection(seed).to(device)

    def draw(self, n: int, torch_rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """z [n, Z_DIM] and class indices [n] from the training mix."""
        return normals(n, Z_DIM, torch_rng, self.device), self.labels.sample(n, torch_rng).to(self.device)

    def generate(self, z: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """Images [n, 3, 64, 64] in [-1, 1] of the module being trained."""
        raise NotImplementedError

    def loss(self, step: int, rng: random.Random, torch_rng: torch.Generator) -> torch.Tensor:
        z, class_index = self.draw(self.batch, torch_rng)
        attributes = self.labels.attributes[class_index]  # [n, A]
        with torch.no_grad():
            target = render(attributes, z @ self.projection.T, size=IMAGE_SIZE)
        return picture_loss(self.generate(z, attributes), target, self.edges)

    batch: int
