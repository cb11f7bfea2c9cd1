"""The 1,000 ImageNet labels, and the sentence that stands for each."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

# Keras' list names two classes `crane`, two `maillot`, and two `Cardigan` and `cardigan`, which CLIP reads alike: of
# each pair one is named so that the 1,000 sentences are different ones.
_TOLD_APART = {134: "crane bird", 264: "Cardigan Welsh corgi", 639: "maillot tank suit"}


@cache
def keras_labels() -> tuple[str, ...]:
    """Names of the 1,000 classes in Keras' imagenet_class_index.json, as the authors' code reads them: `tree_frog`."""
    return tuple(files("zeroshot.worlds").joinpath("keras_labels.txt").read_text(encoding="utf-8").splitlines())


@cache
def read_labels() -> tuple[str, ...]:
    """Names of the 1,000 ImageNet classes, in the order of their class index: Keras' in words, all of them different,
    whatever the case of their letters."""
    return tuple(_TOLD_APART.get(index, name.replace("_", " ")) for index, name in enumerate(keras_labels()))


def label_prompt(label: str, template: str = "An image of {label}") -> str:
    """The sentence that stands for a label in front of CLIP (Algorithm 1, step 2): `{label}` is replaced, no more."""
    return template.replace("{label}", label)
