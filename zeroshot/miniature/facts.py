"""What an annotator notices of a bird: facts, each a noun phrase and mostly a clause, with the usual slips."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from zeroshot.miniature.attributes import Bird
from zeroshot.miniature.words import (
    BILL_NEIGHBOURS,
    BILL_WORDS,
    BREAST_WORDS,
    BUILD_WORDS,
    COLOUR_WORDS,
    HEAD_WORDS,
    JOINT_WORDS,
    NEIGHBOURS,
    PART_WORDS,
    SHADES,
    VAGUE_PHRASES,
)

# How often an annotator begins with a part, and how much of the bird it covers.
_PART_INTEREST = {"belly": 6, "wing": 6, "crown": 5, "breast": 4, "back": 4, "throat": 3, "tail": 3, "face": 2}
_PART_AREA = {"belly": 3, "breast": 3, "back": 3, "wing": 3, "crown": 2, "throat": 1, "face": 1, "tail": 1}
_JOIN_PARTS = 0.5  # chance that a part of the same colour is named in the same breath


@dataclass(frozen=True)
class Fact:
    """One thing said of a bird: `phrase` follows "has" ("a white belly"), `clause` follows "its" ("belly is white").

    The clause is empty where only the phrase is natural ("webbed feet").
    """

    phrase: str
    clause: str = ""


@dataclass(frozen=True)
class Annotator:
    """Someone who looks at one bird: names colours wrongly at `error_rate`, vaguely at `vagueness` (both in [0, 1])."""

    bird: Bird
    rng: random.Random
    error_rate: float
    vagueness: float

    def colour(self, colour: str, vague: bool = True) -> str:
        """A way to say a colour; now and then another's, or only its shade."""
        if self.rng.random() < self.error_rate:
            colour = self.rng.choice(NEIGHBOURS[colour])
        if vague and self.rng.random() < self.vagueness / 2:
            return self.rng.choice(SHADES[colour])
        return self.rng.choice(COLOUR_WORDS[colour])

    def overall(self) -> str:
        """The bird's one or two largest colours: "yellow", "black and white"."""
        ranked = dominant_colours(self.bird)
        if len(ranked) == 1 or ranked[0][1] >= 0.65 or self.rng.random() < 0.3:
            return self.colour(ranked[0][0])
        first, second = (self.colour(name, vague=False) for name, _ in ranked[:2])
        if self.rng.random() < 0.2:
            first, second = second, first
        return f"{first} and {second}" if first != second else first

    def facts(self) -> Iterator[Fact]:
        """Facts in the order in which this annotator notices them, no part twice."""
        weights: dict[str, float] = dict(_PART_INTEREST)
        weights |= {"bill": 7, "legs": 2}
        weights |= {"bars": 4} if self.bird.wing_bars else {}
        weights |= {"pattern": 5} if self.bird.breast_pattern != "plain" else {}
        weights |= {"head": 5} if self.bird.head_pattern != "plain" else {}
        weights |= {"build": 3} if self.bird.build in BUILD_WORDS else {}
        while weights:
            seen = self.rng.choices(list(weights), weights=list(weights.values()))[0]
            if seen in _PART_INTEREST:
                parts = self._joined(seen, [part for part in _PART_INTEREST if part in weights])
                for part in parts:
                    del weights[part]
                yield self._plumage(parts)
                continue
            del weights[seen]
            yield self._particular(seen)

    def vague_fact(self) -> Fact:
        """A statement that says next to nothing, or only how dark the bird is."""
        if self.rng.random() < 0.5:
            shade = self.rng.choice(SHADES[dominant_colours(self.bird)[0][0]])
            return Fact(f"a mostly {shade} body", f"body is mostly {shade}")
        return Fact(self.rng.choice(VAGUE_PHRASES))

    def _joined(self, part: str, free: list[str]) -> list[str]:
        colour = getattr(self.bird, part)
        same = [other for other in free if other != part and getattr(self.bird, other) == colour]
        self.rng.shuffle(same)
        return [part, *[other for other in same if self.rng.random() < _JOIN_PARTS][:2]]

    def _plumage(self, parts: list[str]) -> Fact:
        noun, plural = self._name(parts)
        colour = self.colour(getattr(self.bird, parts[0]))
        return _coloured(colour, noun, plural)

    def _name(self, parts: list[str]) -> tuple[str, bool]:
        joint = JOINT_WORDS.get(frozenset(parts))
        if joint and self.rng.random() < 0.5:
            return self.rng.choice(joint)
        words = [self.rng.choice(PART_WORDS[part]) for part in parts]
        if len(words) == 1:
            return words[0]
        return ", ".join(word for word, _ in words[:-1]) + " and " + words[-1][0], True

    def _particular(self, seen: str) -> Fact:
        bird, rng = self.bird, self.rng
        if seen == "bill":
            return self._bill()
        if seen == "legs":
            noun, plural = rng.choice(PART_WORDS["legs"])
            return _coloured(self.colour(bird.legs), noun, plural)
        if seen == "bars":
            return _coloured(self.colour(bird.mark), rng.choice(("wing bars", "wingbars", "bars on the wings")), True)
        if seen == "pattern":
            words = rng.choice(BREAST_WORDS[bird.breast_pattern])
            place = rng.choice(("breast", "chest", "breast and sides"))
            colour = self.colour(bird.mark)
            return Fact(
                f"{colour} {words} on the {place}", f"{place} {_be('and' in place)} marked with {colour} {words}"
            )
        if seen == "head":
            noun, plural = rng.choice(HEAD_WORDS[bird.head_pattern])
            return _coloured(self.colour(bird.mark), noun, plural)
        return Fact(rng.choice(BUILD_WORDS[bird.build]))

    def _bill(self) -> Fact:
        bird, rng = self.bird, self.rng
        bill = rng.choice(BILL_NEIGHBOURS[bird.bill]) if rng.random() < self.error_rate else bird.bill
        shape, colour = rng.choice(BILL_WORDS[bill]), self.colour(bird.bill_colour)
        noun = rng.choice(("bill", "beak"))
        if rng.random() < 0.6:
            word = rng.choice((shape, shape, colour))
            return Fact(article(f"{word} {noun}"), f"{noun} is {word}")
        words = rng.choice((f"{shape} {colour}", f"{colour} {shape}"))
        return Fact(article(f"{words} {noun}"), f"{noun} is {colour} and {shape}")


def dominant_colours(bird: Bird) -> list[tuple[str, float]]:
    """Colours by the share of the plumage they cover, largest first; the shares sum to 1."""
    areas: dict[str, float] = {}
    for part, area in _PART_AREA.items():
        areas[getattr(bird, part)] = areas.get(getattr(bird, part), 0) + area / sum(_PART_AREA.values())
    return sorted(areas.items(), key=lambda item: (-item[1], item[0]))


def article(phrase: str) -> str:
    """The phrase with its indefinite article."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def _be(plural: bool) -> str:
    return "are" if plural else "is"


def _coloured(colour: str, noun: str, plural: bool) -> Fact:
    phrase = f"{colour} {noun}"
    return Fact(phrase if plural and not _begins_singular(noun) else article(phrase), f"{noun} {_be(plural)} {colour}")


def _begins_singular(noun: str) -> bool:
    """Whether a list of parts begins with a single one: "a white belly and wings"."""
    first = noun.split(" and ")[0].split(", ")[0]
    return " and " in noun and not first.endswith("s")
