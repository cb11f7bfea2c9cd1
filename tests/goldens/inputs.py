"""What the peers and the project are given: latents, classes, pictures and captions, all from the weights' formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.models import inception_v3

from tests.goldens.weights import picture, uniform

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


CAPTIONS = (
    "this bird has a yellow belly and black wings",
    "An image of Jay",
    "",
    "  A  bird\twith\na RED  head.  ",
    "it's the bird's; they've said it'll fly, we're sure, don't you?",
    "a &lt;blue&gt; bird &amp;amp; its nest",
    "naÃ¯ve cafÃ© bird of MarÃ\xada, â€œquotedâ€\x9d",  # UTF-8 that was read as Windows-1252, which ftfy repairs
    "“curled” ‘quotes’ – and—dashes… ½ of ﬁve birds",
    "1000 birds, 3.14 of them, in 2023_04_05",
    "蓝色的鸟 и синяя птица 🐦🐦 𝒷𝒾𝓇𝒹",
    "great_white_shark!!! ???... #bird @bird https://birds.example/?q=1&p=2",
    "an extraordinarily multicoloured floccinaucinihilipilificatious bird " * 9,  # longer than the context
)
# What the project reads otherwise, and how: CLIP's own markers are spelt out, and what no reader sees is taken out.
READ_OTHERWISE = {
    "a bird <|startoftext|> with a red head": "a bird < |startoftext| > with a red head",
    "a blue\u00adgrey bird\u200b with\x00a red head": "a bluegrey bird with a red head",
}
SPOKEN = CAPTIONS[:6]  # of which embeddings are compared


def photographs() -> list[Image.Image]:
    """Pictures for CLIP: of its own side, larger, and wide."""
    bytes_ = [picture(f"photograph {side}", side).transpose(1, 2, 0) for side in (224, 256, 320)]
    return [Image.fromarray(np.ascontiguousarray(one)) for one in (bytes_[0], bytes_[1], bytes_[2][:240])]


SIDES = (128, 256, 299, 512)  # of the pictures that Inception is given


def inception_picture(side: int) -> torch.Tensor:
    """uint8 [1, 3, side, side]."""
    return torch.from_numpy(picture("inception", side))[None]


def inception_shapes() -> dict[str, tuple[int, ...]]:
    """Keys and shapes of pt_inception-2015-12-05-6726825d.pth: torchvision's network with 1,008 classes."""
    with torch.device("meta"):
        network = inception_v3(num_classes=1008, aux_logits=False, init_weights=False)
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


# Numbers of photographs, of selected images and of features.
_SETS = {"n > d": (300, 200, 64), "n < d": (40, 30, 128), "n = 2": (2, 2, 16)}
FRECHET = (*_SETS, "identical, n > d", "identical, n < d")


def frechet_features(case: str) -> tuple[np.ndarray, np.ndarray]:
    """Features float64 [n, d] and [m, d] of two sets that share directions of their spread but not its size."""
    if case.startswith("identical, "):
        return (frechet_features(case.removeprefix("identical, "))[0],) * 2
    n, m, d = _SETS[case]
    return _spread("photographs", n, d, 0.0), _spread("selected", m, d, 0.25)


def _spread(name: str, n: int, d: int, moved: float) -> np.ndarray:
    own, shared = uniform(f"own {name}", (n, d)).astype(float), uniform(f"shared {name}", (n, 5)).astype(float)
    widths = uniform(f"widths {name}", (d,), 0.5, 1.0).astype(float)
    return own * widths + 2 * shared[:, np.arange(d) % 5] + moved
