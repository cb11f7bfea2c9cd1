"""CUB-200-2011's photographs as its archive unpacks: images/, images.txt, bounding_boxes.txt, classes.txt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from zeroshot.data.base import CaptionedImages, WrongBox, cut, some
from zeroshot.data.photograph import read_photograph
from zeroshot.data.regular import inside, lines
from zeroshot.errors import UserError

Box = tuple[int, int, int, int]

# Some of CUB's boxes end a pixel beyond their photograph, one 32 (image 1218). Those of a photograph of another size or
# orientation lie further out.
_BEYOND = 0.1  # of a side


def read_cub(
    folder: Path, captions: Mapping[str, list[str]], allow_missing: bool = False, check: bool = True
) -> CaptionedImages:
    """The photographs of the given image ids, in their order, upright and cropped to a square about the bird.

    Args:
        folder: CUB_200_2011.
        captions: image id (images.txt without .jpg) -> its captions.
        allow_missing: leave photographs out that are missing or broken or whose box is not theirs, with a warning.
        check: look at every photograph now; False: when they are first asked for.

    Raises, before anything runs:
        UserError: a file is missing, an image is unknown or leads out of the folder, a box is not its photograph's.
        EnvironmentFailure: a photograph is missing or broken.
    """
    boxes = read_boxes(folder)
    ids = list(captions)
    unknown = [image_id for image_id in ids if image_id not in boxes]
    if unknown:
        raise UserError(f"{folder / 'images.txt'} does not name {some(unknown)}, which the captions belong to")
    images = folder / "images"
    paths = [inside(images, f"{image_id}.jpg", str(folder / "images.txt")) for image_id in ids]

    def open_image(i: int) -> Image.Image:
        photograph = read_photograph(paths[i])
        return photograph.crop(crop_box(sound(boxes[ids[i]], *photograph.size), *photograph.size))

    found = CaptionedImages(
        ids,
        list(captions.values()),
        open_image,
        source=images,
        mend="unpack the archive again",
        allow_missing=allow_missing,
        content=lambda: _content(paths, [boxes[image_id] for image_id in ids]),
    )
    return found.checked() if check else found


def _content(paths: list[Path], boxes: list[tuple[float, ...]]) -> str:
    """A digest of each photograph's box, size and time of last change; its content would take a gigabyte's reading."""
    known = []
    for path, box in zip(paths, boxes, strict=True):
        try:
            status = path.stat()
            known.append([*map(str, box), status.st_size, status.st_mtime_ns])
        except OSError:
            known.append([*map(str, box)])
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def read_boxes(folder: Path) -> dict[str, tuple[float, ...]]:
    """Image id -> bounding box x, y, w, h as the file has it, sound or not.

    Raises UserError: a file is missing, a line is no box, the two files do not fit each other.
    """
    names, boxes = (_table(folder / name, columns) for name, columns in (("images.txt", 2), ("bounding_boxes.txt", 5)))
    try:
        numbers = {row[0]: tuple(map(float, row[1:])) for row in boxes}
        found = {row[1].removesuffix(".jpg"): numbers[row[0]] for row in names}
        if len(found) < len(names) or len(numbers) < len(boxes):
            raise ValueError("one of them names an image twice")
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{folder / 'bounding_boxes.txt'} does not fit images.txt ({cut(str(error))}): unpack both again"
        ) from None
    return found


def _table(path: Path, columns: int) -> list[list[str]]:
    rows = [line.split() for line in lines(path, "give the folder CUB_200_2011 with data.photographs=…")]
    for number, row in enumerate(rows, 1):
        if row and len(row) != columns:
            raise UserError(f"{path}, line {number}: {len(row)} columns, but {columns} are expected")
    return [row for row in rows if row]


def sound(box: tuple[float, ...], width: int, height: int) -> Box:
    """A box x, y, w, h in whole pixels. Raises WrongBox where it cannot be that of a photograph of this size."""
    x, y, w, h = box
    if not all(value.is_integer() for value in box):  # nor are nan and inf
        wrong = "is not in whole pixels"
    elif min(w, h) < 1 or max(w, h) < 2:  # of a single pixel, the crop would be empty
        wrong = "has no area"
    elif min(x, y) < 0 or x >= width or y >= height or x + w > (1 + _BEYOND) * width or y + h > (1 + _BEYOND) * height:
        wrong = "lies outside"
    else:
        return int(x), int(y), int(w), int(h)
    raise WrongBox(f"box {x:g} {y:g} {w:g} {h:g} {wrong}; the photograph has {width} x {height} pixels")


def crop_box(box: Box, width: int, height: int) -> Box:
    """Left, top, right, bottom of the paper's square crop: half-side int(0.75 max(w, h)) about the box's centre.

    It is clipped to the image; all roundings are those of the authors' code.
    """
    x, y, w, h = box
    r = int(max(w, h) * 0.75)
    center_x, center_y = int((2 * x + w) / 2), int((2 * y + h) / 2)
    return max(0, center_x - r), max(0, center_y - r), min(width, center_x + r), min(height, center_y + r)


def check_counts(what: str, found: int, expected: int | None) -> None:
    """Refuse another number of images than expected. Raises UserError with both numbers."""
    if expected is not None and found != expected:
        field = "expected_train" if "train" in what else "expected_test"
        raise UserError(
            f"{what} has {found:,} images, but {expected:,} are expected: get the data again, or accept any number "
            f"with data.{field}=null"
        )
