"""What photographs are there for: Table 2's threshold, and the features that the Fréchet distance compares with."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from zeroshot.data.base import CaptionedImages, caption_of
from zeroshot.errors import EnvironmentFailure
from zeroshot.metrics.features import FeatureExtractor, resized
from zeroshot.models.clip import Clip
from zeroshot.models.precision import arithmetic
from zeroshot.settings import ProtocolSettings
from zeroshot.storage.cache import Rows, at_once
from zeroshot.worlds.finite import check_rows
from zeroshot.worlds.protocols import cut

PICTURE_BATCH = 64
# What is kept together while all are made; whole batches, so that the parts change no bit.
PHOTOGRAPHS, TEXTS = 16 * PICTURE_BATCH, 16 * 256

logger = logging.getLogger(__name__)

_Encode = Callable[[list[Image.Image], list[str]], torch.Tensor]  # photographs and their image_ids -> [n, dim]


def train_scores(clip: Clip, train: CaptionedImages, protocol: ProtocolSettings, rows: Rows = at_once) -> np.ndarray:
    """CLIP score of each photograph with each of its captions, float64 [pairs], in the order of
    `train.photographed_captions`; rounded to half precision where the protocol's threshold is. `rows` makes both sides
    of it in parts."""
    own = train.photographed_captions
    counts = torch.tensor([len(captions) for captions in own])
    captions = [cut(c, protocol) for captions in own for c in captions]
    unseen = sum(row not in train.missing for row, _ in train.changed)
    marked = sum(clip.reader.marker(caption) is not None for caption in captions)
    for count, what in ((unseen, "characters that no reader sees"), (marked, "markers of CLIP's own")):
        if count:
            logger.warning("%d of %d captions of the train split hold %s", count, len(captions), what)
    text = torch.from_numpy(
        rows("texts", len(captions), TEXTS, lambda a, b: clip.encode_text(captions[a:b]).cpu().numpy())
    ).double()
    check_rows(text.numpy(), lambda row: f"CLIP's vector of {captions[row]!r}")
    raw = protocol.threshold == "raw"

    def encode(pictures: list[Image.Image], image_ids: list[str]) -> torch.Tensor:
        return _encode_raw(clip, pictures, image_ids) if raw else clip.encode_pil(pictures)

    photographs = _photographs(train, "threshold", encode, rows)
    scores = (text * photographs.double().repeat_interleave(counts, dim=0)).sum(dim=1)
    return (scores.half().double() if raw else scores).numpy()


def mean_score(scores: np.ndarray, protocol: ProtocolSettings) -> np.ndarray:
    """The threshold: the mean of `train_scores`, float64 []; of single precision in half where the protocol's is."""
    pairs = torch.from_numpy(scores)
    return (pairs.float().mean().half().double() if protocol.threshold == "raw" else pairs.mean()).numpy()


def _encode_raw(clip: Clip, pictures: list[Image.Image], image_ids: list[str]) -> torch.Tensor:
    """As the released code: squashed to CLIP's size, half of them mirrored, in [0, 1], without mean and std."""
    arrays = resized([np.asarray(picture) for picture in pictures], clip.image_size)
    images = torch.from_numpy(arrays).permute(0, 3, 1, 2).float() / 255  # [n, 3, S, S]
    mirrored = torch.tensor([caption_of(f"mirrored/{image_id}", 2) == 1 for image_id in image_ids])
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    return clip.encode_prepared(images.to(clip.device))


def photograph_features(features: FeatureExtractor, test: CaptionedImages, rows: Rows = at_once) -> np.ndarray:
    """Features of all photographs that are there, float64 [n, dim]; `rows` makes them in parts."""

    def encode(pictures: list[Image.Image], image_ids: list[str]) -> torch.Tensor:
        return torch.from_numpy(extract(features, [np.asarray(picture) for picture in pictures]))

    return _photographs(test, "photographs", encode, rows).numpy()


@torch.inference_mode()
def extract(features: FeatureExtractor, pictures: np.ndarray | list[np.ndarray]) -> np.ndarray:
    """Features of pictures uint8 [S, S, 3]: float64 [n, dim], on the extractor's device."""
    device = next(features.parameters()).device
    parts = [np.empty((0, features.dim))]
    starts = range(0, len(pictures), PICTURE_BATCH)
    for start in tqdm(starts, desc="features", unit="batch", leave=False, disable=None, delay=2):
        batch = resized(pictures[start : start + PICTURE_BATCH], features.image_size)
        images = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2)  # uint8 [n, 3, S, S]
        with arithmetic("fp32"):  # the Fréchet distance's features, whatever the models' precision
            parts.append(features(images.float() / 127.5 - 1).double().cpu().numpy())
    return np.concatenate(parts)


def _photographs(data: CaptionedImages, name: str, encode: _Encode, rows: Rows) -> torch.Tensor:
    there = data.photographed
    if not there:
        raise EnvironmentFailure(f"none of the {len(data)} photographs is there: {name} cannot be computed")
    with tqdm(total=len(there), desc=name, unit="img", leave=False, disable=None) as bar:

        def part(first: int, last: int) -> np.ndarray:
            encoded = []
            for start in range(first, last, PICTURE_BATCH):
                batch = there[start : min(start + PICTURE_BATCH, last)]
                encoded.append(encode([data.image(i) for i in batch], [data.image_ids[i] for i in batch]).cpu())
                bar.update(len(batch))
            return torch.cat(encoded).numpy()

        made = rows(name, len(there), PHOTOGRAPHS, part)
    check_rows(made, lambda row: f"a feature of photograph {data.image_ids[there[row]]}")
    return torch.from_numpy(made)
