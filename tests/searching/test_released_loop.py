"""protocol=released against the released loop, written anew from its description as a plain program: it knows the
models and the data, and nothing of the search, the engine or the protocols."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zeroshot.metrics.best_score import mean_best_curve
from zeroshot.runs.run import run, run_path
from zeroshot.searching.draws import draw
from zeroshot.settings import RunSettings, SearchSettings
from zeroshot.storage.tables import read_table
from zeroshot.worlds.labels import keras_labels
from zeroshot.worlds.parts import default_run
from zeroshot.worlds.world import World

CAPTIONS, B_MAX, SEEDS = 64, 16, (42, 43, 44)
Draw = Callable[[str, int], tuple[str, np.ndarray, int]]  # image id, b -> caption, z's uniforms, class index


class Released:
    """The preparation step and the loop over the first `count` images given, a batch of one at a time."""

    def __init__(self, world: World) -> None:
        self.clip, self.generator = world.clip, world.generator("sagan")
        self.captions = dict(zip(world.test.image_ids, world.test.captions, strict=True))
        self.order = world.test.image_ids

    def text(self, caption: str) -> torch.Tensor:
        """A caption is stripped, lower-cased and cut to 70 characters."""
        return self.clip.encode_text([caption.strip().lower()[:70]])[0].double()

    def rankings(self) -> dict[str, list[int]]:
        """All labels by similarity to one random caption of each image; none for the first of each 64."""
        labels = self.clip.encode_text([f"an image of {name}" for name in keras_labels()]).double()
        rng, found = random.Random(42), {}
        for place, image_id in enumerate(self.order):
            text = self.text(rng.choice(self.captions[image_id]))
            if place % 64:
                found[image_id] = torch.argsort(labels @ text, descending=True).tolist()
        return found

    def score(self, caption: str, uniforms: np.ndarray, class_index: int) -> float:
        """Cosine of a caption with the image of a z and a class: in [-1, 1], resized, without mean and deviation."""
        with torch.inference_mode():
            z = torch.special.ndtri(torch.from_numpy(uniforms)).float()[None]
            image = self.generator(z, torch.tensor([class_index]))
            image = torch.nn.functional.interpolate(image, size=(64, 64), mode="bilinear", align_corners=False)
            vector = self.clip.model.encode_image(image.contiguous(memory_format=torch.channels_last)).float()[0]
        text = self.text(caption)
        return float(vector.double() @ text / vector.double().norm())

    def curves(self, image_ids: list[str], b_max: int, drawn: Draw) -> list[list[float]]:
        """Best score so far of each image after b = 1 … b_max."""
        best: dict[str, float] = {}
        found: list[list[float]] = [[] for _ in image_ids]
        for b in range(1, b_max + 1):
            for curve, image_id in zip(found, image_ids, strict=True):
                score = self.score(*drawn(image_id, b))
                best[image_id] = max(best.get(image_id, score), score)
                curve.append(best[image_id])
        return found

    def at_random(self, k: int, seed: int, rankings: dict[str, list[int]]) -> Draw:
        """A random caption, z and one of the top k labels, each time anew."""
        rng, z_rng = random.Random(seed * 1000 + k), np.random.default_rng([seed, k])

        def one(image_id: str, b: int) -> tuple[str, np.ndarray, int]:
            labels = rankings[image_id][:k] if image_id in rankings else range(1000)
            return rng.choice(self.captions[image_id]), z_rng.random(self.generator.z_dim), rng.choice(labels)

        return one


def settings_of(k: int, seed: int, **others: Any) -> RunSettings:
    base = default_run("miniature", "sagan", "released")
    fresh = dataclasses.replace(base, search=SearchSettings("fresh"), k=k, seed=seed, captions=CAPTIONS, b_max=B_MAX)
    return dataclasses.replace(fresh, **others)


@pytest.fixture(scope="module")
def released_world(cache: Path) -> World:
    return World(settings_of(10, 42), "cpu", cache)


@pytest.fixture(scope="module")
def loop(released_world: World) -> Iterator[Released]:
    yield Released(released_world)


def test_the_same_draws_give_the_same_scores_and_curves(
    released_world: World, loop: Released, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(10, 42, captions=16, b_max=6)
    run(released_world, settings, tmp_path)
    table = read_table(run_path(tmp_path, settings) / "scores.parquet")
    ours = table.set_index(["image_id", "b"])
    image_ids = list(dict.fromkeys(table.image_id))
    assert image_ids == [name for name in released_world.test.image_ids if name in set(image_ids)]  # the file's order

    def same(image_id: str, b: int) -> tuple[str, np.ndarray, int]:
        row = ours.loc[(image_id, b)]
        latent = draw(settings.seed, image_id, b, b + 1, loop.generator.z_dim).latent[0]
        return loop.captions[image_id][int(row.caption_id)], latent, int(row.label_index)

    theirs = np.array(loop.curves(image_ids, settings.b_max, same))
    best = np.maximum.accumulate(table.score.to_numpy().reshape(len(image_ids), -1), axis=1)
    # One image at a time instead of 64: the last bits of single precision differ.
    np.testing.assert_allclose(theirs, best, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(theirs.argmax(axis=1), best.argmax(axis=1))  # the same winners


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 10, 1000])
def test_its_mean_curves_are_those_of_a_plain_program_within_the_standard_error(
    released_world: World, loop: Released, tmp_path: Path, k: int
) -> None:
    """3 seeds x 64 captions of each; the two draw independently, so their difference has both their errors."""
    rankings = loop.rankings()
    ours, theirs = [], []
    for seed in SEEDS:
        settings = settings_of(k, seed)
        run(released_world, settings, tmp_path)
        table = read_table(run_path(tmp_path, settings) / "scores.parquet")
        image_ids = list(dict.fromkeys(table.image_id))
        ours.append(np.maximum.accumulate(table.score.to_numpy().reshape(CAPTIONS, B_MAX), axis=1))
        theirs.append(np.array(loop.curves(image_ids, B_MAX, loop.at_random(k, seed, rankings))))
    a, b = np.stack(ours), np.stack(theirs)  # [seeds, captions, b_max]
    np.testing.assert_allclose(a.mean(axis=(0, 1)), np.mean([mean_best_curve(part) for part in a], axis=0))
    # Captions are the same in both, so what counts is the spread of a caption's difference.
    difference = (a - b).mean(axis=0)  # [captions, b_max]
    error = difference.std(axis=0, ddof=1) / np.sqrt(CAPTIONS)  # [b_max]
    assert (np.abs(difference.mean(axis=0)) <= 3 * error).all()
    assert error[-1] < 0.013  # at b = 16: small enough to see a protocol that is another
