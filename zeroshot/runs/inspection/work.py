"""Images of a list of addresses as vectors, computed in blocks that are kept: what ended goes on where it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm import tqdm

from zeroshot.errors import Interrupted
from zeroshot.models.generators.suspect import Suspect
from zeroshot.models.precision import arithmetic
from zeroshot.runs.inspection.subject import BATCH, Subject
from zeroshot.searching.engine import Addresses
from zeroshot.version import __version__
from zeroshot.worlds.finite import check_rows
from zeroshot.worlds.sources import checked_sha256
from zeroshot.worlds.world import World

BLOCK = 1024  # images: what an interruption can cost


@dataclass(frozen=True)
class Vectors:
    """What images are to CLIP, unit vectors float32 [n, D], and to the feature extractor, float64 [n, dim]."""

    embeddings: np.ndarray
    features: np.ndarray

    def __getitem__(self, rows: slice | np.ndarray) -> Vectors:
        return Vectors(self.embeddings[rows], self.features[rows])


@dataclass
class Work:
    """A world, whether to stop, and a progress bar of images."""

    world: World
    should_stop: Callable[[], bool] = lambda: False
    bar: tqdm = field(default_factory=lambda: tqdm(disable=True))

    def vectors(self, subject: Subject, where: Addresses, mend: str = "", mended: Suspect | None = None) -> Vectors:
        """CLIP's vectors and features of the images at some addresses, from 8-bit pictures as photographs are.

        Args:
            subject: whose images.
            where: z and class of each.
            mend: what `mended` is called.
            mended: the same generator, put right.

        Raises Interrupted where it is to stop, and UserError for what a generator of the user's raises.
        """
        engine = subject.engine(self.world, mended)

        def compute(rows: Addresses) -> np.ndarray:
            pictures = engine.pictures(rows)
            return np.hstack([self.embed(pictures), self.world.extract(pictures).astype(np.float32)])

        parts = []
        for start in range(0, len(where), BLOCK):
            if self.should_stop():
                raise Interrupted("check")
            rows = where[start : start + BLOCK]
            key = self.key(subject, rows) | {"mend": mend}
            parts.append(self.world.cache.get("check", key, lambda rows=rows: compute(rows)))  # type: ignore[misc]
            self.bar.update(len(rows))
        both = np.concatenate(parts)
        check_rows(both, lambda row: f"a vector of image {row + 1} of {subject.name}")
        width = both.shape[1] - self.world.features.dim
        return Vectors(both[:, :width], both[:, width:].astype(np.float64))

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """CLIP's vectors of pictures uint8 [n, S, S, 3]: float32 [n, D]."""
        clip = self.world.clip
        parts = []
        for start in range(0, len(pictures), BATCH):
            images = torch.from_numpy(pictures[start : start + BATCH]).to(self.world.device).permute(0, 3, 1, 2)
            with arithmetic(clip.precision):
                parts.append(clip.encode_images(images.float() / 127.5 - 1).cpu().numpy())
        return np.concatenate(parts)

    def key(self, subject: Subject, where: Addresses) -> dict[str, object]:
        """All that decides the vectors of some addresses, for the cache."""
        world, protocol = self.world, self.world.settings.protocol
        digest = hashlib.sha256(where.latent.tobytes() + where.class_index.tobytes()).hexdigest()
        return {
            "generator": subject.identity,
            "addresses": digest,
            "clip": world.clip_identity,
            "prepared": [protocol.clip_resize, protocol.clip_normalisation],
            "features": checked_sha256(world.settings.features.weights),
            "precision": world.settings.precision,
            "version": __version__,
        }
