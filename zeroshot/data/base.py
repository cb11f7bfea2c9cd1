"""Photographs with captions, whatever their source."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from zeroshot.errors import EnvironmentFailure

logger = logging.getLogger(__name__)


class CaptionedImages:
    """Images in a fixed order, each with its id and one or more captions.

    Args:
        image_ids: one id per image, all different.
        captions: the captions of each image, none empty.
        open_image: row -> the photograph, any mode and size.
        missing: rows without a photograph.
    """

    def __init__(
        self,
        image_ids: list[str],
        captions: list[list[str]],
        open_image: Callable[[int], Image.Image],
        missing: Collection[int] = (),
    ) -> None:
        if len(image_ids) != len(captions):
            raise ValueError(f"{len(image_ids)} image ids, but captions of {len(captions)} images")
        self.image_ids = image_ids
        self.captions = captions
        self._open_image = open_image
        self.missing = frozenset(missing)

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def photographed(self) -> list[int]:
        """Rows that have a photograph, in order."""
        return [row for row in range(len(self)) if row not in self.missing]

    @property
    def photographed_captions(self) -> list[list[str]]:
        """The captions of each image that has a photograph."""
        return [self.captions[row] for row in self.photographed]

    def image(self, i: int) -> Image.Image:
        """The i-th photograph as RGB, 8 bits a channel. Only of rows that are not among `missing`."""
        return self._open_image(i).convert("RGB")


_NAMED = 5  # things named in a message; the rest are counted


def some(names: Sequence[str]) -> str:
    """The first few names of a list, for a message."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def check_whole(where: object, ids: Sequence[str], whole: Iterable[bool], allow_missing: bool, mend: str) -> list[int]:
    """Rows whose photograph is missing or broken, told in a warning.

    Raises EnvironmentFailure that lists them, unless `allow_missing`.
    """
    broken = [row for row, good in enumerate(whole) if not good]
    if broken:
        listed = f"{where}: missing or broken photographs: {some([ids[row] for row in broken])}"
        count = f"{len(broken):,} of {len(ids):,}"
        if not allow_missing:
            raise EnvironmentFailure(f"{listed}: {mend}, or leave these {count} out with data.allow_missing=true")
        logger.warning("%s: these %s are left out of the Fréchet distance and the threshold", listed, count)
    return broken


def can_be_decoded(source: Path | BytesIO) -> bool:
    """Whether every pixel of a photograph can be decoded; JPEGs at an eighth of their size, which reads all of them."""
    try:
        with Image.open(source) as image:
            image.draft("RGB", (1, 1))
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
    return True


def _hash(purpose: bytes, image_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(image_id.encode(), digest_size=8, person=purpose).digest(), "big")


def caption_of(image_id: str, count: int) -> int:
    """Index in [0, count) of the caption that stands for an image with `count` captions.

    A hash of the image id alone, so the same for every seed, k, generator, operating system and Python.

    Raises:
        ValueError: count < 1.
    """
    if count < 1:
        raise ValueError(f"image {image_id} has {count} captions, but one is needed at least")
    return _hash(b"caption", image_id) % count


def hash_order(image_ids: Sequence[str]) -> list[int]:
    """Rows in the order of a hash of their image id: the first n are a sample, whatever the file's order."""
    return sorted(range(len(image_ids)), key=lambda i: (_hash(b"order", image_ids[i]), image_ids[i]))
