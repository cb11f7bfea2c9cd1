"""What the peers and the project are given: latents, classes, pictures and captions, all from the weights' formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image

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
