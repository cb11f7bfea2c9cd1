"""What people do to images by mistake, undone: the mend that makes labels right names the fault."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from zeroshot.models.generators.suspect import Mechanics, Mend

AS_IT_IS = "as it is"

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as torchvision normalises


def _by_channel(images: torch.Tensor, values: tuple[float, ...]) -> torch.Tensor:
    return images.new_tensor(values)[None, :, None, None]


@dataclass(frozen=True)
class Named:
    """A mend and what it shows to have been done."""

    name: str
    mend: Mend


ZERO_TO_ONE = Named("[0, 1]", lambda images: images * 2 - 1)
BYTES = Named("[0, 255]", lambda images: images / 127.5 - 1)
NORMALISED = Named(
    "ImageNet's mean and standard deviation",
    lambda images: (images * _by_channel(images, _STD) + _by_channel(images, _MEAN)) * 2 - 1,
)
PICTURES = (
    Named(AS_IT_IS, lambda images: images),
    Named("BGR", lambda images: images.flip(1)),
    Named("negative", lambda images: -images),
    Named("upside down", lambda images: images.flip(2)),
    Named("rows and columns swapped", lambda images: images.transpose(2, 3)),
)


def range_of(seen: Mechanics) -> Named | None:
    """The range that images seem to be in where it is not [-1, 1]; None where it is, or is none that is known.

    Values of [0, 1] have to cover half of it: a constant grey is in every range.
    """
    low, high = seen.low, seen.high
    if math.isnan(low):
        return None
    if low >= -0.001 and high <= 1.001 and high - low >= 0.5:
        return ZERO_TO_ONE
    if low >= -1 and 50 < high <= 256:
        return BYTES
    edges = [((side - m) / s) for side in (0.0, 1.0) for m, s in zip(_MEAN, _STD, strict=True)]
    if min(edges) - 0.05 <= low < -1.2 and 1.2 < high <= max(edges) + 0.05:
        return NORMALISED
    return None


def both(first: Named | None, then: Named) -> Mend:
    """One mend behind the other; what is not finite is 0 and the rest cut to [-1, 1] in between."""

    def mend(images: torch.Tensor) -> torch.Tensor:
        images = images if first is None else first.mend(images)
        return then.mend(images.nan_to_num(0.0, 1.0, -1.0).clamp(-1, 1))

    return mend
