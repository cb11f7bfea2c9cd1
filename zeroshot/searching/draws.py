"""Addressable randomness: the b-th draw of a test image is a pure function of (seed, image id, b).

Nothing is consumed in order, so draws do not depend on batch size, device, sharding, resuming or on the captions that
run beside. y is floor(u * k) of a uniform u, so every k sees the same z's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

# Philox-4x64: four 64-bit words per counter step (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
_WORDS_PER_STEP = 4


@dataclass(frozen=True)
class Draws:
    """Uniforms in (0, 1) of consecutive addresses: `label` float64 [n] chooses y, `latent` [n, z_dim] becomes z."""

    label: np.ndarray
    latent: np.ndarray


def draw(seed: int, image_id: str, b_start: int, b_stop: int, z_dim: int) -> Draws:
    """Draws b_start … b_stop - 1 (counted from 1) of one test image.

    Args:
        seed: the experiment's seed, at least 0.
        image_id: any text; the same id always gets the same draws.
        b_start, b_stop: half-open range of b, b_start >= 1.
        z_dim: dimension of the generator's latent.
    """
    if seed < 0 or b_start < 1:
        raise ValueError(f"an address needs seed >= 0 and b >= 1, got seed = {seed}, b = {b_start}")
    key = hashlib.blake2b(f"{seed}\0{image_id}".encode(), digest_size=16).digest()
    steps = -(-(1 + z_dim) // _WORDS_PER_STEP)  # counter steps per address
    bits = np.random.Philox(key=np.frombuffer(key, dtype="<u8").astype(np.uint64))
    bits.advance((b_start - 1) * steps)
    count, width = b_stop - b_start, steps * _WORDS_PER_STEP
    words = bits.random_raw(count * width).reshape(count, width)
    uniforms = ((words[:, : 1 + z_dim] >> np.uint64(11)) + 0.5) * 2.0**-53  # 53 bits, never 0 or 1
    return Draws(label=uniforms[:, 0], latent=uniforms[:, 1:])


def choose_rank(uniform: np.ndarray, k: int) -> np.ndarray:
    """y ~ Uniform{0 … k - 1} as a rank among the top k: floor(u * k), int64."""
    return np.minimum((uniform * k).astype(np.int64), k - 1)


def by_probability(uniform: np.ndarray | float, probability: np.ndarray, class_index: np.ndarray) -> np.ndarray:
    """The classes int64 [n] (or one) at which the sum of probabilities [m] of `class_index` [m] passes uniforms [n]."""
    cumulative = np.cumsum(probability)
    place = np.searchsorted(cumulative / cumulative[-1], uniform, side="right")
    return class_index[np.minimum(place, len(class_index) - 1)]


def softmax(x: np.ndarray) -> np.ndarray:
    """float64 [..., n] -> probabilities [..., n]."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
