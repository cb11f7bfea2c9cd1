"""How a selected image is saved before the Fréchet distance sees it: the protocol's `saved_side` and `saved_bytes`."""

from __future__ import annotations

from collections.abc import Callable

import torch

from zeroshot.models.clip import Clip
from zeroshot.searching.engine import to_bytes
from zeroshot.settings import ProtocolSettings


def as_saved(clip: Clip, protocol: ProtocolSettings) -> Callable[[torch.Tensor], torch.Tensor]:
    """From images float [n, 3, S, S] in [-1, 1] to what is saved, uint8 [n, side, side, 3]: of the tensor that is
    resized for CLIP, where the protocol names a side."""

    def finish(images: torch.Tensor) -> torch.Tensor:
        images = images if protocol.saved_side is None else clip.resized(images, protocol.saved_side)
        return floored(images) if protocol.saved_bytes == "floor" else to_bytes(images)

    return finish


def floored(images: torch.Tensor) -> torch.Tensor:
    """float [n, 3, S, S] -> uint8 [n, S, S, 3]: 256·(x + 1)/2 within 0 … 255, cut to its whole part."""
    scaled = ((images.float() + 1) / 2 * 256).clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
