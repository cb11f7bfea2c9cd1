"""Generators that are wrong in the ways in which people's are, made of one that is sound."""

from __future__ import annotations

import torch
from torch import nn


class Broken(nn.Module):
    """A generator of 1,000 classes, spoilt."""

    num_classes = 1000

    def __init__(self, sound: nn.Module) -> None:
        super().__init__()
        self.sound, self.z_dim, self.image_size = sound, sound.z_dim, sound.image_size
        self.eval()

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """Images of the sound one."""
        return self.sound(z, class_index)


class ZeroToOne(Broken):
    """Values as a picture library has them."""

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return (super().forward(z, class_index) + 1) / 2


class Bytes(Broken):
    """Values as a file has them."""

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return (super().forward(z, class_index) + 1) * 127.5


class OffByOne(Broken):
    """Classes counted from another number, as with a class for the background."""

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return super().forward(z, (class_index + 1) % 1000)


class Shuffled(Broken):
    """Classes in an order of its own."""

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return super().forward(z, (class_index * 7 + 3) % 1000)


class Training(Broken):
    """Batch norm that somebody forgot to put into evaluation mode."""

    def __init__(self, sound: nn.Module) -> None:
        super().__init__(sound)
        self.norm = nn.BatchNorm2d(3, affine=False)
        self.norm.running_mean, self.norm.running_var = torch.full((3,), 0.05), torch.full((3,), 0.1)
        self.norm.train()

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.norm(super().forward(z, class_index)))


class BGR(Broken):
    """Channels as OpenCV has them."""

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return super().forward(z, class_index).flip(1)


class Constant(Broken):
    """One image."""

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return torch.full_like(super().forward(z, class_index), 0.25)


class IgnoresZ(Broken):
    """An image a class."""

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.zeros_like(z), class_index)


class IgnoresClass(Broken):
    """Images of one class only."""

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return super().forward(z, torch.full_like(class_index, 14))


class Collapsed(Broken):
    """A twentieth of its classes give one image each."""

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.where((class_index < 50)[:, None], 0.0, z), class_index)


class Untrained(nn.Module):
    """A small network as it is before its first step."""

    num_classes, z_dim, image_size = 1000, 32, 64

    def __init__(self, _: nn.Module) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.embedding, self.first = nn.Embedding(1000, 32), nn.Linear(64, 64 * 64)
            layers: list[nn.Module] = []
            for before, after in ((64, 48), (48, 32), (32, 16)):
                layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
            self.layers = nn.Sequential(*layers, nn.Conv2d(16, 3, 3, 1, 1), nn.Tanh())
        self.eval()

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """Near-grey images float [N, 3, 64, 64]."""
        x = self.first(torch.cat([z, self.embedding(class_index)], dim=1))
        return self.layers(x.view(-1, 64, 8, 8))
