"""C-CUB (Park et al. 2021, github Seth-Park/comp-t2i-dataset): captions and split of CUB-200-2011, as two pickles.

data.pkl is {image id: {caption id: {"text": …, …}}}, split.pkl {"train", "test_seen", "test_unseen", …: [image id]}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zeroshot.data.base import cut, some
from zeroshot.data.text import cleaned
from zeroshot.data.unpickle import read_plain_pickle
from zeroshot.errors import UserError

SPLITS = {"train": ("train",), "test": ("test_seen", "test_unseen")}  # as the paper's code puts them together


def read_ccub(folder: Path) -> dict[str, dict[str, list[str]]]:
    """{"train" and "test": {image id: captions}}, in the files' order.

    Raises UserError: a file is missing, damaged or hostile; a split names an image without captions; an empty caption.
    """
    data, split = (read_plain_pickle(folder / f"{name}.pkl") for name in ("data", "split"))
    for name, content in (("data", data), ("split", split)):
        if not isinstance(content, dict):
            raise UserError(f"{folder / name}.pkl holds a {type(content).__name__}, but a dictionary is expected")
    missing = [part for parts in SPLITS.values() for part in parts if part not in split]
    if missing:
        raise UserError(f"{folder / 'split.pkl'} has no {some(missing)}: it has {some(list(map(str, split)))}")
    return {
        name: _captions(folder, data, [i for part in parts for i in _ids(folder, part, split[part])])
        for name, parts in SPLITS.items()
    }


def _ids(folder: Path, part: str, ids: Any) -> list[str]:
    if isinstance(ids, (set, frozenset)):
        ids = sorted(ids, key=str)  # a set has no order of its own
    if not isinstance(ids, (list, tuple)):
        raise UserError(f"{folder / 'split.pkl'}: {part} is a {type(ids).__name__}, but a list of image ids is needed")
    others = [value for value in ids if not isinstance(value, str)]
    if others:
        raise UserError(f"{folder / 'split.pkl'}: {part} names {cut(repr(others[0]))}, but image ids are text")
    return list(ids)


def _captions(folder: Path, data: dict[str, Any], image_ids: list[str]) -> dict[str, list[str]]:
    unknown = [image_id for image_id in image_ids if image_id not in data]
    if unknown:
        raise UserError(f"{folder / 'split.pkl'} names images that data.pkl lacks: {some(unknown)}: get both again")
    return {image_id: _texts(folder, image_id, data[image_id]) for image_id in image_ids}


def _texts(folder: Path, image_id: str, captions: Any) -> list[str]:
    texts = []
    for caption_id, caption in captions.items() if isinstance(captions, dict) else ():
        text = caption.get("text") if isinstance(caption, dict) else None
        where = f"{folder / 'data.pkl'}: caption {cut(str(caption_id))} of image {image_id}"
        if not isinstance(text, str) or not cleaned(text, where).strip():
            raise UserError(f"{where} has no text")
        texts.append(text)
    if not texts:
        raise UserError(f"{folder / 'data.pkl'}: image {image_id} has no caption, but needs one at least")
    return texts
