"""What the peers and the project are given: latents, classes, pictures and captions, all from the weights' formula."""

from __future__ import annotations

from typing import Any

import torch

from tests.goldens.weights import uniform

CLASSES = (14, 999)  # the second is the last row of every table
Z_DIM = 128
TRUNCATIONS = (0.02, 0.4, 1.0)

# What the published config.json of biggan-deep-128, -256 and -512 say where they depart from BigGANConfig's defaults.
_UP_TO_256 = [[False, 16, 16], [True, 16, 16], [False, 16, 16], [True, 16, 8], [False, 8, 8], [True, 8, 8]]
_UP_TO_256 += [[False, 8, 8], [True, 8, 4], [False, 4, 4], [True, 4, 2], [False, 2, 2], [True, 2, 1]]
BIGGAN: dict[int, dict[str, Any]] = {
    128: {},
    256: {"output_dim": 256, "layers": _UP_TO_256},
    512: {"output_dim": 512, "layers": [*_UP_TO_256, [False, 1, 1], [True, 1, 1]]},
}


def latents(truncation: float | None = None) -> torch.Tensor:
    """z [2, 128]: of variance 1, or for a truncation within ±2 times it."""
    half_width = 3**0.5 if truncation is None else 2 * truncation
    return torch.from_numpy(uniform("z", (len(CLASSES), Z_DIM), half_width))
