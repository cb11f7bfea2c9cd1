"""What the miniature's models can do, measured on renders that no training step has seen."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass

import numpy as np
import torch

from zeroshot.metrics.label_accuracy import accuracy, label_ranks
from zeroshot.miniature.attributes import encode
from zeroshot.miniature.captions import CUB, caption, random_bird
from zeroshot.miniature.label_things import BIRD_LABELS, label_things
from zeroshot.miniature.photographs import CLUTTER_SHARE
from zeroshot.miniature.renderer import CLUTTER_DIM, NUISANCE_DIM, render
from zeroshot.searching.draws import draw
from zeroshot.searching.engine import Addresses, Engine, to_uint8
from zeroshot.worlds.parts import default_run
from zeroshot.worlds.world import World

HELD_OUT = 987_654_321  # a seed that the recipe does not use


@dataclass(frozen=True)
class Accuracy:
    """Share of images whose own label is the nearest, or among the five nearest, of the 1,000 prompts."""

    top1: float
    top5: float


def label_accuracy(world: World, embeddings: np.ndarray, class_index: np.ndarray) -> Accuracy:
    """Zero-shot accuracy of image embeddings [n, D] with known classes int64 [n]."""
    ranks = label_ranks(embeddings, world.label_embeddings, class_index)
    return Accuracy(accuracy(ranks, 1), accuracy(ranks, 5))


@torch.inference_mode()
def render_labels(class_index: np.ndarray, rng: torch.Generator) -> torch.Tensor:
    """Fresh renders [n, 3, 64, 64] of labels."""
    attributes = encode([label_things()[i] for i in class_index])
    return render(attributes, torch.randn(len(class_index), NUISANCE_DIM, generator=rng))


def accuracy_on_renders(world: World, repeats: int = 2) -> Accuracy:
    """Label accuracy of CLIP on held-out renders of all 1,000 labels."""
    rng = torch.Generator().manual_seed(HELD_OUT)
    class_index = np.tile(np.arange(len(world.labels)), repeats)
    embeddings = [
        world.clip.encode_images(render_labels(part, rng).to(world.device)).cpu().numpy()
        for part in np.array_split(class_index, 20 * repeats)
    ]
    return label_accuracy(world, np.concatenate(embeddings), class_index)


def class_samples(engine: Engine, class_index: np.ndarray, name: str) -> Addresses:
    """Addresses of one image of each given class."""
    draws = draw(HELD_OUT, name, 1, len(class_index) + 1, engine.generator.z_dim)
    return Addresses(draws.latent, class_index)


def accuracy_on_generated(world: World, generator: str, repeats: int = 2) -> Accuracy:
    """Label accuracy of CLIP on images that a generator draws of all 1,000 labels."""
    engine = world.engine(generator)
    class_index = np.tile(np.arange(len(world.labels)), repeats)
    return label_accuracy(world, engine.embed(class_samples(engine, class_index, "accuracy")), class_index)


def caption_recall(world: World, pool: int = 100, repeats: int = 10) -> float:
    """Recall@5 of a caption's own render among `pool` birds of random plumage, all photographed and
    described as the splits are."""
    hits = []
    for repeat in range(repeats):
        rng = random.Random(HELD_OUT + repeat)
        birds = [random_bird(rng) for _ in range(pool)]
        torch_rng = torch.Generator().manual_seed(HELD_OUT + repeat)
        nuisance = torch.randn(pool, NUISANCE_DIM, generator=torch_rng)
        clutter = CLUTTER_SHARE * torch.randn(pool, CLUTTER_DIM, generator=torch_rng)
        images = world.clip.encode_images(render(encode(birds), nuisance, clutter).to(world.device)).cpu().numpy()
        texts = world.clip.encode_text([caption(bird, rng, CUB) for bird in birds]).cpu().numpy()
        similarity = texts @ images.T
        hits.append(((similarity > np.diag(similarity)[:, None]).sum(axis=1) < 5).mean())
    return float(np.mean(hits))


def diversity(world: World, generator: str, truncation: float | None, classes: int = 59, each: int = 16) -> float:
    """Mean distance between CLIP embeddings of images of the same bird label: how much a generator varies."""
    engine = _truncated(world, generator, truncation)
    class_index = np.repeat(np.array(BIRD_LABELS[:classes]), each)
    embeddings = engine.embed(class_samples(engine, class_index, "diversity")).reshape(-1, each, world.clip.embed_dim)
    centred = embeddings - embeddings.mean(axis=1, keepdims=True)
    return float(np.sqrt((centred**2).sum(axis=2)).mean())


def _truncated(world: World, generator: str, truncation: float | None) -> Engine:
    return world.engine(dataclasses.replace(default_run(world.name, generator).generator, truncation=truncation))


def sharpness(world: World, generator: str | None, truncation: float | None = None, classes: int = 59) -> float:
    """99th percentile of neighbouring pixels' difference (0 … 255) over the bird labels; None: the renderer's own.

    Not the mean difference: a soft edge has the same sum of differences as a sharp one.
    """
    class_index = np.array(BIRD_LABELS[:classes]).repeat(4)
    if generator is None:
        pictures = to_uint8(render_labels(class_index, torch.Generator().manual_seed(HELD_OUT)))
    else:
        engine = _truncated(world, generator, truncation)
        pictures = engine.pictures(class_samples(engine, class_index, "sharpness"))
    steps = np.abs(np.diff(pictures.astype(np.float64), axis=2)).max(
        axis=3
    )  # [n, 64, 63], the channel that differs most
    return float(np.quantile(steps, 0.99))


def contact_sheet(world: World, class_index: np.ndarray, scale: int = 2) -> np.ndarray:
    """Renders above, each generator's samples of the same classes below: uint8 [3 * 64 * scale, n * 64 * scale, 3]."""
    rows = [to_uint8(render_labels(class_index, torch.Generator().manual_seed(HELD_OUT)))]
    for name in world.generator_names:
        engine = world.engine(name)
        rows.append(engine.pictures(class_samples(engine, class_index, "sheet")))
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])  # [3 * 64, n * 64, 3]
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)
