"""Which captions a run searches for, and how: the switches of `ProtocolSettings` that choose sentences."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zeroshot.checks import whole_batches
from zeroshot.data.base import CaptionedImages, caption_of, hash_order
from zeroshot.errors import UserError
from zeroshot.settings import GeneratorSettings, ProtocolSettings
from zeroshot.worlds.labels import keras_labels, label_prompt, read_labels

# The released code ranks labels in a preparation step with a seed of its own, whatever the seed of a run.
RANKING_SEED = 42


@dataclass(frozen=True)
class Searched:
    """A test image and the captions that its search uses; `caption` and `ranked_by` index `captions`, int64 [b_max]."""

    image_id: str
    caption_ids: list[int]  # places of `captions` among the image's own
    captions: list[str]
    caption: np.ndarray  # which one the b-th image is scored with
    ranked_by: np.ndarray  # and whose ranking of the labels chooses its class
    ranked: bool = True  # False: all labels are drawn from, whatever k
    ranking: np.ndarray | None = None  # a ranking that was given, int64 [1000], instead of those by its captions


def searched(
    data: CaptionedImages,
    protocol: ProtocolSettings,
    count: int,
    b_max: int,
    seed: int,
    rankings: Mapping[str, np.ndarray] | None = None,
) -> list[Searched]:
    """The test images searched for: the first `count` in the order of a hash of their id, so that a smaller number is a
    sample of a larger; in that order, or in the split's.

    `rankings` holds class indices, best first, by image id, where they were given: what is not in it has no ranking.

    Raises UserError where the split has fewer images, or no whole batch of captions is left.
    """
    if not 1 <= count <= len(data):
        raise UserError(
            f"captions = {count}, but this world's test split has {len(data)} images: give 1 to {len(data)}"
        )
    rows = hash_order(data.image_ids)[:count]
    places = list(range(count))
    if protocol.order == "split":
        rows = places = sorted(rows)
    kept = whole_batches(count, protocol)
    found = [_searched(data, row, protocol, b_max, seed) for row in rows[:kept]]
    return [_ranked(image, place, protocol, rankings) for image, place in zip(found, places, strict=False)]


def _searched(data: CaptionedImages, row: int, protocol: ProtocolSettings, b_max: int, seed: int) -> Searched:
    image_id, texts = data.image_ids[row], [cut(text, protocol) for text in data.captions[row]]
    if protocol.caption == "fixed" and protocol.ranking == "searched":
        own = caption_of(image_id, len(texts))
        zeros = np.zeros(b_max, dtype=np.int64)
        return Searched(image_id, [own], [texts[own]], zeros, zeros)
    caption = np.full(b_max, caption_of(image_id, len(texts)))
    if protocol.caption == "random":
        caption = random_captions(f"{seed}\0{image_id}", b_max, len(texts))
    ranked_by = caption
    if protocol.ranking == "once":
        ranked_by = np.repeat(random_captions(f"ranking {RANKING_SEED}\0{image_id}", 1, len(texts)), b_max)
    return Searched(image_id, list(range(len(texts))), texts, caption, ranked_by)


def _ranked(
    image: Searched, place: int, protocol: ProtocolSettings, rankings: Mapping[str, np.ndarray] | None
) -> Searched:
    """The image with the ranking that was given, or without one where the protocol leaves it out."""
    if rankings is not None:
        given = rankings.get(image.image_id)
        none_by = np.zeros_like(image.ranked_by)
        return dataclasses.replace(image, ranked=given is not None, ranking=given, ranked_by=none_by)
    every = protocol.unranked_every
    return dataclasses.replace(image, ranked=every is None or place % every != 0)


def cut(text: str, protocol: ProtocolSettings) -> str:
    """A caption as the protocol hands it to CLIP."""
    characters = protocol.caption_characters
    return text if characters is None else text.strip().lower()[:characters]


def random_captions(address: str, n: int, captions: int) -> np.ndarray:
    """n of an image's captions, uniformly and by address as all draws are: int64 [n] in [0, captions)."""
    key = hashlib.blake2b(address.encode(), digest_size=16, person=b"captions").digest()
    bits = np.random.Philox(key=np.frombuffer(key, dtype="<u8").astype(np.uint64)).random_raw(n)
    return np.minimum(((bits >> np.uint64(11)) * 2.0**-53 * captions).astype(np.int64), captions - 1)


def label_prompts(protocol: ProtocolSettings) -> list[str]:
    """The 1,000 sentences that stand for the labels in front of CLIP (Algorithm 1, step 2)."""
    names = keras_labels() if protocol.label_names == "keras" else read_labels()
    return [label_prompt(name, protocol.label_prompt) for name in names]


def in_protocol(generator: GeneratorSettings, protocol: ProtocolSettings) -> GeneratorSettings:
    """The generator as the protocol runs it: a BigGAN without a truncation of its own takes the protocol's."""
    if generator.architecture == "biggan" and generator.truncation is None:
        return dataclasses.replace(generator, truncation=protocol.truncation)
    return generator
