"""The 1,000 labels as things: silhouettes and colours that follow from a name, the same in every process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zeroshot.miniature.attributes import (
    BILLS,
    BREASTS,
    BUILDS,
    COLOURS,
    HEADS,
    SILHOUETTES,
    SIZES,
    Bird,
    Object,
    Thing,
)
from zeroshot.miniature.label_things import label_things
from zeroshot.worlds.labels import read_labels

ROOT = Path(__file__).resolve().parents[2]


def thing(label: str) -> Thing:
    return label_things()[read_labels().index(label)]


@pytest.mark.parametrize(
    ("label", "silhouette"),
    [("tench", "fish"), ("hammerhead", "shark"), ("bullfrog", "frog"), ("box turtle", "turtle"),
     ("green mamba", "snake"), ("tarantula", "spider"), ("tusker", "elephant"), ("beagle", "dog"), ("tabby", "cat"),
     ("ice bear", "bear"),
     ("bee", "insect"), ("monarch", "butterfly"), ("zebra", "horse"), ("gorilla", "monkey"), ("sports car", "car"),
     ("school bus", "truck"), ("airliner", "aeroplane"), ("acoustic guitar", "instrument"), ("wine bottle", "bottle"),
     ("coffee mug", "cup"), ("church", "building"), ("cowboy hat", "hat"), ("running shoe", "shoe"),
     ("lemon", "fruit"), ("daisy", "flower"), ("agaric", "mushroom"), ("alp", "mountain"), ("scuba diver", "person")],
)  # fmt: skip
def test_silhouette_follows_from_the_name(label: str, silhouette: str) -> None:
    found = thing(label)
    assert isinstance(found, Object) and found.silhouette == silhouette


@pytest.mark.parametrize(
    ("label", "build", "breast"),
    [("cock", "fowl", "rufous"), ("ostrich", "ostrich", "black"), ("goldfinch", "perching", "yellow"),
     ("indigo bunting", "perching", "blue"), ("bald eagle", "raptor", "brown"), ("great grey owl", "owl", "grey"),
     ("hummingbird", "hummingbird", "white"), ("toucan", "toucan", "yellow"), ("macaw", "parrot", "red"),
     ("black swan", "duck", "black"), ("flamingo", "heron", "pink"), ("king penguin", "penguin", "white"),
     ("albatross", "gull", "white")],
)  # fmt: skip
def test_bird_follows_from_the_name(label: str, build: str, breast: str) -> None:
    found = thing(label)
    assert isinstance(found, Bird) and (found.build, found.breast) == (build, breast)


@pytest.mark.parametrize(
    ("label", "colour"),
    [("school bus", "yellow"), ("lemon", "yellow"), ("orange", "orange"), ("strawberry", "red"),
     ("green mamba", "green"), ("black widow", "black"), ("white wolf", "white"), ("red fox", "red"),
     ("Granny Smith", "green")],
)  # fmt: skip
def test_a_colour_that_the_name_says_is_drawn(label: str, colour: str) -> None:
    found = thing(label)
    assert isinstance(found, Object)
    nearest = min(COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLOURS[name], found.colour, strict=True)))
    assert nearest == colour


def test_every_field_is_one_that_can_be_drawn() -> None:
    for found in label_things():
        if isinstance(found, Object):
            assert found.silhouette in SILHOUETTES
            assert all(0 <= channel <= 1 for channel in (*found.colour, *found.second, found.variant))
        else:
            assert found.build in BUILDS and found.size in SIZES and found.bill in BILLS
            assert found.breast_pattern in BREASTS and found.head_pattern in HEADS


def test_the_same_in_every_process() -> None:
    here = hashlib.sha256(repr(list(label_things())).encode()).hexdigest()
    code = (
        "import hashlib; from zeroshot.miniature.label_things import label_things;"
        "print(hashlib.sha256(repr(list(label_things())).encode()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "7"},
    )
    assert there.stdout.strip() == here
