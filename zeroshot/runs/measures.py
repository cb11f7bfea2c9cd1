"""What a finished run's metrics.json holds: the paper's three measures of its scores and selected images."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from zeroshot.metrics.best_score import best_clip_score, mean_best_curve
from zeroshot.metrics.frechet import frechet_distance
from zeroshot.metrics.images_to_threshold import images_to_threshold
from zeroshot.metrics.kernel import kernel_distance
from zeroshot.runs.pooled import pooled_winners
from zeroshot.searching.algorithm1 import Scores, Task, draw_in_words, winners
from zeroshot.searching.engine import Addresses, Engine
from zeroshot.searching.faults import FaultAt, addressed
from zeroshot.searching.trace import points
from zeroshot.settings import RunSettings
from zeroshot.worlds.finite import check_rows
from zeroshot.worlds.protocols import Searched
from zeroshot.worlds.references import PICTURE_BATCH
from zeroshot.worlds.saved import as_saved
from zeroshot.worlds.world import World

logger = logging.getLogger(__name__)


def count_truncated(world: World, images: list[Searched]) -> int:
    """How many captions CLIP's context cuts; warns with their number and where the first is cut."""
    captions = [(image, row) for image in images for row in range(len(image.captions))]
    places = world.clip.tokenise([image.captions[row] for image, row in captions])[1]
    cut = [(image, row, place) for (image, row), place in zip(captions, places, strict=True) if place is not None]
    if cut:
        image, row, place = cut[0]
        logger.warning(
            "%d of %d captions are longer than CLIP's context of %d tokens and are cut; the first is caption %d of %s, "
            "before %r",
            *(len(cut), len(captions), world.clip.context_length, image.caption_ids[row], image.image_id),
            image.captions[row][place : place + 30],
        )
    return len(cut)


def count_changed(world: World, images: list[Searched]) -> int:
    """How many captions CLIP does not read as the data set has them; warns with their number and the first."""
    rows = {image_id: row for row, image_id in enumerate(world.test.image_ids)}
    captions = [(image, row) for image in images for row in range(len(image.captions))]
    unseen = [(i, row) for i, row in captions if (rows[i.image_id], i.caption_ids[row]) in world.test.changed]
    marked = [(i, row) for i, row in captions if world.clip.reader.marker(i.captions[row])]
    for changed, what in ((unseen, "characters that no reader sees"), (marked, "markers of CLIP's own")):
        if changed:
            image, row = changed[0]
            logger.warning(
                "%d of %d captions hold %s; the first is caption %d of %s, read as %r",
                *(len(changed), len(captions), what, image.caption_ids[row], image.image_id),
                world.clip.reader.reading(image.captions[row])[:80],
            )
    return len({(image.image_id, row) for image, row in unseen + marked})


def measure(world: World, engine: Engine, settings: RunSettings, tasks: list[Task], scores: Scores) -> dict[str, Any]:
    """Generate the selected images again and measure: what metrics.json holds but for seconds and counts of texts."""
    selected = selected_images(engine, settings, tasks, scores)
    kept = np.flatnonzero(scores.best_b > settings.protocol.improvements_only)  # all, or those with b > 1

    def draw(row: int) -> str:
        return draw_in_words(tasks[kept[row]], int(scores.best_b[kept[row]]), settings.seed)

    def name(row: int) -> str:
        class_index = selected.class_index[kept[row]]
        return f"a feature of {settings.generator.name}'s image at {draw(row)}, class {class_index}"

    with addressed(draw):
        found = image_features(world, engine, selected[kept], as_saved(world.clip, settings.protocol))
    features = check_rows(found, name)
    return {
        "best_clip_score": best_clip_score(scores.score),
        "frechet_distance": frechet_distance(world.test_features, features),
        "kernel_distance": kernel_distance(world.test_features, features),
        "images_to_threshold": images_to_threshold(mean_best_curve(scores.score), world.threshold),
        "threshold": world.threshold,
        "captions": len(tasks),
        "b_max": settings.b_max,
        "k": settings.k,
        "seed": settings.seed,
        "generator": settings.generator.name,
        "world": settings.world.name,
        "protocol": settings.protocol.name,
        "clip": world.clip.identity["model"],
        "precision": settings.precision,
        "strategy": settings.strategy,
        "evaluations": int((scores.evaluated * np.arange(1, settings.b_max + 1)).max(axis=1).sum()),  # their price
        "images": int(scores.evaluated.sum()),
        "images_generated": len(kept),
        "distinct_selected": len(np.unique(selected.latent[:, 0])),
        "frechet_images": min(len(features), len(world.test_features)),  # on the side that has fewer
        "feature_dim": world.features.dim,
    }


def selected_images(engine: Engine, settings: RunSettings, tasks: list[Task], scores: Scores) -> Addresses:
    """What the best image of each task is generated of again."""
    if scores.z is not None and scores.class_weights is not None:
        best = scores.class_index[np.arange(len(tasks)), scores.best_b - 1]
        return points(scores.z, best.tolist(), scores.class_weights)
    if scores.image_index is not None:
        return pooled_winners(scores, settings.seed, engine.generator.z_dim)
    return winners(engine, tasks, scores, settings.k, settings.seed)


def image_features(
    world: World, engine: Engine, where: Addresses, saved: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> np.ndarray:
    """Features of generated images, float64 [n, dim]; only a batch of them is in memory at once.

    Args:
        world, engine: the feature extractor's and the generator's.
        where: the images' addresses.
        saved: what makes uint8 [n, side, side, 3] of images [n, 3, S, S] in [-1, 1]; None: rounded bytes of S pixels.
    """
    per = max(PICTURE_BATCH, engine.batch_size)
    parts = [np.empty((0, world.features.dim))]
    starts = range(0, len(where), per)
    for start in tqdm(starts, desc="selected images", unit="batch", leave=False, disable=None, delay=2):
        try:
            pictures = engine.pictures(where[start : start + per], saved)
        except FaultAt as fault:
            raise fault.behind(start) from None
        parts.append(world.extract(pictures))
    return np.concatenate(parts)
