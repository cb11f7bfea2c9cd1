"""Weights from a formula, so that anybody can build the same checkpoint without a download.

Each tensor's numbers come from a counter-based generator whose key is the tensor's name, and go through exact
operations only (integers; single additions, multiplications, divisions and square roots, as IEEE 754 rounds them), so
that every machine gets the same bits. They are scaled by the number of a layer's inputs: activations stay of the order
of 1, and outputs tell one network from another.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping

import numpy as np
import torch

HALF = 1 << 16  # draws are the odd integers from -65535 to 65535
ROOT_3 = math.sqrt(3)  # half the width of a uniform distribution of variance 1
STATISTICS = 0.2  # how far BigGAN's statistics move from truncation 0 to 1, at most

CONSTANTS = {r"num_batches_tracked$": 920_000, r"\.(sigma|gamma)$": 0.7, r"logit_scale$": 4.60517}
# Standard deviations of what is looked up, and factors for layers at the end of a residual branch or of the network:
# sums shall not swell, nor pixels saturate.
LOOKED_UP = {r"\.bn[12]\.(embed[01]|gain|bias)\.weight": 0.3, r"embeddings?(\.weight)?$": 0.5}
FACTORS = {
    r"\.(scale|offset)\.weight": 0.2,  # BigGAN's gains and shifts of a class
    r"\.conv_3\.weight": 0.4,
    r"\.conv2d[02]\.": 0.6,
    r"^conv2d5\.": 0.15,
    r"^generator\.conv_to_rgb\.": 0.07,
}


def state(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """A state_dict of these keys and shapes: float32, counters int64."""
    return {key: torch.from_numpy(tensor(key, tuple(shape))) for key, shape in shapes.items()}


def tensor(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The formula's array for a key of a state_dict."""
    constant = _first(CONSTANTS, key)
    if constant is not None:
        return np.full(shape, constant, np.float32 if isinstance(constant, float) else np.int64)
    if key.endswith((".weight_u", ".weight_v")):
        return unit(key, shape[0])
    if key.endswith(("running_mean", "running_means")):
        return _moved(key, shape, 0.3, 0.0)
    if key.endswith(("running_var", "running_vars")):
        return _moved(key, shape, 0.3, 1.0)
    if len(shape) == 1 and key.endswith(".weight"):  # gain of a norm
        return uniform(key, shape, 0.3, 1.0)
    if len(shape) == 1 and key.endswith("bias"):
        return uniform(key, shape, 0.2)
    values = uniform(key, shape, ROOT_3 * _spread(key, shape))
    if key.endswith(".weight_orig"):
        # The stored vectors belong to a singular value of about 1, so that sigma = u · W v is about 1.
        base = key.removesuffix("_orig")
        values = values.reshape(shape[0], -1)
        values += unit(f"{base}_u", shape[0])[:, None] * unit(f"{base}_v", values.shape[1])
    return values.reshape(shape)


def uniform(name: str, shape: tuple[int, ...], half_width: float = 1.0, centre: float = 0.0) -> np.ndarray:
    """float32, uniform between centre - half_width and centre + half_width."""
    values = _odd(name, math.prod(shape), np.float32)
    values *= np.float32(half_width / HALF)
    if centre:
        values += np.float32(centre)
    return values.reshape(shape)


def unit(name: str, length: int) -> np.ndarray:
    """A unit vector, float32 [length]."""
    values = _odd(name, length, np.int64)
    return (values / math.sqrt(int((values**2).sum()))).astype(np.float32)


def picture(name: str, side: int) -> np.ndarray:
    """uint8 [3, side, side]: patches of colour that flow into one another, with some noise; all in integers."""
    coarse = (_odd(name, 3 * 9 * 9, np.int64).reshape(3, 9, 9) + HALF) >> 9  # 0 … 255
    place = np.arange(side) * 8
    cell, part = place // side, place % side
    rows = coarse[:, cell] * (side - part)[:, None] + coarse[:, cell + 1] * part[:, None]  # [3, side, 9]
    smooth = (rows[:, :, cell] * (side - part) + rows[:, :, cell + 1] * part) // side**2
    noise = _odd(f"{name} {side}", 3 * side**2, np.int64).reshape(3, side, side) >> 12  # -16 … 15
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


def _odd(name: str, count: int, dtype: type) -> np.ndarray:
    """Odd integers from -65535 to 65535 [count], a function of the name alone; float32 holds them exactly."""
    key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=16).digest(), "little")
    words = np.random.Philox(key=key).random_raw(-(-count // 4)).astype("<u8")
    values: np.ndarray = words.view("<i2")[:count].astype(dtype)
    values *= 2
    values += 1
    return values


def _spread(key: str, shape: tuple[int, ...]) -> float:
    """Standard deviation that keeps a layer's outputs at the size of its inputs; before convolutions, ReLU has taken
    half of them. CLIP's projections are stored as [inputs, outputs]."""
    inputs = shape[0] if key.endswith(("visual.proj", "text_projection")) else math.prod(shape[1:])
    kept = math.sqrt((2 if len(shape) == 4 else 1) / inputs)
    return _first(LOOKED_UP, key) or kept * (_first(FACTORS, key) or 1)


def _moved(key: str, shape: tuple[int, ...], half_width: float, centre: float) -> np.ndarray:
    """Statistics [C], or [steps, C] at truncations from 0 to 1, between which each channel's moves in a line."""
    first = uniform(key, shape[-1:], half_width, centre)
    if len(shape) == 1:
        return first
    steps = np.arange(shape[0], dtype=np.float32) / np.float32(shape[0] - 1)
    return first + steps[:, None] * uniform(f"{key} moves", shape[-1:], STATISTICS)


def _first(table: Mapping[str, float], key: str) -> float | None:
    return next((value for pattern, value in table.items() if re.search(pattern, key)), None)
