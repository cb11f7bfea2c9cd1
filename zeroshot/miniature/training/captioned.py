"""Pictures with sentences, for CLIP: birds of random plumage, and the labels both named and described."""

from __future__ import annotations

import random

import torch

from zeroshot.miniature.attributes import encode
from zeroshot.miniature.captions import caption, describe, random_bird
from zeroshot.miniature.renderer import CLUTTER_DIM, NUISANCE_DIM, render
from zeroshot.miniature.training.batches import IMAGE_SIZE, Labels, normals, soften
from zeroshot.miniature.training.pool import draw_pool, pictures, shifted
from zeroshot.miniature.training.stage import step_generators
from zeroshot.miniature.vocabulary import learnt_labels
from zeroshot.worlds.labels import label_prompt

BIRD_SHARE = 0.6  # of the pool and of each batch; the species described in the test split are none of the labels
NAMED_SHARE = 0.2  # of a batch: "An image of jay"; what remains are labels described
CLUTTERED = 2  # every second bird is a cluttered photograph


class Captioned:
    """A pool of pictures on the CPU, whose sentences are made anew each time: no two batches say the same."""

    def __init__(self, size: int, seed: int, device: torch.device) -> None:
        rng, self._torch_rng = step_generators(seed, "clip/pool", 0)
        self.device, self.labels, self.names = device, Labels(device), learnt_labels()
        self.birds = [random_bird(rng) for _ in range(int(size * BIRD_SHARE))]
        self._n_labels = size - len(self.birds)  # label pictures: those of label i are i, i + 1000, … of them
        self.pool = draw_pool(size, self._draw, "clip")

    def _draw(self, rows: slice) -> torch.Tensor:
        birds, n = self.birds[rows], rows.stop - rows.start
        things = torch.arange(rows.start + len(birds), rows.stop) - len(self.birds)
        attributes = torch.cat(
            [encode(birds).to(self.device), self.labels.attributes[things % len(self.labels.things)]]
        )
        nuisance = normals(n, NUISANCE_DIM, self._torch_rng, self.device)
        clutter = normals(n, CLUTTER_DIM, self._torch_rng, self.device)
        images = render(attributes, nuisance, size=IMAGE_SIZE)
        photographs = torch.arange(0, len(birds), CLUTTERED)
        if len(photographs):
            images[photographs] = render(
                attributes[photographs], nuisance[photographs], clutter[photographs], size=IMAGE_SIZE
            )
        return images

    def batch(self, n: int, rng: random.Random, torch_rng: torch.Generator) -> tuple[torch.Tensor, list[str]]:
        """Images [n, 3, 64, 64] in [-1, 1] on the device, and their n sentences."""
        birds = [rng.randrange(len(self.birds)) for _ in range(int(n * BIRD_SHARE))]
        known = min(self._n_labels, len(self.labels.things))
        named = rng.sample(range(known), int(n * NAMED_SHARE))  # distinct: a name twice would be a false negative
        described = rng.choices(range(known), k=n - len(birds) - len(named))
        texts = [caption(self.birds[i], rng) for i in birds]
        texts += [label_prompt(self.names[i]) for i in named]
        texts += [describe(self.labels.things[i], rng) for i in described]
        rows = torch.tensor(birds + [self._picture_of(i, rng) for i in named + described])
        images = pictures(self.pool, rows, self.device)
        return soften(shifted(images, torch_rng), torch_rng), texts

    def _picture_of(self, class_index: int, rng: random.Random) -> int:
        """Row of one of the label's pictures."""
        return len(self.birds) + rng.choice(range(class_index, self._n_labels, len(self.labels.things)))
