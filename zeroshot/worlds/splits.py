"""From settings to captions and photographs: what each source's name stands for, and what a split is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from zeroshot.data.base import CaptionedImages
from zeroshot.data.ccub import read_ccub
from zeroshot.data.cub import check_counts, read_cub
from zeroshot.data.hub import read_hub
from zeroshot.data.parquet import read_parquet
from zeroshot.data.reed import read_reed
from zeroshot.errors import UserError
from zeroshot.settings import DataSettings
from zeroshot.storage.paths import resolve
from zeroshot.storage.pins import sha256_of


def load_split(data: DataSettings, split: str) -> CaptionedImages:
    """Captions and photographs of the `train` or the `test` split, from whichever source; the photographs are looked at
    when they are first asked for. Raises UserError."""
    images = _read(data, split)
    check_counts(f"the {split} split", len(images), getattr(data, f"expected_{split}"))
    return images


def _read(data: DataSettings, split: str) -> CaptionedImages:
    if data.source == "parquet":
        path = resolve(_given(data, split))
        columns = {"image_id": _given(data, "image_id"), "image": data.image, "captions": data.captions}
        return read_parquet(path, **columns, allow_missing=data.allow_missing, check=False)
    if data.source == "hub":
        name, part = _given(data, "name"), _given(data, split)
        names = (data.image_id, data.image, data.captions)
        return read_hub(name, part, *names, revision=data.revision, allow_missing=data.allow_missing, check=False)
    captions = read_ccub(resolve(_given(data, "split")))[split]
    if data.source == "reed":
        text = read_reed(resolve(_given(data, "text")))
        unknown = [image_id for image_id in captions if image_id not in text]
        if unknown:
            raise UserError(f"{data.text} has no captions of {len(unknown)} images of the split, e.g. {unknown[0]}")
        captions = {image_id: text[image_id] for image_id in captions}
    return read_cub(resolve(_given(data, "photographs")), captions, data.allow_missing, check=False)


def _given(data: DataSettings, field: str) -> str:
    value = getattr(data, field)
    if not value:
        raise UserError(f"data.{field} is empty, but data.source = {data.source} needs it")
    return value


def split_identity(data: DataSettings, split: str, images: Callable[[], CaptionedImages]) -> str:
    """What a split is: the sha256 of its parquet file, where that holds all; else that of its ids and captions, what
    its photographs depend on, and what it lacks."""
    read = images()
    known = [sha256_of(resolve(_given(data, split)))] if data.source == "parquet" else []
    content = [read.content] if read.content else []
    if known and not content and not data.allow_missing:
        return known[0]
    lacking = [sorted(read.missing)] if data.allow_missing and read.missing else []
    return hashlib.sha256(json.dumps([*known, read.image_ids, read.captions, *content, *lacking]).encode()).hexdigest()
