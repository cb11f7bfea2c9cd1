"""Photographs with captions, whatever their source."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from PIL import Image
from tqdm import tqdm

from zeroshot.data.photograph import Broken
from zeroshot.data.text import cleaned
from zeroshot.errors import EnvironmentFailure, UserError

logger = logging.getLogger(__name__)


class WrongBox(Broken):
    """A bounding box that cannot be its photograph's: a fault of the data, not of the disk."""


class CaptionedImages:
    """Images in a fixed order, each with its id and one or more captions.

    Args:
        image_ids: one id per image, all different.
        captions: the captions of each image as the source has them, none empty; they are kept `cleaned`
            (`zeroshot.data.text`), and `changed` holds the (row, number) of those that this changed.
        open_image: row -> the photograph, RGB of any size; raises Broken where there is none.
        source: what the photographs are read from, and
        mend: what to do where some are missing, for messages.
        allow_missing: leave photographs out that are missing or broken, with a warning.
        content: a digest of what the photographs depend on; None where ids and captions come from the same file.
    """

    def __init__(
        self,
        image_ids: list[str],
        captions: list[list[str]],
        open_image: Callable[[int], Image.Image],
        *,
        source: object = "captioned images",
        mend: str = "restore them",
        allow_missing: bool = False,
        content: Callable[[], str | None] = lambda: None,
    ) -> None:
        if len(image_ids) != len(captions):
            raise ValueError(f"{len(image_ids)} image ids, but captions of {len(captions)} images")
        self.image_ids = image_ids
        self.captions = [[cleaned(text) for text in own] for own in captions]
        both = zip(captions, self.captions, strict=True)
        self.changed = frozenset(
            (row, number)
            for row, pair in enumerate(both)
            for number, (a, b) in enumerate(zip(*pair, strict=True))
            if a != b
        )
        self._open_image = open_image
        self._source, self._mend, self._allow_missing = source, mend, allow_missing
        self._content = content

    def __len__(self) -> int:
        return len(self.image_ids)

    @cached_property
    def content(self) -> str | None:
        """What the photographs depend on, beside the file that holds ids and captions; None: on nothing else."""
        return self._content()

    @cached_property
    def missing(self) -> frozenset[int]:
        """Rows without a photograph that can be used. All are decoded, once, when this is first asked for.

        Raises, unless missing ones are allowed:
            EnvironmentFailure: lists those that are missing or broken.
            UserError: lists those whose bounding box is not theirs.
        """
        rows = range(len(self))
        with ThreadPoolExecutor() as pool:
            found = tqdm(pool.map(self._fault, rows), total=len(self), desc="photographs", leave=False, disable=None)
            faults = {row: fault for row, fault in zip(rows, found, strict=True) if fault is not None}
        if faults and not self._allow_missing:
            raise self._refusal(faults)
        if faults:
            logger.warning(
                "%s: these %s are left out of the Fréchet distance and the threshold",
                self._listed(faults), self._share(faults),
            )  # fmt: skip
        return frozenset(faults)

    def checked(self) -> CaptionedImages:
        """Itself, once every photograph has been looked at. Raises as `missing`."""
        _ = self.missing
        return self

    @property
    def photographed(self) -> list[int]:
        """Rows that have a photograph, in order."""
        return [row for row in range(len(self)) if row not in self.missing]

    @property
    def photographed_captions(self) -> list[list[str]]:
        """The captions of each image that has a photograph."""
        return [self.captions[row] for row in self.photographed]

    def image(self, i: int) -> Image.Image:
        """The i-th photograph, RGB with 8 bits a channel. Raises as `missing` where it is missing or broken."""
        try:
            return self._open(i)
        except Broken as fault:
            raise self._refusal({i: fault}) from None

    def _open(self, row: int) -> Image.Image:
        try:
            return self._open_image(row)
        except MemoryError:  # says nothing of the photograph
            raise EnvironmentFailure(
                f"{self._source}: memory ended while photograph {self.image_ids[row]} was decoded: free some"
            ) from None

    def _fault(self, row: int) -> Broken | None:
        try:
            self._open(row)
        except Broken as fault:
            return fault
        return None

    def _refusal(self, faults: Mapping[int, Broken]) -> UserError | EnvironmentFailure:
        boxes = {row: fault for row, fault in faults.items() if isinstance(fault, WrongBox)}
        mend, kind = ("correct bounding_boxes.txt", UserError) if boxes else (self._mend, EnvironmentFailure)
        named = boxes or faults
        reasons = _first([f"{cut(self.image_ids[row])}: {fault}" for row, fault in named.items()], len(named))
        return kind(
            f"{self._listed(named)}: {mend}, or leave these {self._share(named)} out with data.allow_missing=true "
            f"({reasons})"
        )

    def _listed(self, faults: Mapping[int, Broken]) -> str:
        boxes = all(isinstance(fault, WrongBox) for fault in faults.values())
        what = "bounding boxes that do not fit their photographs" if boxes else "missing or broken photographs"
        return f"{self._source}: {what}: {some([self.image_ids[row] for row in faults])}"

    def _share(self, faults: Mapping[int, Broken]) -> str:
        return f"{len(faults):,} of {len(self):,}"


_NAMED = 5  # things named in a message; the rest are counted


def some(names: Sequence[str]) -> str:
    """The first few names of a list, for a message."""
    return _first([cut(name) for name in names[:_NAMED]], len(names))


def cut(text: str) -> str:
    """At most 80 characters of a text, on one line."""
    return " ".join(text.split())[:80]


def _first(names: Sequence[str], count: int) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {count - _NAMED:,} more" if count > _NAMED else "")


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
