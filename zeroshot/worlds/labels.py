"""The 1,000 ImageNet labels, and the sentence that stands for each."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def read_labels() -> tuple[str, ...]:
    """Names of the 1,000 ImageNet classes, in the order of their class index."""
    return tuple(files("zeroshot.worlds").joinpath("imagenet_labels.txt").read_text(encoding="utf-8").splitlines())


def label_prompt(label: str, template: str = "An image of {label}") -> str:
    """The sentence that stands for a label in front of CLIP (Algorithm 1, step 2): `{label}` is replaced, no more."""
    return template.replace("{label}", label)
