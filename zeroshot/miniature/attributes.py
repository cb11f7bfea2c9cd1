"""What the miniature's renderer can draw and its captions speak of: birds by plumage, other things by a silhouette.

A `Thing` is one row of the renderer's input. `encode` turns it into a float vector of `ATTRIBUTE_DIM` numbers, the only
form in which the renderer, the generators' conditioning network and the training recipe see it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

# sRGB in [0, 1]. The names are those of CUB's attribute list plus the few that bird books need beside them.
COLOURS: dict[str, tuple[float, float, float]] = {
    "black": (0.08, 0.08, 0.09),
    "white": (0.96, 0.96, 0.94),
    "grey": (0.52, 0.53, 0.55),
    "brown": (0.45, 0.29, 0.16),
    "rufous": (0.68, 0.32, 0.13),
    "buff": (0.86, 0.72, 0.50),
    "red": (0.84, 0.10, 0.12),
    "orange": (0.96, 0.52, 0.08),
    "yellow": (0.97, 0.85, 0.12),
    "olive": (0.50, 0.52, 0.20),
    "green": (0.16, 0.58, 0.22),
    "iridescent": (0.08, 0.40, 0.42),
    "blue": (0.14, 0.32, 0.80),
    "purple": (0.44, 0.18, 0.58),
    "pink": (0.97, 0.58, 0.66),
}

BUILDS = (
    "perching",
    "swallow",
    "hummingbird",
    "woodpecker",
    "crow",
    "gull",
    "duck",
    "heron",
    "wader",
    "raptor",
    "owl",
    "fowl",
    "parrot",
    "penguin",
    "ostrich",
    "toucan",
)
BILLS = ("cone", "short", "long", "needle", "dagger", "hooked", "curved", "flat", "massive")
SIZES = ("tiny", "small", "medium", "large", "huge")
BREASTS = ("plain", "streaked", "spotted")
HEADS = ("plain", "mask", "eyebrow", "eye_ring", "crest")
SILHOUETTES = (
    "dog", "cat", "bear", "horse", "monkey", "elephant", "rodent", "fish", "shark", "snake", "lizard", "turtle",
    "frog", "insect", "butterfly", "spider", "crab", "shell", "car", "truck", "boat", "aeroplane", "bottle",
    "cup", "ball", "box", "building", "tower", "chair", "lamp", "tool", "instrument", "clothing", "hat", "shoe",
    "screen", "wheel", "fruit", "vegetable", "flower", "mushroom", "plate", "mountain", "person",
)  # fmt: skip
KINDS = BUILDS + SILHOUETTES

BIRD_PARTS = ("crown", "face", "throat", "breast", "belly", "back", "wing", "tail", "bill_colour", "legs", "mark")


@dataclasses.dataclass(frozen=True)
class Bird:
    """A bird's plumage. Colours are keys of `COLOURS`; the other fields are members of the tuples above."""

    build: str = "perching"
    size: str = "small"
    bill: str = "short"
    crown: str = "brown"
    face: str = "brown"
    throat: str = "white"
    breast: str = "white"
    belly: str = "white"
    back: str = "brown"
    wing: str = "brown"
    tail: str = "brown"
    bill_colour: str = "black"
    legs: str = "black"
    mark: str = "white"  # colour of wing bars, of the breast's streaks or spots, and of the head's pattern
    wing_bars: bool = False
    breast_pattern: str = "plain"
    head_pattern: str = "plain"


@dataclasses.dataclass(frozen=True)
class Object:
    """Not a bird: a silhouette in two colours (sRGB triples in [0, 1]); `variant` in [0, 1] bends proportions."""

    silhouette: str
    colour: tuple[float, float, float]
    second: tuple[float, float, float]
    variant: float = 0.5


Thing = Bird | Object

# Layout of the vector: kind (one-hot), eleven part colours (RGB each), then scalars.
_COLOUR_START = len(KINDS)
_SCALARS = _COLOUR_START + 3 * len(BIRD_PARTS)
SCALAR_NAMES = (
    "size",
    "variant",
    "wing_bars",
    *(f"breast_{b}" for b in BREASTS),
    *(f"head_{h}" for h in HEADS),
    *(f"bill_{b}" for b in BILLS),
)
ATTRIBUTE_DIM = _SCALARS + len(SCALAR_NAMES)


def colour_slice(part: str) -> slice:
    """Columns of a bird part's RGB in the encoded vector. Objects keep their two colours in `crown` and `breast`."""
    start = _COLOUR_START + 3 * BIRD_PARTS.index(part)
    return slice(start, start + 3)


def scalar_index(name: str) -> int:
    """Column of a scalar attribute (`SCALAR_NAMES`) in the encoded vector."""
    return _SCALARS + SCALAR_NAMES.index(name)


def encode(things: Sequence[Thing]) -> torch.Tensor:
    """Encode things as float32 [N, ATTRIBUTE_DIM], every entry in [0, 1]."""
    rows = torch.zeros(len(things), ATTRIBUTE_DIM)
    for row, thing in zip(rows, things, strict=True):
        if isinstance(thing, Object):
            row[KINDS.index(thing.silhouette)] = 1
            row[colour_slice("crown")] = torch.tensor(thing.colour)
            row[colour_slice("breast")] = torch.tensor(thing.second)
            row[scalar_index("variant")] = thing.variant
            continue
        row[KINDS.index(thing.build)] = 1
        for part in BIRD_PARTS:
            row[colour_slice(part)] = torch.tensor(COLOURS[getattr(thing, part)])
        row[scalar_index("size")] = SIZES.index(thing.size) / (len(SIZES) - 1)
        row[scalar_index("wing_bars")] = float(thing.wing_bars)
        row[scalar_index(f"breast_{thing.breast_pattern}")] = 1
        row[scalar_index(f"head_{thing.head_pattern}")] = 1
        row[scalar_index(f"bill_{thing.bill}")] = 1
    return rows
