"""The 1,000 ImageNet labels, and their ranking for a text (Algorithm 1, step 2)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import torch


@cache
def read_labels() -> tuple[str, ...]:
    """Names of the 1,000 ImageNet classes, in the order of their class index."""
    return tuple(files("zeroshot.worlds").joinpath("imagenet_labels.txt").read_text(encoding="utf-8").splitlines())


def label_prompt(label: str, template: str = "An image of {label}") -> str:
    """The sentence that stands for a label in front of CLIP (Algorithm 1, step 2)."""
    return template.format(label=label)


def rank_labels(text_embeddings: torch.Tensor, label_embeddings: torch.Tensor) -> torch.Tensor:
    """Class indices by descending cosine similarity to each text.

    Args:
        text_embeddings: unit vectors [N, D].
        label_embeddings: unit vectors [classes, D].

    Returns:
        int64 [N, classes]; ties are broken by the lower class index. The sums are taken in float64, one text at a time,
        so that a text's ranking does not depend on its neighbours.
    """
    labels = label_embeddings.double()
    rows = [torch.sort(labels @ text, descending=True, stable=True).indices for text in text_embeddings.double()]
    return torch.stack(rows) if rows else torch.empty(0, len(labels), dtype=torch.int64)
