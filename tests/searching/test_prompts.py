"""Prompts: what is refused, what weights mean, and that what people type arrives as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.prompts import choose_prompts, read_prompts, take_prompts
from zeroshot.errors import UserError
from zeroshot.searching.prompts import combined, weighted

AWKWARD = 'it\'s a bird, red: {bright} = [yes] "quoted" 鳥 ${world.name} $5 \\'
RNG = np.random.default_rng(0)


def unit(*shape: int) -> np.ndarray:
    vectors = RNG.standard_normal(shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def test_a_plain_text_is_a_pair_of_weight_one() -> None:
    assert weighted("a bird") == (("a bird", 1.0),)
    assert weighted([["a bird", 1], ["a car", -0.5]]) == (("a bird", 1.0), ("a car", -0.5))  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "at least one word"),
        ([], "prompts is empty"),
        ([("  ", 1)], "at least one word"),
        (["a bird"], "prompt 1 is 'a bird', but each is a text and its weight"),
        ([("a bird", 1, 2)], "prompt 1 is"),
        ([(3, 1)], "prompt 1 is"),
        ([("a bird", "1")], "weight 1 is '1'"),
        ([("a bird", True)], "weight 1 is True"),
        ([("a bird", 1), ("a car", float("nan"))], "weight 2 is nan"),
        ([("a bird", float("inf"))], "weight 1 is inf"),
        ([("a bird", 10**400)], "weight 1 is inf"),
        ([("a bird", 0), ("a car", 0.0)], "all weights are 0"),
        ("a \udcff bird", "not UTF-8 at character 3"),
    ],
)
def test_prompts_that_mean_nothing_are_refused_in_one_line(prompt: object, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        weighted(prompt)  # type: ignore[arg-type]
    assert len(str(refused.value).splitlines()) == 1


def test_images_are_ordered_as_by_the_weighted_sum_of_cosines() -> None:
    texts, images, weights = unit(3, 16), unit(50, 16), [2.0, -0.5, 1.0]
    h = combined(texts, weights)
    assert h.shape == (1, 16) and np.linalg.norm(h) == pytest.approx(1)
    total = images @ (np.array(weights) @ texts)
    length = np.linalg.norm(np.array(weights) @ texts)
    np.testing.assert_allclose(images @ h[0] * length, total, atol=1e-6)
    np.testing.assert_allclose(combined(texts, [w * (1e308 / 2) for w in weights]), h, atol=1e-12)


def test_one_text_keeps_its_vector_and_a_negative_one_turns_it() -> None:
    text = unit(1, 16)
    assert combined(text, [0.3]) is text
    np.testing.assert_allclose(combined(text, [-3.0]), -text, atol=1e-6)


def test_texts_that_cancel_are_refused() -> None:
    text = unit(1, 16)
    with pytest.raises(UserError, match=r"weights 1, -0.25, -0.75 cancel"):
        combined(np.concatenate([text, text, text]), [1, -0.25, -0.75])


def test_prompts_are_taken_as_they_are_typed() -> None:
    typed = [f"prompt={AWKWARD}", "k=3", "-m", "generator=sagan,biggan", "--config-dir", "conf", "~experiment"]
    taken, left = take_prompts(typed)
    assert taken == {"prompt": AWKWARD} and left == typed[1:]
    assert choose_prompts(taken, {}) == [((AWKWARD, 1.0),)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prompt=a", "small", "bird"], "'small' stands alone: put the whole prompt into quotes"),
        (["a small bird"], "'a small bird' stands alone"),
        (["prompt=a", "prompt=b"], "prompt is given twice"),
    ],
)
def test_a_prompt_without_quotes_is_noticed(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        take_prompts(arguments)


def test_the_command_line_comes_first_then_the_configuration_then_the_environment() -> None:
    configured, environment = {"prompt": None, "prompts": [["from yaml", 2]]}, {"ZEROSHOT_PROMPT": "from make"}
    assert choose_prompts({"prompt": "typed"}, configured, environment) == [(("typed", 1.0),)]
    assert choose_prompts({}, configured, environment) == [(("from yaml", 2.0),)]
    assert choose_prompts({}, {}, environment) == [(("from make", 1.0),)]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({}, "no prompt given: give prompt="),
        ({"prompt": "a", "prompts_file": "b"}, "prompt and prompts_file given: .* only one of them"),
        ({"prompts": "[["}, r"prompts = '\[\[' is no JSON"),
        ({"prompts": "[" * 100_000}, "is no JSON"),
        ({"prompts": '"a bird"'}, "is no list of pairs"),
        ({"prompts": '[["a bird", NaN]]'}, "weight 1 is nan"),
        ({"prompts": "[]"}, "prompts is empty"),
    ],
)
def test_what_is_no_prompt_is_refused(typed: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose_prompts(typed, {}, {"ZEROSHOT_PROMPT": ""})


def test_a_file_holds_a_prompt_a_line(tmp_path: Path) -> None:
    (tmp_path / "prompts").write_bytes("\ufeffa red bird\r\n鳥, it's = {x}\u2028still the same line\n".encode())
    expected = [(("a red bird", 1.0),), (("鳥, it's = {x}\u2028still the same line", 1.0),)]
    assert read_prompts(str(tmp_path / "prompts")) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a bird\n\xe9t\xe9\n", "is not UTF-8: byte 0xe9 at offset 7"),
        (b"a bird\n \na car\n", "line 2 is empty"),
        (b"a bird\n\n", "line 2 is empty"),
        (b"", "is empty: give one prompt per line"),
        (None, "cannot be read .No such file"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "prompts").write_bytes(content)
    with pytest.raises(UserError, match=message) as refused:
        read_prompts(str(tmp_path / "prompts"))
    assert str(tmp_path / "prompts") in str(refused.value)
