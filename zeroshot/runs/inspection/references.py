"""What a generator is measured beside: noise and grey as the floor, photographs and the renderer as the ceiling."""

from __future__ import annotations

import numpy as np

from zeroshot.metrics.expected_best import mean_expected_curve
from zeroshot.metrics.images_to_threshold import images_to_threshold
from zeroshot.metrics.spread import spread
from zeroshot.runs.inspection.floors import Grey, Noise
from zeroshot.runs.inspection.inspect import classes_of, labels, quality
from zeroshot.runs.inspection.measured import Labels, Measured, Search
from zeroshot.runs.inspection.sizes import Sizes
from zeroshot.runs.inspection.subject import subject
from zeroshot.runs.inspection.work import Work
from zeroshot.searching.algorithm1 import Task
from zeroshot.searching.draws import draw
from zeroshot.searching.engine import Addresses

NOISE, GREY, PHOTOGRAPHS, RENDERER = "noise", "one grey image", "photographs", "renderer"


def floors(work: Work, sizes: Sizes, tasks: list[Task], image_size: int) -> list[Measured]:
    """Noise and one grey image, which know no classes: their one curve stands under k = 0."""
    rows = []
    for module, name in ((Noise(image_size), NOISE), (Grey(image_size), GREY)):
        known = subject(work.world, module, name.replace(" ", "-"))
        count = len(tasks) * sizes.b_max
        classes = np.resize(classes_of(sizes), count)
        where = Addresses(draw(0, "check floor", 1, count + 1, known.suspect.z_dim).latent, classes)
        found = work.vectors(known, where)
        shown = labels(found.embeddings[:, None], classes, work.world.label_embeddings)
        search = _search(work, tasks, found.embeddings, sizes.b_max)
        rows.append(_row(name, image_size, shown, search, quality(work.world.test_features, found.features)))
    return rows


def ceiling(work: Work, sizes: Sizes, tasks: list[Task]) -> tuple[list[Measured], float]:
    """Photographs: those of the train split against those of the test split, and a search among the latter; in the
    miniature also the renderer, whose pictures show their labels as well as CLIP can see.

    Returns the rows, and the spread of CLIP's vectors of the test photographs.
    """
    world = work.world
    identity = {"clip": world.clip_identity, "features": world.settings.features.weights}
    key = identity | {split: world.data_identity(split) for split in ("train", "test")}

    # As many as a generator's images, since precision and recall depend on how many there are.
    count = min(len(tasks) * sizes.b_max, len(world.train.photographed))

    def others() -> np.ndarray:
        rows = world.train.photographed
        some = [rows[i] for i in np.linspace(0, len(rows) - 1, count).round().astype(int)]
        return world.extract([np.asarray(world.train.image(row)) for row in some])

    def photographs() -> np.ndarray:
        rows = world.test.photographed
        return world.clip.encode_pil([world.test.image(row) for row in rows]).cpu().numpy()

    features = world.cache.get("check-train-features", key | {"count": count}, others)
    embeddings = world.cache.get("check-photographs", key, photographs)
    search = _search(work, tasks, embeddings, min(sizes.b_max, len(embeddings)))
    found = [_row(PHOTOGRAPHS, 0, None, search, quality(world.test_features, features))]
    shown = _rendered(work, sizes)
    rows = [*found, _row(RENDERER, 64, shown, None, None)] if shown else found
    return rows, spread(embeddings.astype(np.float64))


def _rendered(work: Work, sizes: Sizes) -> Labels | None:
    """Label accuracy of the miniature's renderer; None in another world."""
    if work.world.name != "miniature":
        return None
    import torch

    from zeroshot.miniature.measure import HELD_OUT, render_labels
    from zeroshot.searching.engine import to_uint8

    classes = classes_of(sizes)

    def compute() -> np.ndarray:
        rng = torch.Generator().manual_seed(HELD_OUT)
        parts = np.array_split(classes, -(-len(classes) // 100))
        return np.concatenate([work.embed(to_uint8(render_labels(part, rng))) for part in parts])

    key = {"clip": work.world.clip_identity, "classes": classes.tolist()}
    embeddings = work.world.cache.get("check-renderer", key, compute)
    return labels(embeddings[:, None], classes, work.world.label_embeddings)


def _search(work: Work, tasks: list[Task], embeddings: np.ndarray, b_max: int) -> Search:
    """The expected best of b images drawn at random from some [n, D], whatever k; n is at least b_max."""
    text = np.stack([task.text[task.caption[0]] for task in tasks])  # [captions, D]
    curve = mean_expected_curve(text.astype(np.float64) @ embeddings.T.astype(np.float64))[:b_max]
    return Search({0: curve.tolist()}, {0: images_to_threshold(curve, work.world.threshold)})


def _row(name: str, image_size: int, shown: Labels | None, search: Search | None, found: object) -> Measured:
    return Measured(name, "", False, image_size, None, shown, None, found, None, search, None, None, None, None)  # type: ignore[arg-type]
