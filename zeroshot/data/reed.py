"""Reed et al.'s (2016) captions of CUB-200-2011: text/<class>/<image>.txt, ten lines each."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from zeroshot.errors import UserError


def read_reed(folder: Path, per_image: int = 10) -> dict[str, list[str]]:
    """{image id such as 153.Philadelphia_Vireo/Philadelphia_Vireo_0038_794759: captions}, in the order of the ids.

    Raises UserError: no text in the folder, a file that is not UTF-8 (with the byte's offset), another number of lines.
    """
    files = sorted(folder.glob("*/*.txt"))
    if not files:
        raise UserError(f"{folder} holds no <class>/<image>.txt: give the folder text_c10 as its archive unpacks")
    bar = tqdm(files, desc="captions", unit="file", leave=False, disable=None)
    return {f"{path.parent.name}/{path.stem}": _lines(path, per_image) for path in bar}


def _lines(path: Path, per_image: int) -> list[str]:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}; convert it, e.g. with iconv"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if "" in lines:
        raise UserError(f"{path}, line {lines.index('') + 1}: the caption is empty: fill or remove it")
    if len(lines) != per_image:
        raise UserError(f"{path} has {len(lines)} captions, but {per_image} are expected")
    return lines
