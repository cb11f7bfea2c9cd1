"""Prompts from the command line, a file, standard input or the environment, taken as they are typed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from zeroshot.errors import UserError
from zeroshot.searching.prompts import Pairs, weighted
from zeroshot.storage.paths import at_home

KEYS = ("prompt", "prompts", "prompts_file")
VARIABLE = "ZEROSHOT_PROMPT"  # how `make imagine PROMPT="…"` hands over a text that no shell has touched
HOW = 'give prompt="a small blue bird", prompts=\'[["a blue bird", 1], ["a car", -0.5]]\' or prompts_file=FILE'


def take_prompts(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Part the command line into {key: text} of the prompts and what is left for Hydra.

    Hydra's grammar gives commas, colons, braces, quotes and = a meaning of their own; a prompt has none of it.

    Raises:
        UserError: a key twice, or a word on its own, which is what an unquoted prompt leaves.
    """
    taken: dict[str, str] = {}
    left: list[str] = []
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if equals and key in KEYS:
            if key in taken:
                raise UserError(f"{key} is given twice: give it once; several prompts go into prompts_file=FILE")
            taken[key] = _typed(text)
            continue
        flag_before = bool(left) and left[-1].startswith("-")  # whose value a bare word may be
        if argument and not equals and not argument.startswith(("-", "~")) and not flag_before:
            raise UserError(
                f'{argument!r} stands alone: put the whole prompt into quotes, as in prompt="a small blue bird"'
            )
        left.append(argument)
    return taken, left


def _typed(text: str) -> str:
    """A text as its bytes mean it: where the locale's encoding could not read them all, they are taken for UTF-8."""
    if text == text.encode("utf-8", "replace").decode("utf-8"):
        return text
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        return text  # in neither: refused with the place of what cannot be read


def choose_prompts(
    typed: Mapping[str, str], configured: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> list[Pairs]:
    """What is searched for, one after another: from the command line, else the configuration, else the environment.

    Raises:
        UserError: none, or two ways at once; and whatever is wrong with a prompt, a file or the JSON.
    """
    given: Mapping[str, Any] = typed or {key: configured[key] for key in KEYS if configured.get(key) is not None}
    if not given and environment.get(VARIABLE, "").strip():
        given = {"prompt": _typed(environment[VARIABLE])}
    if len(given) != 1:
        raise UserError(f"{' and '.join(given) or 'no prompt'} given: {HOW}{', only one of them' if given else ''}")
    ((key, value),) = given.items()
    if key == "prompt":
        return [weighted(str(value))]
    if key == "prompts":
        return [weighted(_pairs(value))]
    return read_prompts(str(value))


def _pairs(value: Any) -> list[Any]:
    """The list that `prompts` stands for: JSON where it was typed."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise UserError(f"prompts = {value[:60]!r} is no JSON ({error}): {HOW}") from None
    if not isinstance(value, list):
        raise UserError(f"prompts = {str(value)[:60]!r} is no list of pairs: {HOW}")
    return value


def read_prompts(name: str) -> list[Pairs]:
    """One prompt per line of a UTF-8 file; "-" is standard input.

    Raises:
        UserError: no such file, not UTF-8 (with the byte's offset), an empty line (with its number), no line at all.
    """
    source = "standard input" if name == "-" else f"prompts_file = {name}"
    try:
        content = sys.stdin.buffer.read() if name == "-" else at_home(name).read_bytes()
    except (OSError, ValueError) as error:
        raise UserError(
            f"{source} cannot be read ({getattr(error, 'strerror', None) or error}): name another"
        ) from None
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{content[error.start]:02x} at offset {error.start}"
        raise UserError(f"{source} is not UTF-8: {byte} (counted from 0); save it as UTF-8") from None
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if lines == [""]:
        raise UserError(f"{source} is empty: give one prompt per line")
    empty = [number for number, line in enumerate(lines, start=1) if not line.strip()]
    if empty:
        raise UserError(f"{source}: line {empty[0]} is empty, but each line is a prompt: remove it")
    return [weighted(line) for line in lines]
