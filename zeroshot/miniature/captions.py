"""Sentences about what the miniature draws: captions in the manner of CUB's annotators, descriptions of other things.

CUB's captions (Reed et al. 2016, "Learning Deep Representations of Fine-Grained Visual Descriptions") were written by
people who saw one photograph and named parts and colours, never the species. The sentences here are composed anew from
a bird's attributes; like people, the annotators err, are vague and leave things out.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from zeroshot.miniature.attributes import COLOURS, Bird, Thing
from zeroshot.miniature.facts import Annotator, Fact, article
from zeroshot.miniature.plumage import random_bird, random_object
from zeroshot.miniature.words import BUILD_NOUNS, COLOUR_WORDS, SHADES, SILHOUETTE_WORDS, SIZE_WORDS

__all__ = ["CUB", "WEB", "Annotators", "caption", "corpus", "describe", "random_bird"]


@dataclass(frozen=True)
class Annotators:
    """How people describe what they see.

    error_rate: chance in [0, 1] that a colour or a bill's shape is taken for a neighbouring one.
    vagueness: chance in [0, 1], per fact, that it is left out or replaced by a vague statement (each half of it); a
        colour is also said as a mere shade ("dark wings") at half this chance.
    facts: weights of one, two and three facts in a sentence.
    """

    error_rate: float
    vagueness: float
    facts: tuple[int, int, int]


WEB = Annotators(0.1, 0.2, (2, 4, 5))  # what CLIP learns from
CUB = Annotators(0.03, 0.06, (1, 4, 10))  # people who were asked for a detailed sentence, one photograph before them

# {this}: "this small bird", {a}: "a small bird", {list}: "a white belly and black wings", {one}: "wings are black".
_LISTS = (
    "{this} has {list}",
    "{this} has {list}",
    "{this} has {list}",
    "{a} with {list}",
    "{a} with {list}",
    "{this} with {list}",
    "this is {a} with {list}",
    "this is {a} that has {list}",
    "this is {a} which has {list}",
    "{a} that has {list}",
    "{a} having {list}",
    "{this} features {list}",
    "{this} displays {list}",
    "{this} shows {list}",
    "{this} sports {list}",
    "{this} is marked by {list}",
    "there is {a} with {list}",
    "here is {a} with {list}",
    "we see {a} with {list}",
    "{list} can be seen on {this}",
    "{list} on {a}",
    "{a} showing {list}",
    "{this} stands out with {list}",
    "you can tell {this} by {list}",
    "{this} has got {list}",
)
_ONE_CLAUSE = (
    "{a} whose {one}",
    "the {one} on {this}",
    "{this} is one whose {one}",
    "its {one}",
    "here is {a}, its {one}",
)
_LIST_AND_CLAUSE = (
    "{this} has {list}, and its {one}",
    "{this} has {list} and the {one}",
    "{this} has {list}, while its {one}",
    "{a} with {list}, the {one}",
    "the {one}, and {this} has {list}",
    "while its {one}, {this} has {list}",
    "{a} whose {one}, with {list}",
    "its {one} and it has {list}",
    "this is {a} with {list} and its {one}",
    "{this} has {list}; the {one}",
)
_TWO_CLAUSES = (
    "its {one}, and its {two}",
    "the {one} and the {two}",
    "{a} whose {one} and whose {two}",
    "the {one}, while the {two}",
    "on {this} the {one} and the {two}",
)
_NO_FACTS = (
    "{this} is {overall} all over",
    "this is {a} that is mostly {overall}",
    "{a} that is {overall}",
    "{this} is mainly {overall} in color",
    "the overall color of {this} is {overall}",
)
# Said first, then the facts as a list.
_OVERALL_FIRST = (
    "{this} is {overall} with {list}",
    "{this} is {overall} and has {list}",
    "{this} is {overall} in color, with {list}",
    "{this} is mostly {overall}, but it has {list}",
    "{a} that is {overall} with {list}",
    "{this} is nearly all {overall}, showing {list}",
)
_JOINS = (" and ", " and ", " and ", " and also ", " as well as ", " along with ", " plus ", " with ")


def caption(bird: Bird, rng: random.Random, annotators: Annotators = WEB) -> str:
    """One lower-case ASCII sentence of one to three facts about a bird, without its name or a full stop.

    Args:
        bird: what the annotator sees.
        rng: where all choices come from.
        annotators: how carefully it is described.

    Example:
        >>> caption(Bird(belly="yellow"), random.Random(5), Annotators(0, 0, (2, 4, 5)))
        'a little bird whose legs are black, with a short pointed black bill plus brown tail feathers, wings and back'
    """
    annotator = Annotator(bird, rng, annotators.error_rate, annotators.vagueness)
    budget = rng.choices((1, 2, 3), weights=annotators.facts)[0]
    with_overall = rng.random() < 0.4
    facts = _noticed(annotator, budget - with_overall)
    size = rng.choice(SIZE_WORDS[bird.size]) if rng.random() < 0.45 else ""
    noun = rng.choice(BUILD_NOUNS[bird.build]) if rng.random() < 0.15 else "bird"
    if not facts or (with_overall and rng.random() < 0.4):
        return _fill(rng, rng.choice(_OVERALL_FIRST if facts else _NO_FACTS), size, noun, facts, annotator.overall())
    adjectives = f"{size} {annotator.overall()}".strip() if with_overall else size
    return _fill(rng, _template(rng, facts), adjectives, noun, facts)


def _noticed(annotator: Annotator, count: int) -> list[Fact]:
    """`count` facts, fewer where one is left out; a vague one in the place of some."""
    facts = []
    for fact, _ in zip(annotator.facts(), range(count), strict=False):
        chance = annotator.rng.random()
        if chance >= annotator.vagueness:
            facts.append(fact)
        elif chance >= annotator.vagueness / 2:
            facts.append(annotator.vague_fact())
    return facts


def _template(rng: random.Random, facts: list[Fact]) -> str:
    clauses = sum(bool(fact.clause) for fact in facts)
    if not clauses or rng.random() < 0.7:
        return rng.choice(_LISTS)
    if len(facts) == 1:
        return rng.choice(_ONE_CLAUSE)
    if len(facts) == clauses == 2 and rng.random() < 0.4:
        return rng.choice(_TWO_CLAUSES)
    return rng.choice(_LIST_AND_CLAUSE)


def _fill(rng: random.Random, template: str, adjectives: str, noun: str, facts: list[Fact], overall: str = "") -> str:
    facts = sorted(facts, key=lambda fact: bool(fact.clause))  # clauses are made of the last ones
    clauses = [fact.clause for fact in facts[::-1]]
    listed = facts[: len(facts) - template.count("{one}")]
    subject = f"{adjectives} {noun}".strip()
    one = subject if template.startswith("{a}") and rng.random() < 0.2 else article(subject)
    return template.format(
        this=rng.choice(("this", "this", "this", "the")) + " " + subject,
        a=one,
        list=_join(rng, [fact.phrase for fact in listed]),
        one=clauses[0] if clauses else "",
        two=clauses[1] if len(clauses) > 1 else "",
        overall=overall,
    )


def _join(rng: random.Random, phrases: list[str]) -> str:
    if len(phrases) < 2:
        return "".join(phrases)
    last = rng.choice((*_JOINS, ", ")) if len(phrases) == 2 else rng.choice((", and ", ", and ", *_JOINS))
    return ", ".join(phrases[:-1]) + last + phrases[-1]


_DESCRIPTIONS = (
    "a photo of {thing}",
    "a picture of {thing}",
    "{thing}",
    "{thing}",
    "this is {thing}",
    "here is {thing}",
    "there is {thing}",
    "we see {thing}",
    "something like {thing}",
    "it looks like {thing}",
    "this photo shows {thing}",
    "{thing} in front of a plain background",
)
_SECONDS = ("{thing} with {second} parts", "{thing} with some {second}", "{thing} and {second} details",
            "{thing} that is partly {second}")  # fmt: skip


def describe(thing: Thing, rng: random.Random) -> str:
    """One lower-case ASCII sentence about anything: a bird's caption, or an object by its shape and colours."""
    if isinstance(thing, Bird):
        return caption(thing, rng)
    colour, noun = _say_rgb(thing.colour, rng), rng.choice(SILHOUETTE_WORDS[thing.silhouette])
    adjectives = " ".join(rng.sample(("small", "simple", "single", "big", "plain"), 1)) if rng.random() < 0.2 else ""
    shaped = rng.random()
    if shaped < 0.75:
        words = article(f"{adjectives} {colour} {noun}".strip())
    elif shaped < 0.85:
        words = article(f"{adjectives} {noun} that is {colour}".strip())
    else:
        words = article(f"{colour} thing {rng.choice(('shaped like', 'like', 'that looks like'))} {article(noun)}")
    if rng.random() < 0.5:
        words = rng.choice(_SECONDS).format(thing=words, second=_say_rgb(thing.second, rng))
    return rng.choice(_DESCRIPTIONS).format(thing=words)


def _say_rgb(rgb: tuple[float, float, float], rng: random.Random) -> str:
    """A way to say the named colour nearest to an sRGB triple in [0, 1]."""

    def distance(name: str) -> float:
        return sum((a - b) ** 2 for a, b in zip(COLOURS[name], rgb, strict=True))

    name = min(COLOURS, key=distance)
    return rng.choice(SHADES[name] if rng.random() < 0.05 else COLOUR_WORDS[name])


def corpus(n: int, seed: int = 0) -> list[str]:
    """n example sentences for a tokeniser's vocabulary: three captions of random birds to each described object."""
    rng = random.Random(f"corpus {seed}")
    return [describe(random_object(rng) if i % 4 == 3 else random_bird(rng), rng) for i in range(n)]
