"""Batches for the stages: which things, in which nuisance, with which words."""

from __future__ import annotations

import random

import torch

from zeroshot.labels import label_prompt, read_labels
from zeroshot.miniature.attributes import encode
from zeroshot.miniature.captions import caption, describe, random_bird
from zeroshot.miniature.label_things import BIRD_LABELS, label_things
from zeroshot.miniature.renderer import CLUTTER_DIM, NUISANCE_DIM, render

IMAGE_SIZE = 64  # pixels a side
BIRD_SHARE = 0.4  # of a generator's batch: 59 of 1,000 labels would leave birds as blobs


class Labels:
    """The 1,000 labels as attribute rows, on one device."""

    def __init__(self, device: torch.device) -> None:
        self.things = label_things()
        self.names = read_labels()
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
    """Blur a random half of the images a little, as generators do: a tower must not live by the renderer's edges."""
    n = len(images)
    strength = (torch.rand(n, generator=rng) * (torch.rand(n, generator=rng) < 0.5)).to(images.device)[
        :, None, None, None
    ]
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
    return torch.lerp(images, torch.nn.functional.avg_pool2d(padded, 3, stride=1), strength)


def captioned_images(
    n: int, labels: Labels, rng: random.Random, torch_rng: torch.Generator, device: torch.device
) -> tuple[torch.Tensor, list[str]]:
    """Images [n, 3, 64, 64] in [-1, 1] and their sentences: half birds of random plumage (a third of them as
    cluttered photographs), a third named labels ("An image of jay"), the rest described labels."""
    birds = [random_bird(rng) for _ in range(n // 2)]
    named = rng.sample(range(len(labels.things)), n // 3)  # distinct: a name twice would be a false negative
    described = rng.choices(range(len(labels.things)), k=n - len(birds) - len(named))
    texts = [caption(bird, rng) for bird in birds]
    texts += [label_prompt(labels.names[i]) for i in named]
    texts += [describe(labels.things[i], rng) for i in described]
    attributes = torch.cat([encode(birds).to(device), labels.attributes[torch.tensor(named + described)]])
    clean = torch.arange(n) >= n // 6
    images = torch.empty(n, 3, IMAGE_SIZE, IMAGE_SIZE, device=device)
    nuisance = normals(n, NUISANCE_DIM, torch_rng, device)
    clutter = normals(n, CLUTTER_DIM, torch_rng, device)
    images[clean] = render(attributes[clean], nuisance[clean], size=IMAGE_SIZE)
    images[~clean] = render(attributes[~clean], nuisance[~clean], clutter[~clean], size=IMAGE_SIZE)
    return soften(images, torch_rng), texts
