"""A bank of images: some of every label, embedded once for a generator, that searches by text begin with or learn from.

It is a pool (zeroshot/searching/pool.py), so it survives being killed and is made by several processes at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtri

from zeroshot.limits import CLASSES
from zeroshot.runs.plans import digest_of
from zeroshot.runs.pooled import pool_identity
from zeroshot.searching.pool import Pool, pool_addresses
from zeroshot.searching.strategies.base import Candidates
from zeroshot.settings import GeneratorSettings
from zeroshot.strategy_settings import BankStart
from zeroshot.worlds.world import World


@dataclass(frozen=True)
class Bank:
    """CLIP's vectors of its images, unit vectors float32 [n, D], and which images they are."""

    embeddings: np.ndarray
    images: Candidates

    def nearest(self, text: np.ndarray, n: int) -> Candidates:
        """The n images of the highest cosine with a unit vector [D], that one first."""
        score = self.embeddings.astype(np.float64) @ text.astype(np.float64)
        return self.images[np.argsort(-score, kind="stable")[:n]]


def bank_of(
    world: World,
    generator: GeneratorSettings,
    settings: BankStart,
    batch_size: int | str,
    should_stop: Callable[[], bool] = lambda: False,
) -> Bank:
    """The bank of a generator, from the world's cache or made with a progress bar. Raises Interrupted."""
    per, engine = settings.images_per_label, world.engine(generator, batch_size)
    class_index, image_index = np.repeat(np.arange(CLASSES), per), np.tile(np.arange(per), CLASSES)
    identity = pool_identity(world, generator, batch_size)
    with _folder(world) as folder:
        name = f"{generator.name}-{digest_of(identity | {'seed': settings.seed})}"
        pool = Pool(folder / name, engine, settings.seed, identity)
        pool.fill(class_index, image_index, should_stop)
        embeddings = pool.embeddings(class_index, image_index)
    where = pool_addresses(settings.seed, class_index, image_index, engine.generator.z_dim)
    return Bank(embeddings, Candidates(ndtri(where.latent), class_index))


@contextmanager
def _folder(world: World) -> Iterator[Path]:
    """Where banks lie; a folder for this call only where the world keeps nothing."""
    if world.cache.directory:
        yield world.cache.directory / "banks"
        return
    with tempfile.TemporaryDirectory(prefix="zeroshot-bank-") as folder:
        yield Path(folder)
