"""How images vary: with z, with the class, within classes, and where they do not."""

from __future__ import annotations

import numpy as np

from zeroshot.metrics.spread import class_share, spread, spread_within
from zeroshot.runs.inspection.criteria import NEARLY_ONE
from zeroshot.runs.inspection.measured import Variety
from zeroshot.runs.inspection.subject import Subject
from zeroshot.runs.inspection.work import Work
from zeroshot.searching.draws import draw
from zeroshot.searching.engine import Addresses

CROSSED = (16, 8)  # classes and z's of the pictures that cross them


def variety(work: Work, subject: Subject, by_class: np.ndarray, classes: np.ndarray) -> Variety:
    """Of CLIP's vectors [classes, n, D], whose first image has one z for all classes, and of images that cross both."""
    own = by_class[:, 1:].astype(np.float64)
    total = spread(own.reshape(-1, own.shape[2]))
    within = spread_within(own)
    contrast, share, share_z = crossed(work, subject, classes)
    return Variety(
        contrast=contrast,
        by_class=share,
        by_z=share_z,
        class_share=class_share(own),
        within=float(within.mean()),
        total=total,
        collapsed=tuple(classes[within <= NEARLY_ONE * total].tolist()),
        twins=twins(by_class[:, 0].astype(np.float64), classes, NEARLY_ONE * total),
    )


def crossed(work: Work, subject: Subject, classes: np.ndarray) -> tuple[float, float, float]:
    """Contrast, and the shares of the pixels' variance that the class and z have a part in."""
    n_classes, n_z = CROSSED
    some = classes[np.linspace(0, len(classes) - 1, n_classes).round().astype(int)]
    latent = draw(0, "check crossed", 1, n_z + 1, subject.suspect.z_dim).latent
    where = Addresses(np.tile(latent, (n_classes, 1)), some.repeat(n_z))

    def compute() -> np.ndarray:
        images = subject.engine(work.world).pictures(
            where, lambda images: images
        )  # not rounded: the least change counts
        values = images.astype(np.float64).reshape(n_classes, n_z, -1) * 127.5
        centred = values - values.mean(axis=(0, 1))
        total = (centred**2).mean()
        with_class = total - (centred.mean(axis=0) ** 2).mean()  # what the mean over classes leaves
        with_z = total - (centred.mean(axis=1) ** 2).mean()
        known = total if total > 0 else np.inf
        return np.array([np.sqrt(total), with_class / known, with_z / known])

    contrast, share, share_z = work.world.cache.get("check-crossed", work.key(subject, where), compute).tolist()
    return contrast, share, share_z


def twins(vectors: np.ndarray, classes: np.ndarray, nearest: float) -> tuple[tuple[int, int], ...]:
    """Pairs of classes whose vectors [classes, D] are within a distance: each class once, with the first that is."""
    squares = (vectors**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * vectors @ vectors.T
    near = np.tril(distances <= nearest**2, -1)
    pairs = [(int(classes[row.argmax()]), int(classes[place])) for place, row in enumerate(near) if row.any()]
    return tuple(pairs)
