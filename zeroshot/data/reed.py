"""Reed et al.'s (2016) captions of CUB-200-2011: text/<class>/<image>.txt, ten lines each."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from zeroshot.data.regular import lines
from zeroshot.data.text import cleaned
from zeroshot.errors import UserError


def read_reed(folder: Path, per_image: int = 10) -> dict[str, list[str]]:
    """{image id such as 153.Philadelphia_Vireo/Philadelphia_Vireo_0038_794759: captions}, in the order of the ids.

    Files that a Mac or Windows adds to a folder (._name.txt, __MACOSX) are no captions.

    Raises UserError: no text in the folder, a file that is not UTF-8 (with the byte's offset), another number of lines.
    """
    found = sorted(folder.glob("*/*.txt"))
    files = [path for path in found if not any(map(_added, path.relative_to(folder).parts))]
    if not files:
        raise UserError(f"{folder} holds no <class>/<image>.txt: give the folder text_c10 as its archive unpacks")
    bar = tqdm(files, desc="captions", unit="file", leave=False, disable=None)
    return {f"{path.parent.name}/{path.stem}": _captions(path, per_image) for path in bar}


def _captions(path: Path, per_image: int) -> list[str]:
    captions = [line.strip() for line in lines(path, "get it again")]
    while captions and not captions[-1]:
        captions.pop()
    empty = [number for number, text in enumerate(captions, 1) if not cleaned(text, f"{path}, line {number}:").strip()]
    if empty:
        raise UserError(f"{path}, line {empty[0]}: the caption is empty: fill or remove it")
    if len(captions) != per_image:
        raise UserError(f"{path} has {len(captions)} captions, but {per_image} are expected")
    return captions


def _added(part: str) -> bool:
    """Whether a Mac or a file browser, rather than the data set's owner, put a name there."""
    return part.startswith(".") or part == "__MACOSX"
