"""The amortised network learns which labels and z go with a text, from a bank in which that is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zeroshot.models.amortised import Amortised, train
from zeroshot.strategy_settings import AmortisedStart

CLASSES, DIM, Z = 5, 12, 3


def bank(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """2,000 images whose vector is their class's direction and their z's first entry, and texts of that first entry."""
    rng = np.random.default_rng(seed)
    labels, z = rng.integers(CLASSES, size=2000), rng.standard_normal((2000, Z))
    directions = np.eye(DIM)
    vectors = directions[labels] + 0.5 * z[:, :1] * directions[CLASSES] + 0.02 * rng.standard_normal((2000, DIM))
    texts = directions[rng.integers(CLASSES, size=300)] + 0.5 * directions[CLASSES]
    return (
        (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
        labels,
        z,
        (texts / np.linalg.norm(texts, axis=1, keepdims=True)).astype(np.float32),
    )


@pytest.mark.parametrize("language_free", [False, True])
def test_it_learns_label_and_z_of_what_it_is_asked_for(language_free: bool) -> None:
    vectors, labels, z, texts = bank()
    settings = AmortisedStart(steps=200, temperature=0.1, noise=0.1, language_free=language_free)
    model = train(settings, vectors, labels, z, texts, CLASSES)
    for label in range(CLASSES):
        text = torch.zeros(DIM)
        text[label], text[CLASSES] = 1.0, 0.5
        logits, mean, log_sd = model(torch.nn.functional.normalize(text, dim=0)[None])
        assert logits[0].argmax() == label
        assert mean[0, 0] > 0.3 and mean[0, 0] > mean[0, 1:].abs().max()  # the entry that the text speaks of
        assert log_sd[0, 0] < log_sd[0, 1:].min()


def test_training_again_gives_the_same_network_and_other_seeds_others() -> None:
    vectors, labels, z, texts = bank()
    with torch.random.fork_rng():
        before = torch.random.get_rng_state()
        first = train(AmortisedStart(steps=3), vectors, labels, z, texts, CLASSES)
        assert torch.equal(torch.random.get_rng_state(), before)
    again = train(AmortisedStart(steps=3), vectors, labels, z, texts, CLASSES)
    other = train(AmortisedStart(steps=3, seed=1), vectors, labels, z, texts, CLASSES)
    ours, same, another = (list(model.state_dict().values()) for model in (first, again, other))
    assert all(torch.equal(a, b) for a, b in zip(ours, same, strict=True))
    assert not torch.equal(ours[0], another[0])


def test_its_outputs_have_their_sizes_and_bounds() -> None:
    logits, mean, log_sd = Amortised(DIM, CLASSES, Z)(torch.full((2, DIM), 9.0))
    assert (logits.shape, mean.shape, log_sd.shape) == ((2, CLASSES), (2, Z), (2, Z))
    assert log_sd.min() >= -2 and log_sd.max() <= 0.5
