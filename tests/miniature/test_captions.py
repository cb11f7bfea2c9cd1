"""Captions say what the bird is, mostly, and in many ways."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from zeroshot.miniature import captions as module
from zeroshot.miniature.attributes import BIRD_PARTS, COLOURS, SILHOUETTES, Bird, Object, encode
from zeroshot.miniature.captions import Annotators, caption, corpus, describe, random_bird
from zeroshot.miniature.facts import Annotator, article, dominant_colours
from zeroshot.miniature.plumage import random_object
from zeroshot.miniature.species import SHARED_WITH_LABELS, SPECIES
from zeroshot.miniature.words import COLOUR_WORDS, NEIGHBOURS, PART_WORDS

FACTS = (2, 4, 5)
CAREFUL = Annotators(0, 0, FACTS)
MEANING = {phrase: colour for colour, phrases in COLOUR_WORDS.items() for phrase in phrases}
COLOUR_PATTERN = re.compile(r"\b(" + "|".join(sorted(MEANING, key=len, reverse=True)) + r")\b")


def named(text: str) -> list[str]:
    """The colours that a text names, as keys of COLOURS."""
    return [MEANING[phrase] for phrase in COLOUR_PATTERN.findall(text)]


def colours_of(bird: Bird) -> set[str]:
    return {getattr(bird, part) for part in BIRD_PARTS}


def birds(n: int, seed: int = 0) -> list[Bird]:
    rng = random.Random(seed)
    return [random_bird(rng) for _ in range(n)]


def test_every_colour_has_its_own_words() -> None:
    assert set(COLOUR_WORDS) == set(NEIGHBOURS) == set(COLOURS)
    assert len(MEANING) == sum(len(set(phrases)) for phrases in COLOUR_WORDS.values())
    assert all(set(near) <= set(COLOURS) - {colour} for colour, near in NEIGHBOURS.items())


def test_species_are_many_and_few_are_labels() -> None:
    assert len(SPECIES) >= 66
    assert len(set(SPECIES.values())) == len(SPECIES)
    assert all(re.fullmatch(r"\d{3}\.[A-Z]\w+", name) for name in SPECIES)
    assert len({name[:3] for name in SPECIES}) == len(SPECIES)
    assert set(SHARED_WITH_LABELS) <= set(SPECIES) and len(SHARED_WITH_LABELS) <= 6
    assert sum(bird.build == "perching" for bird in SPECIES.values()) > 0.6 * len(SPECIES)
    assert encode(list(SPECIES.values())).shape[0] == len(SPECIES)
    assert set.union(*map(colours_of, SPECIES.values())) == set(COLOURS)


def test_captions_are_plain_lower_case_sentences() -> None:
    rng = random.Random(1)
    for bird in birds(2000):
        text = caption(bird, rng)
        assert text == text.lower().strip() and text.isascii() and text.isprintable()
        assert 3 <= len(text.split()) <= 40
        assert "{" not in text and "  " not in text and " ," not in text
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]|\ba (wings|legs|feet|cheeks|upperparts)\b", text)


def test_an_exact_annotator_names_only_the_birds_colours() -> None:
    rng = random.Random(2)
    for bird in birds(1000, seed=3):
        text = caption(bird, rng, CAREFUL)
        assert set(named(text)) <= colours_of(bird), text


def test_colours_named_are_mostly_the_birds() -> None:
    rng = random.Random(4)
    pairs = [(colour in colours_of(bird)) for bird in birds(2000, seed=5) for colour in named(caption(bird, rng))]
    assert 0.88 < sum(pairs) / len(pairs) < 0.98  # a neighbouring colour may be the bird's elsewhere


def test_a_part_is_said_in_its_own_colour() -> None:
    bird = Bird(crown="black", face="grey", throat="white", breast="red", belly="yellow", back="olive", wing="blue",
                tail="brown", bill_colour="orange", legs="pink")  # fmt: skip
    annotator = Annotator(bird, random.Random(6), 0.0, 0.0)
    word_of = {word: part for part, words in PART_WORDS.items() for word, _ in words}
    seen = set()
    for _ in range(50):
        for fact in annotator.facts():
            noun = fact.clause.split(" is ")[0].split(" are ")[0]
            if noun in word_of:
                seen.add(word_of[noun])
                assert named(fact.phrase) == [getattr(bird, word_of[noun])]
                assert named(fact.clause) == [getattr(bird, word_of[noun])]
    assert seen == set(PART_WORDS)


def test_one_to_three_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[int] = []
    bird = birds(1, seed=7)[0]
    monkeypatch.setattr(Annotator, "overall", lambda self: "factcolour")
    noticed = module._noticed

    def counted(annotator: Annotator, count: int) -> list:
        facts = noticed(annotator, count)
        listed.append(len(facts))
        return facts

    monkeypatch.setattr(module, "_noticed", counted)
    rng = random.Random(8)
    colours = [caption(bird, rng).count("factcolour") for _ in range(1000)]
    totals = Counter(map(sum, zip(listed, colours, strict=True)))
    assert set(totals) == {1, 2, 3} and min(totals.values()) > 100


def test_error_and_vagueness_are_dials() -> None:
    subjects = birds(800, seed=9)

    def wrong(error_rate: float) -> float:
        rng = random.Random(10)
        said = [(c, bird) for bird in subjects for c in named(caption(bird, rng, Annotators(error_rate, 0, FACTS)))]
        return sum(colour not in colours_of(bird) for colour, bird in said) / len(said)

    def colours(vagueness: float) -> float:
        rng = random.Random(11)
        return sum(len(named(caption(bird, rng, Annotators(0, vagueness, FACTS)))) for bird in subjects)

    assert wrong(0) == 0 < wrong(0.1) < wrong(0.5)
    assert colours(0) > colours(0.3) > colours(0.9)


def test_many_ways_to_say_it() -> None:
    rng = random.Random(12)
    bird = SPECIES["153.Philadelphia_Vireo"]
    texts = [caption(bird, rng) for _ in range(1000)]
    assert len(set(texts)) > 850
    masked = {re.sub(r"\b(" + "|".join(sorted(MEANING, key=len, reverse=True)) + r")\b", "", t)[:14] for t in texts}
    assert len(masked) >= 25
    assert len({t.split(" bird")[0] for t in texts}) >= 25


def test_same_generator_state_same_words() -> None:
    first, second = random.Random("x"), random.Random("x")
    assert [caption(b, first) for b in birds(50)] == [caption(b, second) for b in birds(50)]
    assert corpus(200, seed=3) == corpus(200, seed=3) != corpus(200, seed=4)


def test_corpus_holds_every_word_of_the_captions() -> None:
    words = {word for text in corpus(20_000) for word in re.findall(r"[a-z]+", text)}
    rng = random.Random(13)
    fresh = [caption(bird, rng) for bird in birds(1000, seed=14)] + [
        describe(random_object(rng), rng) for _ in range(500)
    ]
    assert {word for text in fresh for word in re.findall(r"[a-z]+", text)} <= words


def test_objects_are_described_by_shape_and_colour() -> None:
    rng = random.Random(15)
    red, white = COLOURS["red"], COLOURS["white"]
    for silhouette in SILHOUETTES:
        texts = [describe(Object(silhouette, red, white), rng) for _ in range(40)]
        assert all(text.isascii() and text == text.lower() and "{" not in text for text in texts)
        assert all(set(named(text)) <= {"red", "white"} for text in texts)
        assert sum("red" in named(text) for text in texts) > 30
    assert any("car" in describe(Object("car", red, white), rng) for _ in range(5))


def test_random_birds_cover_everything_and_are_plausible() -> None:
    many = birds(3000, seed=16)
    assert {bird.build for bird in many if bird.build != "perching"} and encode(many[:10]).min() >= 0
    for part in ("crown", "belly", "wing", "back"):
        assert {getattr(bird, part) for bird in many} == set(COLOURS)
    alike = sum(bird.breast == bird.belly for bird in many) / len(many)
    upper = sum(bird.back == bird.crown for bird in many) / len(many)
    assert alike > 0.5 and upper > 0.4
    assert 0.6 < sum(bird.build == "perching" for bird in many) / len(many) < 0.85
    assert all(bird.mark not in (bird.crown, bird.face) for bird in many)


def test_dominant_colours_and_articles() -> None:
    ranked = dominant_colours(SPECIES["047.American_Goldfinch"])
    assert ranked[0][0] == "yellow" and sum(share for _, share in ranked) == pytest.approx(1)
    assert article("orange bill") == "an orange bill" and article("grey back") == "a grey back"
