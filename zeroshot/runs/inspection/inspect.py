"""Everything that a check measures of one generator."""

from __future__ import annotations

import numpy as np

from zeroshot.limits import CLASSES
from zeroshot.metrics.best_score import best_so_far
from zeroshot.metrics.frechet import frechet_distance
from zeroshot.metrics.images_to_threshold import images_to_threshold
from zeroshot.metrics.kernel import kernel_distance, kernel_distance_error
from zeroshot.metrics.label_accuracy import accuracy, label_ranks
from zeroshot.metrics.precision_recall import precision_recall
from zeroshot.runs.inspection.criteria import GAIN, SURE
from zeroshot.runs.inspection.measured import Labels, Measured, Mends, Paired, Quality, Search
from zeroshot.runs.inspection.mends import AS_IT_IS, PICTURES, both, range_of
from zeroshot.runs.inspection.orders import orders
from zeroshot.runs.inspection.sizes import K, Sizes
from zeroshot.runs.inspection.subject import Subject
from zeroshot.runs.inspection.variety import variety
from zeroshot.runs.inspection.work import Vectors, Work
from zeroshot.searching.algorithm1 import Task
from zeroshot.searching.draws import draw
from zeroshot.searching.engine import Addresses, addresses

TRIED = 500  # images on which mends are tried
RESAMPLES, TAIL = 2000, 0.025


def classes_of(sizes: Sizes) -> np.ndarray:
    """The classes looked at: int64 [sizes.classes], evenly spaced."""
    return np.linspace(0, CLASSES - 1, sizes.classes).round().astype(np.int64)


def permutation() -> np.ndarray:
    """Another class for each class, always the same: a cycle through all of them in random order, int64 [1000]."""
    order = np.random.default_rng(np.random.Philox(key=0)).permutation(CLASSES)
    other = np.empty(CLASSES, dtype=np.int64)
    other[order] = np.roll(order, 1)
    return other


def samples(classes: np.ndarray, per_class: int, z_dim: int) -> Addresses:
    """Images of each class, class by class: the first with one z for all classes, the others with z's of their own."""
    common = draw(0, "check", 1, 2, z_dim).latent
    own = [np.concatenate([common, draw(0, f"check class {c}", 1, per_class, z_dim).latent]) for c in classes.tolist()]
    return Addresses(np.concatenate(own), classes.repeat(per_class))


def inspect(work: Work, subject: Subject, sizes: Sizes, tasks: list[Task], thorough: bool = True) -> Measured:
    """Measure a generator.

    Args:
        work: its world.
        subject: the generator.
        sizes: how much is looked at.
        tasks: the captions searched for.
        thorough: False leaves out what only a verdict needs: permuted classes, mends, orders.

    Raises Interrupted, and UserError for what the generator's code raises.
    """
    world, classes, z_dim = work.world, classes_of(sizes), subject.suspect.z_dim
    with subject.engine(world).computing():
        mechanics = subject.suspect.mechanics()
    parts = [samples(classes, sizes.per_class, z_dim)]
    parts += [drawn(work, tasks, k, sizes, z_dim) for k in K]
    if thorough:  # k = 1,000 draws any class: permuting moves nothing
        other = permutation()
        parts += [Addresses(w.latent, other[w.class_index]) for w, k in zip(parts[1:], K, strict=True) if k < CLASSES]
    stops = np.cumsum([len(part) for part in parts])
    every = work.vectors(subject, Addresses.join(parts))
    sampled, *rest = (every[stop - len(part) : stop] for part, stop in zip(parts, stops.tolist(), strict=True))
    found = dict(zip(K, rest, strict=False))
    permuted = dict(zip(K, rest[len(K) :], strict=False))
    by_class = sampled.embeddings.reshape(sizes.classes, sizes.per_class, -1)
    scores = {k: scored(vectors, tasks, sizes.b_max) for k, vectors in found.items()}
    others = {k: scored(vectors, tasks, sizes.b_max) for k, vectors in permuted.items()}
    mends = tried_mends(work, subject, classes) if thorough else None
    put_right = mended_vectors(work, subject, sizes, mends, by_class) if mends else None
    return Measured(
        name=subject.name,
        architecture=subject.architecture,
        by_factory=subject.by_factory,
        image_size=subject.suspect.image_size,
        mechanics=mechanics,
        labels=labels(by_class, classes, world.label_embeddings),
        variety=variety(work, subject, by_class, classes),
        quality=quality(world.test_features, found[10].features),
        permuted_quality=quality(world.test_features, permuted[10].features) if thorough else None,
        search=searched(scores, world.threshold),
        permuted_search=searched(others, world.threshold) if thorough else None,
        ten_against_all=paired(scores[10], scores[1000]),
        mends=mends,
        orders=None if put_right is None else orders(put_right, classes, world.label_embeddings, world.labels),
    )


def labels(by_class: np.ndarray, classes: np.ndarray, label_vectors: np.ndarray) -> Labels:
    """Label accuracy of vectors [classes, n, D], as they are and where each class stands for another."""
    count, n, dim = by_class.shape
    images = by_class.reshape(-1, dim)
    ranks = label_ranks(images, label_vectors, classes.repeat(n))
    permuted = label_ranks(images, label_vectors, permutation()[classes].repeat(n))
    means = ranks.reshape(count, n).mean(axis=1).tolist()
    return Labels(
        images=len(images),
        top1=accuracy(ranks, 1),
        top5=accuracy(ranks, 5),
        permuted_top1=accuracy(permuted, 1),
        permuted_top5=accuracy(permuted, 5),
        by_class=dict(zip(classes.tolist(), means, strict=True)),
    )


def quality(photographs: np.ndarray, features: np.ndarray, resamples: int = 200) -> Quality:
    """Distances and precision of features [n, dim] against those of photographs."""
    near = precision_recall(photographs, features)
    kernel = kernel_distance(photographs, features)
    return Quality(
        images=len(features),
        photographs=len(photographs),
        frechet=frechet_distance(photographs, features),
        kernel=kernel,
        kernel_error=None if kernel is None else kernel_distance_error(photographs, features, resamples),
        precision=near[0] if near else None,
        recall=near[1] if near else None,
    )


def drawn(work: Work, tasks: list[Task], k: int, sizes: Sizes, z_dim: int) -> Addresses:
    """The draws of Algorithm 1 for all captions: captions * b_max addresses."""
    b, seed = sizes.b_max, work.world.settings.seed
    return Addresses.join([addresses(seed, t.image_id, 1, b + 1, t.top(k, 1, b + 1), z_dim) for t in tasks])


def scored(vectors: Vectors, tasks: list[Task], b_max: int) -> np.ndarray:
    """The draws' scores, float64 [captions, b_max]."""
    text = np.concatenate([t.text[t.caption[:b_max]] for t in tasks]).astype(np.float64)  # [captions * b_max, D]
    return np.einsum("nd,nd->n", vectors.embeddings.astype(np.float64), text).reshape(len(tasks), b_max)


def searched(scores: dict[int, np.ndarray], threshold: float) -> Search:
    """Curves of scores [captions, b_max] by k."""
    curves = {k: best_so_far(score).mean(axis=0) for k, score in scores.items()}
    return Search(
        curves={k: curve.tolist() for k, curve in curves.items()},
        to_threshold={k: images_to_threshold(curve, threshold) for k, curve in curves.items()},
    )


def paired(ten: np.ndarray, every: np.ndarray) -> Paired:
    """Of scores [captions, b_max] at k = 10 and 1,000; captions are drawn with replacement for the interval."""
    differences = ten.max(axis=1) - every.max(axis=1)
    source = np.random.default_rng(np.random.Philox(key=0))
    means = differences[source.integers(0, len(differences), (RESAMPLES, len(differences)))].mean(axis=1)
    low, high = np.quantile(means, [TAIL, 1 - TAIL])
    return Paired(float(differences.mean()), float(low), float(high))


def tried_mends(work: Work, subject: Subject, classes: np.ndarray) -> Mends:
    """Label accuracy of the same images after each mend; ranges are told by their values, not tried."""
    world, suspect = work.world, subject.suspect
    first = range_of(suspect.mechanics())
    some = classes[np.linspace(0, len(classes) - 1, min(TRIED, len(classes))).round().astype(int)]
    where = samples(some, 2, suspect.z_dim)[1::2]
    key = work.key(subject, where) | {"mends": [one.name for one in PICTURES], "range": first.name if first else ""}

    def compute() -> np.ndarray:
        import torch

        pictures = subject.engine(world, suspect.mended(both(first, PICTURES[0]))).pictures(where)
        images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 127.5
        ranks = []
        for one in PICTURES:
            mended = (one.mend(images) + 127.5).byte().permute(0, 2, 3, 1).contiguous().numpy()
            ranks.append(label_ranks(work.embed(mended), world.label_embeddings, some))
        return np.stack(ranks)

    hits = work.world.cache.get("check-mends", key, compute) < 5  # [mends, images]
    work.bar.update(len(some))
    top5 = {one.name: float(hit.mean()) for one, hit in zip(PICTURES, hits, strict=True)}
    place = int(hits.mean(axis=1).argmax())
    gained, lost = int((hits[place] & ~hits[0]).sum()), int((hits[0] & ~hits[place]).sum())
    z = float((gained - lost) / np.sqrt(max(1, gained + lost)))
    helps = top5[PICTURES[place].name] - top5[AS_IT_IS] >= GAIN and z >= SURE
    best = PICTURES[place].name if helps else AS_IT_IS
    return Mends(range=first.name if first else "", top5=top5, best=best, gain_z=z if helps else 0.0)


def mended_vectors(work: Work, subject: Subject, sizes: Sizes, mends: Mends, by_class: np.ndarray) -> np.ndarray:
    """CLIP's vectors [classes, n, D] of images put right by their range and the best mend; n is 2 where they are."""
    first = range_of(subject.suspect.mechanics())
    if first is None and mends.best == AS_IT_IS:
        return by_class[:, 1:]
    name = mends.best
    mend = both(first, next(one for one in PICTURES if one.name == name))
    where = samples(classes_of(sizes), 3, subject.suspect.z_dim)
    where = where[np.flatnonzero(np.arange(len(where)) % 3 > 0)]
    found = work.vectors(subject, where, f"{mends.range} {name}", subject.suspect.mended(mend))
    return found.embeddings.reshape(sizes.classes, 2, -1)
