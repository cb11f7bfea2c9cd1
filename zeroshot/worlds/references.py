"""What photographs are there for: Table 2's threshold, and the features that the Fréchet distance compares with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from zeroshot.data.base import CaptionedImages, caption_of
from zeroshot.errors import EnvironmentFailure
from zeroshot.metrics.features import resized
from zeroshot.models.precision import arithmetic
from zeroshot.storage.paths import resolve
from zeroshot.storage.pins import sha256_of
from zeroshot.worlds.finite import check_rows
from zeroshot.worlds.protocols import cut

if TYPE_CHECKING:
    from zeroshot.worlds.world import World

PICTURE_BATCH = 64

_Encode = Callable[[list[Image.Image], list[str]], torch.Tensor]  # photographs and their image_ids -> [n, dim]


def threshold(world: World) -> float:
    """`World.threshold`."""

    def compute() -> np.ndarray:
        scores = torch.from_numpy(world.train_scores)
        raw = world.settings.protocol.threshold == "raw"
        return (scores.float().mean().half().double() if raw else scores.mean()).numpy()

    # Kept beside the scores: the last bit of a mean may depend on the number of threads.
    return float(world.cache.get("threshold", _threshold_key(world), compute))


def train_scores(world: World) -> np.ndarray:
    """`World.train_scores`."""

    def compute() -> np.ndarray:
        protocol = world.settings.protocol
        own = world.train.photographed_captions
        counts = torch.tensor([len(captions) for captions in own])
        captions = [cut(c, protocol) for captions in own for c in captions]
        text = world.clip.encode_text(captions).cpu().double()
        check_rows(text.numpy(), lambda row: f"CLIP's vector of {captions[row]!r}")
        raw = protocol.threshold == "raw"

        def encode(pictures: list[Image.Image], image_ids: list[str]) -> torch.Tensor:
            return _encode_raw(world, pictures, image_ids) if raw else world.clip.encode_pil(pictures)

        photographs = _photographs(world.train, "threshold", encode)
        scores = (text * photographs.double().repeat_interleave(counts, dim=0)).sum(dim=1)
        return (scores.half().double() if raw else scores).numpy()

    return world.cache.get("train-scores", _threshold_key(world), compute)


def _threshold_key(world: World) -> dict[str, Any]:
    protocol = world.settings.protocol
    return {
        "clip": world.clip.identity,
        "train": world.data_identity("train"),
        "photographs": protocol.threshold,
        "characters": protocol.caption_characters,
    }


def _encode_raw(world: World, pictures: list[Image.Image], image_ids: list[str]) -> torch.Tensor:
    """As the released code: squashed to CLIP's size, half of them mirrored, in [0, 1], without mean and std."""
    arrays = resized([np.asarray(picture) for picture in pictures], world.clip.image_size)
    images = torch.from_numpy(arrays).permute(0, 3, 1, 2).float() / 255  # [n, 3, S, S]
    mirrored = torch.tensor([caption_of(f"mirrored/{image_id}", 2) == 1 for image_id in image_ids])
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    return world.clip.encode_prepared(images.to(world.device))


def reference_features(world: World) -> np.ndarray:
    """`World.test_features`."""
    key = {"test": world.data_identity("test"), "features": sha256_of(resolve(world.settings.features.weights))}

    def encode(pictures: list[Image.Image], image_ids: list[str]) -> torch.Tensor:
        return torch.from_numpy(world.extract([np.asarray(picture) for picture in pictures]))

    return world.cache.get("test-features", key, lambda: _photographs(world.test, "photographs", encode).numpy())


@torch.inference_mode()
def extract(world: World, pictures: np.ndarray | list[np.ndarray]) -> np.ndarray:
    """`World.extract`."""
    parts = [np.empty((0, world.features.dim))]
    starts = range(0, len(pictures), PICTURE_BATCH)
    for start in tqdm(starts, desc="features", unit="batch", leave=False, disable=None, delay=2):
        batch = resized(pictures[start : start + PICTURE_BATCH], world.features.image_size)
        images = torch.from_numpy(batch).to(world.device).permute(0, 3, 1, 2)  # uint8 [n, 3, S, S]
        with arithmetic("fp32"):  # the Fréchet distance's features, whatever the models' precision
            parts.append(world.features(images.float() / 127.5 - 1).double().cpu().numpy())
    return np.concatenate(parts)


def _photographs(data: CaptionedImages, name: str, encode: _Encode) -> torch.Tensor:
    there = data.photographed
    if not there:
        raise EnvironmentFailure(f"none of the {len(data)} photographs is there: {name} cannot be computed")
    parts = []
    for start in tqdm(range(0, len(there), PICTURE_BATCH), desc=name, unit="batch", leave=False, disable=None):
        rows = there[start : start + PICTURE_BATCH]
        parts.append(encode([data.image(i) for i in rows], [data.image_ids[i] for i in rows]).cpu())
    encoded = torch.cat(parts)
    check_rows(encoded.numpy(), lambda row: f"a feature of photograph {data.image_ids[there[row]]}")
    return encoded
