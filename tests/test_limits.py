"""Bounds and names: every setting out of them is refused by one line with what was given and what is allowed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from zeroshot.errors import UserError
from zeroshot.limits import check_folder, check_text, check_values
from zeroshot.settings import RunSettings
from zeroshot.worlds.labels import label_prompt
from zeroshot.worlds.parts import default_run

RUN = default_run("miniature", "sagan")


def changed(**fields: Any) -> RunSettings:
    """The run's settings with fields as `room__field` or `field` replaced."""
    settings = RUN
    for key, value in fields.items():
        room, _, field = key.rpartition("__")
        value = dataclasses.replace(getattr(settings, room), **{field: value}) if room else value
        settings = dataclasses.replace(settings, **{room or field: value})
    return settings


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"b_max": 10**12}, r"b_max = 1000000000000, but at most 100,000 images"),
        ({"b_max": 100_000, "captions": 2778}, r"277,800,000 scores, but a run holds at most 200,000,000"),
        ({"captions": 10**30}, r"captions = 1000000+, but at most 10,000,000"),
        ({"captions": -1}, r"captions = -1, but at least one"),
        ({"batch_size": 10**9}, r"batch_size = 1000000000, but a batch holds 1 to 65,536"),
        ({"batch_size": True}, r"batch_size = True, but allowed are auto and a number"),
        ({"seed": 2**63}, r"seed = 9223372036854775808, but seeds are counted from 0 to 9223372036854775807"),
        ({"k": 1001}, r"k = 1001, but this world has 1,000 labels"),
        ({"search__k": []}, r"search\.k is empty"),
        ({"search__k": [1, 10, 1]}, r"search\.k = \[1, 10, 1\] names 1 more than once"),
        ({"protocol__saved_side": 10**6}, r"protocol\.saved_side = 1000000, but allowed is null or 1 to 8,192"),
        ({"protocol__caption_characters": 0}, r"caption_characters = 0, but allowed is null or 1 to 10,000"),
        ({"protocol__label_prompt": "an image"}, r"label_prompt = 'an image', but it must contain \{label\}"),
        ({"protocol__label_prompt": "{label}" * 9999}, r"label_prompt = '\{label\}.*at most 10,000 characters"),
        ({"generator__name": "../../../x"}, r"generator\.name = '\.\./\.\./\.\./x', but a name is made of"),
        ({"generator__name": ""}, r"generator\.name = '', but a name"),
        ({"generator__name": "a" * 10_000}, r"generator\.name = 'a{70,79}, but a name"),
        ({"generator__name": "a\nb"}, r"generator\.name = 'a\\nb', but a name"),
        ({"world__name": "/etc"}, r"world\.name = '/etc', but a name"),
        ({"protocol__name": "paper/.."}, r"protocol\.name = 'paper/\.\.', but a name"),
        ({"features__name": "vgg"}, r"features\.name = 'vgg', but allowed is small, inception"),
        ({"precision": "x" * 500}, r"precision = 'x{70,79}, but allowed is fp32"),
    ],
)
def test_settings_out_of_bounds_are_refused_when_they_come_in(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told) as refused:
        changed(**fields)
    assert len(str(refused.value)) < 300 and "\n" not in str(refused.value)


def test_what_is_at_a_bound_is_allowed() -> None:
    assert changed(b_max=100_000, captions=2000).b_max == 100_000
    assert changed(generator__name="a" * 64, seed=2**63 - 1, k=1000, batch_size=65_536).k == 1000


def test_texts_folders_and_lists() -> None:
    for folder in ("", " "):
        with pytest.raises(UserError, match=r"output = .*, but it must name a folder"):
            check_folder("output", folder)
    for folder in ("a\0b", "a/" * 2500, "x" * 300):
        with pytest.raises(UserError, match=r"output = .{1,90}, but .*a path has at most"):
            check_folder("output", folder)
    with pytest.raises(UserError, match=r"prompt has 1,000,000 characters \('a{30,39} …\), but at most 10,000"):
        check_text("prompt", "a" * 1_000_000)
    with pytest.raises(UserError, match=r"seeds = \[7, 8, 7\] names 7 more than once"):
        check_values("seeds", [7, 8, 7])


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("An image of {label}", "An image of a {x} fish"),
        ("{label} {x}", "a {x} fish {x}"),
        ("{0} {label}", "{0} a {x} fish"),
        ("{label.__class__} {label}", "{label.__class__} a {x} fish"),
        ("100 % {label} {", "100 % a {x} fish {"),
    ],
)
def test_in_a_label_prompt_only_the_label_is_replaced(template: str, sentence: str) -> None:
    assert label_prompt("a {x} fish", template) == sentence
    assert changed(protocol__label_prompt=template)
