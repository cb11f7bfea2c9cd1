from __future__ import annotations

import torch

from zeroshot.searching.algorithm1 import rank_labels
from zeroshot.worlds.labels import label_prompt, read_labels


def test_the_thousand_labels_are_in_imagenet_order() -> None:
    labels = read_labels()
    assert len(labels) == len(set(labels)) == 1000
    assert (labels[0], labels[11], labels[14], labels[130], labels[999]) == (
        "tench",
        "goldfinch",
        "indigo bunting",
        "flamingo",
        "toilet tissue",
    )


def test_prompt_is_the_papers() -> None:
    assert label_prompt("tree frog") == "An image of tree frog"


def test_ranking_is_by_cosine_with_ties_to_the_lower_index() -> None:
    labels = torch.eye(4)[[0, 1, 1, 2]]
    text = torch.tensor([[0.1, 0.9, 0.2, 0.0], [0.0, 0.0, 1.0, 0.0]])
    assert rank_labels(text, labels).tolist() == [[1, 2, 3, 0], [3, 0, 1, 2]]


def test_ranking_of_a_text_does_not_depend_on_its_neighbours() -> None:
    rng = torch.Generator().manual_seed(0)
    labels, texts = torch.randn(1000, 64, generator=rng), torch.randn(7, 64, generator=rng)
    together = rank_labels(texts, labels)
    for row, text in zip(together, texts, strict=True):
        assert torch.equal(row, rank_labels(text[None], labels)[0])
