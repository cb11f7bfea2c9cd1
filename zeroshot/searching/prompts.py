"""What is searched for: one sentence, or several with weights, as one unit vector.

Several texts t_i (CLIP's unit vectors) with weights w_i become

    h = sum_i w_i t_i / |sum_i w_i t_i|

and h takes h_txt's place in Algorithm 1: labels are ranked, images compared and scores given by their cosine with h.
Because a cosine of unit vectors is linear in each, the order is that of the weighted sum of cosines
sum_i w_i cosine(x, t_i), which equals the score times |sum_i w_i t_i|. A common positive factor of the weights changes
nothing; a negative weight pushes away. big-sleep and VQGAN-CLIP weight their prompts' losses likewise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np

from zeroshot.data.text import cleaned
from zeroshot.errors import UserError
from zeroshot.limits import check_text

Prompt = str | Sequence[tuple[str, float]]
Pairs = tuple[tuple[str, float], ...]

MOST_PAIRS = 1000
# Below this part of the sum of |weights|, what is left of the sum is the rounding of its float32 terms.
SMALLEST = 1e-4


def weighted(prompt: Prompt) -> Pairs:
    """A prompt as (text, weight) pairs, the texts as they are given; a plain text weighs 1.

    Raises:
        UserError: a text in which nothing can be seen, or with half a character; an empty list, something that is no
            pair, a weight that is no finite number, only zeros.
    """
    if isinstance(prompt, str):
        return ((_text(prompt), 1.0),)
    pairs = list(prompt)
    if not pairs:
        raise UserError('prompts is empty: give at least one pair, as in [["a blue bird", 1]]')
    if len(pairs) > MOST_PAIRS:
        raise UserError(f"prompts holds {len(pairs):,} pairs, but at most {MOST_PAIRS:,} are searched for together")
    checked = []
    for number, pair in enumerate(pairs, start=1):
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2 or not isinstance(pair[0], str):
            raise UserError(f'prompt {number} is {pair!r}, but each is a text and its weight, as in ["a blue bird", 1]')
        checked.append((_text(pair[0]), _weight(pair[1], number)))
    if not any(weight for _, weight in checked):
        raise UserError("all weights are 0, so nothing is searched for: give at least one that is not")
    return tuple(checked)


def _text(text: str) -> str:
    check_text("prompt", cleaned(text, "prompt ="))
    return text


def _weight(weight: object, number: int) -> float:
    if isinstance(weight, bool) or not isinstance(weight, Real):
        raise UserError(f"weight {number} is {weight!r}, but a weight is a number, as in 1 or -0.5")
    try:
        value = float(weight)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise UserError(f"weight {number} is {value}, but a weight is a finite number, as in 1 or -0.5")
    return value


def combined(texts: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """The unit vector h of several texts.

    Args:
        texts: unit vectors [n, D].
        weights: n numbers, not all zero.

    Returns:
        [1, D]: the text's own vector, unchanged, for one text of positive weight; else float64.

    Raises:
        UserError: the weighted texts cancel.
    """
    if len(weights) == 1 and weights[0] > 0:
        return texts
    scaled = np.array(weights) / max(map(abs, weights))  # a common factor changes nothing, and cannot overflow
    total = scaled @ texts.astype(np.float64)  # [D]
    length = np.linalg.norm(total)
    if length < SMALLEST * np.abs(scaled).sum():
        raise UserError(
            f"the prompts' weights {', '.join(f'{w:g}' for w in weights)} cancel: give others, or other texts"
        )
    return (total / length)[None]


def address(pairs: Pairs) -> str:
    """The address of a prompt's draws: its texts without their weights, so that other weights see the same images."""
    return "\n".join(text for text, _ in pairs)


def sentence(pairs: Pairs) -> str:
    """The prompt as people read it: the text, or each text with its weight before it."""
    if len(pairs) == 1 and pairs[0][1] == 1:
        return pairs[0][0]
    return " ".join(f"{weight:+g} · “{text}”" for text, weight in pairs)
