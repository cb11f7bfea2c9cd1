"""Things of random appearance: birds whose parts agree as real plumage does, and silhouettes of any two colours."""

from __future__ import annotations

import dataclasses
import random

from zeroshot.miniature.attributes import BILLS, BREASTS, BUILDS, COLOURS, HEADS, SILHOUETTES, SIZES, Bird, Object

_COLOUR_WEIGHTS = {
    "black": 9, "white": 6, "grey": 8, "brown": 9, "rufous": 5, "buff": 5, "red": 6, "orange": 4, "yellow": 8,
    "olive": 6, "green": 4, "iridescent": 2, "blue": 6, "purple": 2, "pink": 2,
}  # fmt: skip
_LIGHT_WEIGHTS = {"white": 8, "buff": 4, "yellow": 5, "grey": 3, "orange": 1, "pink": 1}
_BARE_WEIGHTS = {
    "black": 6, "grey": 5, "orange": 3, "yellow": 3, "pink": 3, "brown": 3, "red": 1, "olive": 1, "buff": 1,
}  # fmt: skip
# The sizes and bills that suit a build; the first is the commonest.
_SUITS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "perching": (("small", "tiny", "medium"), ("short", "cone", "long", "dagger", "curved", "hooked")),
    "swallow": (("small", "tiny"), ("short", "flat")),
    "hummingbird": (("tiny", "small"), ("needle", "long", "curved")),
    "woodpecker": (("medium", "small", "large"), ("dagger", "long")),
    "crow": (("medium", "large"), ("massive", "long", "dagger")),
    "gull": (("large", "huge", "medium"), ("hooked", "dagger", "long")),
    "duck": (("large", "medium"), ("flat", "dagger", "short", "hooked")),
    "heron": (("huge", "large"), ("dagger", "long")),
    "wader": (("medium", "small"), ("long", "needle", "curved")),
    "raptor": (("large", "huge", "medium"), ("hooked",)),
    "owl": (("large", "medium"), ("hooked", "short")),
    "fowl": (("large", "medium"), ("short", "cone")),
    "parrot": (("medium", "large"), ("hooked", "massive")),
    "penguin": (("large", "medium"), ("dagger", "massive", "short")),
    "ostrich": (("huge", "large"), ("flat", "short")),
    "toucan": (("medium", "large"), ("massive",)),
}
_PERCHING_SHARE = 0.7
_UPPER = ("crown", "face", "back", "wing", "tail")
_LOWER = ("throat", "breast", "belly")
_HOOD = ("crown", "face", "throat")


def _pick(rng: random.Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), weights=list(weights.values()))[0]


def _colours(rng: random.Random) -> dict[str, str]:
    """Colours of the eight feathered parts: one of six schemes, then a few parts of their own."""
    main, second = _pick(rng, _COLOUR_WEIGHTS), _pick(rng, _COLOUR_WEIGHTS)
    light = _pick(rng, _LIGHT_WEIGHTS)
    upper, lower = dict.fromkeys(_UPPER, main), dict.fromkeys(_LOWER, light)
    scheme = rng.choice(("countershaded", "countershaded", "uniform", "hooded", "winged", "two", "free"))
    if scheme == "countershaded":
        parts = upper | lower
    elif scheme == "uniform":
        parts = upper | dict.fromkeys(_LOWER, main)
    elif scheme == "hooded":
        parts = upper | lower | dict.fromkeys(_HOOD, second)
    elif scheme == "winged":
        parts = upper | dict.fromkeys(_LOWER, main) | dict.fromkeys(("wing", "tail"), second)
    elif scheme == "two":
        parts = upper | dict.fromkeys(_LOWER, second)
    else:
        parts = {part: _pick(rng, _COLOUR_WEIGHTS) for part in (*_UPPER, *_LOWER)}
    for part in rng.sample(list(parts), rng.choice((0, 1, 1, 2, 2, 3))):
        parts[part] = _pick(rng, _COLOUR_WEIGHTS)
    return parts


def random_bird(rng: random.Random) -> Bird:
    """A bird of random plumage: upper parts often alike, breast and belly often alike, mostly a perching bird."""
    build = "perching" if rng.random() < _PERCHING_SHARE else rng.choice(BUILDS)
    sizes, bills = _SUITS[build]
    bird = Bird(
        build=build,
        size=sizes[0] if rng.random() < 0.5 else rng.choice(sizes),
        bill=rng.choice(bills) if rng.random() < 0.9 else rng.choice(BILLS),
        bill_colour=_pick(rng, _BARE_WEIGHTS),
        legs=_pick(rng, _BARE_WEIGHTS),
        wing_bars=rng.random() < 0.25,
        breast_pattern=rng.choices(BREASTS, weights=(8, 2, 1))[0],
        head_pattern=rng.choices(HEADS, weights=(6, 1, 1, 1, 1))[0],
        **_colours(rng),
    )
    if rng.random() < 0.05:
        bird = dataclasses.replace(bird, size=rng.choice(SIZES))
    return dataclasses.replace(bird, mark=_mark(bird, rng))


def _mark(bird: Bird, rng: random.Random) -> str:
    """A colour that is seen on the parts it lies on."""
    under = {bird.crown, bird.face}
    under |= {bird.wing} if bird.wing_bars else set()
    under |= {bird.breast} if bird.breast_pattern != "plain" else set()
    weights = dict.fromkeys(COLOURS, 1) | {"white": 6, "black": 5, "brown": 2, "yellow": 2}
    return _pick(rng, {name: weight for name, weight in weights.items() if name not in under})


def random_object(rng: random.Random) -> Object:
    """Any silhouette in two colours: near a named colour, or any point of the sRGB cube."""

    def colour() -> tuple[float, float, float]:
        if rng.random() < 0.4:
            return (rng.random(), rng.random(), rng.random())
        r, g, b = (min(1.0, max(0.0, c + rng.gauss(0, 0.05))) for c in rng.choice(list(COLOURS.values())))
        return (r, g, b)

    return Object(rng.choice(SILHOUETTES), colour(), colour(), rng.random())
