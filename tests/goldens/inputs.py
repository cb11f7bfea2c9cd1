"""What the peers and the project are given: latents, classes, pictures and captions, all from the weights' formula."""

from __future__ import annotations

import torch

from tests.goldens.weights import uniform

CLASSES = (14, 999)  # the second is the last row of every table
Z_DIM = 128


def latents(truncation: float | None = None) -> torch.Tensor:
    """z [2, 128]: of variance 1, or for a truncation within ±2 times it."""
    half_width = 3**0.5 if truncation is None else 2 * truncation
    return torch.from_numpy(uniform("z", (len(CLASSES), Z_DIM), half_width))
