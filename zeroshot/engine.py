"""Batched generate -> embed -> score over any list of addresses.

On CPUs the batch size changes the last bits of an embedding, the place in a batch and the neighbours do not. So every
batch has one physical size, the last one padded, and that size belongs to a run's identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from zeroshot.clip import Clip
from zeroshot.draws import choose_rank, draw
from zeroshot.generators.base import Generator


@dataclass(frozen=True)
class Addresses:
    """What to draw: per image its latent uniforms float64 [n, z_dim] and its class index int64 [n]."""

    latent: np.ndarray
    class_index: np.ndarray

    def __len__(self) -> int:
        return len(self.class_index)

    @staticmethod
    def join(parts: list[Addresses]) -> Addresses:
        """Put lists of addresses behind one another."""
        return Addresses(
            np.concatenate([part.latent for part in parts]), np.concatenate([part.class_index for part in parts])
        )


def addresses(seed: int, image_id: str, b_start: int, b_stop: int, top_k: np.ndarray, z_dim: int) -> Addresses:
    """Addresses of draws b_start … b_stop - 1 of one image.

    `top_k` holds its top k class indices: int64 [k], or [b_stop - b_start, k] where they are others at every b.
    """
    draws = draw(seed, image_id, b_start, b_stop, z_dim)
    rank = choose_rank(draws.label, top_k.shape[-1])
    return Addresses(draws.latent, top_k[rank] if top_k.ndim == 1 else top_k[np.arange(len(rank)), rank])


class Engine:
    """A generator and a CLIP, run in batches of one physical size on one device."""

    def __init__(self, generator: Generator, clip: Clip, batch_size: int = 64) -> None:
        self.generator, self.clip, self.batch_size = generator, clip, batch_size
        self.device = clip.device  # a generator need not have parameters

    @torch.inference_mode()
    def images(self, where: Addresses) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield (rows, images float32 [batch, 3, S, S] in [-1, 1]); the last batch ends in padding beyond its rows."""
        for start in range(0, len(where), self.batch_size):
            rows = slice(start, min(start + self.batch_size, len(where)))
            padding = self.batch_size - (rows.stop - rows.start)
            latent = np.pad(where.latent[rows], ((0, padding), (0, 0)), mode="edge")
            class_index = np.pad(where.class_index[rows], (0, padding), mode="edge")
            z = self.generator.latent(torch.from_numpy(latent))  # [batch, z_dim]
            yield rows, self.generator(z.to(self.device), torch.from_numpy(class_index).to(self.device))

    @torch.inference_mode()
    def embed(self, where: Addresses) -> np.ndarray:
        """CLIP embeddings of the images, float32 unit vectors [n, D]."""
        parts = [self.clip.encode_images(images)[: rows.stop - rows.start].cpu() for rows, images in self.images(where)]
        return torch.cat(parts).numpy() if parts else np.empty((0, self.clip.embed_dim), dtype=np.float32)

    def scores(self, where: Addresses, text: np.ndarray) -> np.ndarray:
        """Cosine of each image with its text: `text` holds unit vectors [n, D]; float64 [n]."""
        return np.einsum("nd,nd->n", self.embed(where).astype(np.float64), text.astype(np.float64))

    @torch.inference_mode()
    def pictures(self, where: Addresses) -> np.ndarray:
        """The images themselves, uint8 [n, S, S, 3]."""
        parts = [to_uint8(images[: rows.stop - rows.start]) for rows, images in self.images(where)]
        return np.concatenate(parts)


def to_uint8(images: torch.Tensor) -> np.ndarray:
    """[-1, 1] float [n, 3, S, S] -> uint8 [n, S, S, 3], rounded to nearest."""
    scaled = (images.float() + 1) * 127.5
    return scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
