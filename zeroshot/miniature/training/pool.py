"""Pictures drawn once and met again: the renderer takes as long as a training step of the small networks does."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from tqdm import tqdm

from zeroshot.miniature.training.batches import IMAGE_SIZE

CHUNK = 256  # pictures drawn at once


@torch.no_grad()
def draw_pool(n: int, draw: Callable[[slice], torch.Tensor], name: str) -> torch.Tensor:
    """uint8 [n, 3, 64, 64] of the renderer's pictures in [-1, 1]; `draw` gives those of a run of rows."""
    pool = torch.empty(n, 3, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8)
    for start in tqdm(range(0, n, CHUNK), desc=f"{name}: pictures", disable=None):
        rows = slice(start, min(start + CHUNK, n))
        pool[rows] = ((draw(rows) + 1) * 127.5).round().to(torch.uint8).cpu()
    return pool


def pictures(pool: torch.Tensor, rows: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Float pictures [n, 3, 64, 64] in [-1, 1] of the given rows."""
    return pool[rows].to(device).float() / 127.5 - 1


def shifted(images: torch.Tensor, rng: torch.Generator, most: int = 3) -> torch.Tensor:
    """Each image moved by up to `most` pixels each way, its edge repeated: a picture met again is not the same."""
    n, channels, size, _ = images.shape
    offsets = torch.randint(0, 2 * most + 1, (2, n), generator=rng).to(images.device)
    steps = torch.arange(size, device=images.device)
    y, x = (steps[None] + offset[:, None] for offset in offsets)  # [n, size]
    padded = F.pad(images, (most,) * 4, mode="replicate")
    row = torch.arange(n, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    return padded[row, channel, y[:, None, :, None], x[:, None, None, :]]
