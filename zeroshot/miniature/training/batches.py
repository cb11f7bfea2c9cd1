"""What the stages' batches are drawn from."""

from __future__ import annotations

import torch

from zeroshot.miniature.attributes import encode
from zeroshot.miniature.label_things import BIRD_LABELS, label_things

IMAGE_SIZE = 64  # pixels a side
BIRD_SHARE = 0.4  # of a generator's batch: 59 of 1,000 labels would leave birds as blobs


class Labels:
    """The 1,000 labels as attribute rows, on one device."""

    def __init__(self, device: torch.device) -> None:
        self.things = label_things()
        self.attributes = encode(self.things).to(device)  # [1000, A]
        self.birds = torch.tensor(BIRD_LABELS)

    def sample(self, n: int, rng: torch.Generator) -> torch.Tensor:
        """Class indices int64 [n]: a share of BIRD_SHARE from the 59 birds, the rest from all labels."""
        anything = torch.randint(len(self.things), (n,), generator=rng)
        birds = self.birds[torch.randint(len(self.birds), (n,), generator=rng)]
        return torch.where(torch.rand(n, generator=rng) < BIRD_SHARE, birds, anything)


def normals(n: int, dim: int, rng: torch.Generator, device: torch.device) -> torch.Tensor:
    """Standard normals float32 [n, dim], drawn on the CPU so that every device sees the same."""
    return torch.randn(n, dim, generator=rng).to(device)


def soften(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Blur a random half of the images, a half of those more: a tower must not live by edges that generators lack."""
    n = len(images)
    chance, strength = torch.rand(2, n, 1, 1, 1, generator=rng).to(images.device)
    for kernel, share in ((3, 0.5), (5, 0.25)):
        padded = torch.nn.functional.pad(images, (kernel // 2,) * 4, mode="replicate")
        soft = torch.nn.functional.avg_pool2d(padded, kernel, stride=1)
        images = torch.lerp(images, soft, strength * (chance < share))
    return images
