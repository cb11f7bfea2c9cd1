"""How many images of each class a shared pool holds, and which of them a caption's draws take.

With the same depth for every class, captions that like the same few labels see the same few images. So a class is as
deep as it is wanted: n_c = max(the most draws that any one caption makes of c, share x all draws of c).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zeroshot.searching.algorithm1 import Task


@dataclass(frozen=True)
class Plan:
    """Images of each class in the pool: `depth` int64 [classes]. Frozen once made, and part of a run's identity."""

    depth: np.ndarray

    @property
    def digest(self) -> str:
        """16 hex digits that name the plan."""
        return hashlib.sha256(self.depth.astype("<i8").tobytes()).hexdigest()[:16]

    @property
    def images(self) -> int:
        """How many images the pool holds."""
        return int(self.depth.sum())

    def addresses(self) -> tuple[np.ndarray, np.ndarray]:
        """Class index and image index of every image of the pool, int64 [sum of depths] each."""
        class_index = np.repeat(np.arange(len(self.depth)), self.depth)
        starts = np.repeat(np.cumsum(self.depth) - self.depth, self.depth)
        return class_index, np.arange(len(class_index)) - starts


def classes_drawn(tasks: list[Task], k: int, b_max: int, seed: int, z_dim: int) -> np.ndarray:
    """y of every draw, the same as with fresh images: int64 [tasks, b_max]."""
    return np.stack([task.draws(seed, k, 1, b_max + 1, z_dim).class_index for task in tasks])


def make_plan(drawn: list[np.ndarray], classes: int, share: float) -> Plan:
    """The plan for the draws of several k, each int64 [tasks, b_max], at `share` in (0, 1] of their number."""
    most, total = np.zeros(classes, dtype=np.int64), np.zeros(classes, dtype=np.int64)
    for class_index in drawn:
        tasks = len(class_index)
        own = np.bincount((class_index + classes * np.arange(tasks)[:, None]).ravel(), minlength=tasks * classes)
        most = np.maximum(most, own.reshape(tasks, classes).max(axis=0))
        total += np.bincount(class_index.ravel(), minlength=classes)
    return Plan(np.maximum(most, np.ceil(share * total).astype(np.int64)))


def images_taken(class_index: np.ndarray, depth: np.ndarray, seed: int, image_ids: list[str]) -> np.ndarray:
    """Which image of its class each draw takes: int64 [tasks, b_max] for draws `class_index` int64 [tasks, b_max].

    A caption's j-th draw of class c takes the j-th image of a shuffle of the pool's images of c that is private to the
    caption (Fisher and Yates), so by itself it draws without replacement, as if from the generator. The shuffle is
    keyed by (seed, image id, c) and depends on neither k nor b_max.
    """
    return np.stack(
        [
            _taken_by_one(row, depth, hashlib.blake2b(f"{seed}\0{image_id}\0pool".encode(), digest_size=8).digest())
            for row, image_id in zip(class_index, image_ids, strict=True)
        ]
    )


def _taken_by_one(class_index: np.ndarray, depth: np.ndarray, key: bytes) -> np.ndarray:
    order = np.argsort(class_index, kind="stable")  # equal classes together, in the order of b
    grouped = class_index[order]
    starts = np.flatnonzero(np.diff(grouped, prepend=-1))
    counts = np.diff(starts, append=len(grouped))
    j = np.arange(len(grouped)) - np.repeat(starts, counts)  # the how-manieth draw of its class, from 0
    remaining = depth[grouped] - j
    if (remaining < 1).any():
        c = int(grouped[remaining < 1][0])
        raise ValueError(f"a caption draws class {c} more than the {depth[c]} times that the pool's plan allows")
    picks = j + (_uniforms(key, grouped, j) * remaining).astype(np.int64)  # in [j, depth)
    taken = picks.copy()
    for start, count in zip(starts[counts > 1], counts[counts > 1], strict=True):
        taken[start : start + count] = _fisher_yates(picks[start : start + count].tolist())
    found = np.empty_like(taken)
    found[order] = taken
    return found


def _fisher_yates(picks: list[int]) -> list[int]:
    """The first entries of a shuffle of 0, 1, 2, … that swaps place j with place picks[j] >= j."""
    moved: dict[int, int] = {}
    taken = []
    for j, pick in enumerate(picks):
        taken.append(moved.get(pick, pick))
        moved[pick] = moved.get(j, j)
    return taken


def _uniforms(key: bytes, class_index: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Uniforms in [0, 1) by address (key, class, j): the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    gamma = np.uint64(0x9E3779B97F4A7C15)
    x = np.uint64(int.from_bytes(key, "little")) + gamma * (
        class_index.astype(np.uint64) << np.uint64(32) | j.astype(np.uint64)
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53
