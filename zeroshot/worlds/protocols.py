"""Which captions a run searches for, and how: the switches of `ProtocolSettings` that choose sentences."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np

from zeroshot.data.base import CaptionedImages, caption_of, hash_order
from zeroshot.errors import UserError
from zeroshot.settings import GeneratorSettings, ProtocolSettings, whole_batches
from zeroshot.worlds.labels import label_prompt


@dataclass(frozen=True)
class Searched:
    """A test image and the captions that its search uses; `caption` and `ranked_by` index `captions`, int64 [b_max]."""

    image_id: str
    caption_ids: list[int]  # places of `captions` among the image's own
    captions: list[str]
    caption: np.ndarray  # which one the b-th image is scored with
    ranked_by: np.ndarray  # and whose ranking of the labels chooses its class
    ranked: bool = True  # False: all labels are drawn from, whatever k


def searched(data: CaptionedImages, protocol: ProtocolSettings, count: int, b_max: int, seed: int) -> list[Searched]:
    """The test images searched for: the first `count` in the order of a hash of their id, so that a smaller number is a
    sample of a larger.

    Raises UserError where the split has fewer images, or no whole batch of captions is left.
    """
    if not 1 <= count <= len(data):
        raise UserError(
            f"captions = {count}, but this world's test split has {len(data)} images: give 1 to {len(data)}"
        )
    rows = hash_order(data.image_ids)[: whole_batches(count, protocol)]
    return [_searched(data, row, place, protocol, b_max, seed) for place, row in enumerate(rows)]


def _searched(
    data: CaptionedImages, row: int, place: int, protocol: ProtocolSettings, b_max: int, seed: int
) -> Searched:
    image_id, texts = data.image_ids[row], [cut(text, protocol) for text in data.captions[row]]
    ranked = protocol.unranked_every is None or place % protocol.unranked_every != 0
    if protocol.caption == "fixed" and protocol.ranking == "searched":
        own = caption_of(image_id, len(texts))
        zeros = np.zeros(b_max, dtype=np.int64)
        return Searched(image_id, [own], [texts[own]], zeros, zeros, ranked)
    at_random = random_captions(seed, image_id, 1 + b_max, len(texts))  # the first ranks the labels
    fixed = np.full(b_max, caption_of(image_id, len(texts)))
    caption = at_random[1:] if protocol.caption == "random" else fixed
    ranked_by = caption if protocol.ranking == "searched" else np.full(b_max, at_random[0])
    return Searched(image_id, list(range(len(texts))), texts, caption, ranked_by, ranked)


def cut(text: str, protocol: ProtocolSettings) -> str:
    """A caption as the protocol hands it to CLIP."""
    characters = protocol.caption_characters
    return text if characters is None else text.strip().lower()[:characters]


def random_captions(seed: int, image_id: str, n: int, captions: int) -> np.ndarray:
    """n of an image's captions, uniformly and by address as all draws are: int64 [n] in [0, captions)."""
    key = hashlib.blake2b(f"{seed}\0{image_id}".encode(), digest_size=16, person=b"captions").digest()
    bits = np.random.Philox(key=np.frombuffer(key, dtype="<u8").astype(np.uint64)).random_raw(n)
    return np.minimum(((bits >> np.uint64(11)) * 2.0**-53 * captions).astype(np.int64), captions - 1)


def label_prompts(labels: tuple[str, ...], protocol: ProtocolSettings) -> list[str]:
    """The sentences that stand for the labels in front of CLIP (Algorithm 1, step 2)."""
    names = [label.replace(" ", "_") for label in labels] if protocol.label_underscores else labels
    return [label_prompt(name, protocol.label_prompt) for name in names]


def in_protocol(generator: GeneratorSettings, protocol: ProtocolSettings) -> GeneratorSettings:
    """The generator as the protocol runs it: a BigGAN without a truncation of its own takes the protocol's."""
    if generator.architecture == "biggan" and generator.truncation is None:
        return dataclasses.replace(generator, truncation=protocol.truncation)
    return generator
