"""Two generators learn to draw what the renderer draws: image = render(class attributes, projection of z).

With 1,000 free rows of class gains a generator of this size still draws blobs when its time is over; a small network
that computes them from the class's attributes shares what all yellow things, or all ducks, have in common. At the end
its outputs for the 1,000 labels are written into the generator's ordinary tables, and the network is thrown away.
"""

from __future__ import annotations

import abc
import random

import torch
import torch.nn.functional as F
from torch import nn

from zeroshot.miniature.attributes import ATTRIBUTE_DIM
from zeroshot.miniature.renderer import NUISANCE_DIM, NUISANCES, render
from zeroshot.miniature.training.batches import IMAGE_SIZE, Labels, normals
from zeroshot.miniature.training.pool import draw_pool, pictures
from zeroshot.miniature.training.recipe import StageRecipe
from zeroshot.miniature.training.stage import Stage, step_generators


def nuisance_projection(z_dim: int, seed: int) -> torch.Tensor:
    """Orthonormal rows [NUISANCE_DIM, z_dim]: z ~ N(0, I) gives nuisances ~ N(0, I)."""
    if z_dim < NUISANCE_DIM:
        raise ValueError(f"{NUISANCE_DIM} nuisances do not fit into z of {z_dim} dimensions")
    square = torch.randn(z_dim, z_dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(square).Q[:NUISANCE_DIM].float()


# What moves and bends shapes. It is what convolutions learn last: with all of the world's variety, 2,000 steps gave
# birds of the right colours without edges. So a generator imitates a share of it, but all variety of colours and light.
GEOMETRY = ("x", "y", "scale", "tilt", "head", "bulk", "tail", "patch", "stretch", "horizon")


def generator_spread(geometry_share: float) -> torch.Tensor:
    """Factor of each nuisance in a generator's targets, [NUISANCE_DIM]."""
    return torch.tensor([geometry_share if name in GEOMETRY else 1.0 for name in NUISANCES])


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


# Share of the steps after which batch norms keep their statistics. Those of 32 images are noise in every colour:
# measured at 3,600 steps, an L1 of 0.062 with the batch's statistics and of 0.054 with those of many batches.
FREEZE_AT = 0.55
# An average of weights needs spectral norm vectors of its own: with averaged ones the same L1 was 0.106.
POWER_ITERATIONS = 30


class Distillation(Stage[nn.ModuleDict]):
    """What both generators' stages share: the batch and the loss."""

    geometry_share: float
    edges = 0.0  # weight of the loss on differences of neighbouring pixels

    def __init__(self, device: torch.device, seed: int, recipe: StageRecipe, z_dim: int) -> None:
        torch.manual_seed(seed)
        self.device, self.batch = device, recipe.batch
        self.freeze_at = round(FREEZE_AT * recipe.steps)
        self.labels = Labels(device)
        self.projection = nuisance_projection(z_dim, seed).to(device)
        self.spread = generator_spread(self.geometry_share).to(device)
        self.pool_z, self.pool_class = self.draw(recipe.pool, step_generators(seed, f"{self.name}/pool", 0)[1])
        self.pool = draw_pool(recipe.pool, self.target, self.name)

    def target(self, rows: slice) -> torch.Tensor:
        """What the generator is to draw for a run of the pool's rows, [n, 3, 64, 64] in [-1, 1]."""
        nuisance = self.pool_z[rows] @ self.projection.T * self.spread
        return render(self.labels.attributes[self.pool_class[rows]], nuisance, size=IMAGE_SIZE)

    def draw(self, n: int, torch_rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """z [n, z_dim] and class indices [n] from the training mix."""
        z = normals(n, self.projection.shape[1], torch_rng, self.device)
        return z, self.labels.sample(n, torch_rng).to(self.device)

    @abc.abstractmethod
    def calibrate(self) -> None:
        """Store the statistics of the module's batch norms over many batches."""

    @abc.abstractmethod
    def freeze(self, frozen: bool) -> None:
        """Let the module's batch norms use the stored statistics, or the batch's."""

    @abc.abstractmethod
    def generate(self, module: nn.ModuleDict, z: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """Images [n, 3, 64, 64] in [-1, 1] of z [n, z_dim] and class attributes [n, A]."""

    def loss(self, step: int, rng: random.Random, torch_rng: torch.Generator) -> torch.Tensor:
        if step == self.freeze_at:
            self.calibrate()
        self.freeze(step >= self.freeze_at)
        return picture_loss(*self.pair(torch_rng), self.edges)

    def pair(self, torch_rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch of the module's images and what they were to be, each [n, 3, 64, 64] in [-1, 1]."""
        rows = torch.randint(len(self.pool), (self.batch,), generator=torch_rng)
        target = pictures(self.pool, rows, self.device)
        attributes = self.labels.attributes[self.pool_class[rows.to(self.device)]]  # [n, A]
        return self.generate(self.module, self.pool_z[rows.to(self.device)], attributes), target
