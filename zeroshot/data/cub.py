"""CUB-200-2011's photographs as its archive unpacks: images/, images.txt, bounding_boxes.txt, classes.txt."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from zeroshot.data.base import CaptionedImages, can_be_decoded, check_whole, some
from zeroshot.errors import UserError

Box = tuple[int, int, int, int]


def read_cub(folder: Path, captions: Mapping[str, list[str]], allow_missing: bool = False) -> CaptionedImages:
    """The photographs of the given image ids, in their order, cropped to a square about the bird.

    Args:
        folder: CUB_200_2011.
        captions: image id (images.txt without .jpg) -> its captions.
        allow_missing: leave photographs out that are missing or broken, with a warning.

    Raises, before anything runs:
        UserError: a file is missing, or an image is unknown.
        EnvironmentFailure: a photograph is missing or broken.
    """
    boxes = read_boxes(folder)
    ids = list(captions)
    unknown = [image_id for image_id in ids if image_id not in boxes]
    if unknown:
        raise UserError(f"{folder / 'images.txt'} does not name {some(unknown)}, which the captions belong to")
    paths = [folder / "images" / f"{image_id}.jpg" for image_id in ids]
    with ThreadPoolExecutor() as pool:
        whole = tqdm(pool.map(can_be_decoded, paths), total=len(paths), desc="photographs", leave=False, disable=None)
        missing = check_whole(folder / "images", ids, whole, allow_missing, "unpack the archive again")

    def open_image(i: int) -> Image.Image:
        with Image.open(paths[i]) as image:
            return image.convert("RGB").crop(crop_box(boxes[ids[i]], *image.size))

    return CaptionedImages(ids, list(captions.values()), open_image, missing)


def read_boxes(folder: Path) -> dict[str, Box]:
    """Image id -> bounding box x, y, w, h in whole pixels, as the paper's code reads them."""
    names, boxes = (_table(folder / name, columns) for name, columns in (("images.txt", 2), ("bounding_boxes.txt", 5)))
    try:
        numbers = {row[0]: [int(float(value)) for value in row[1:]] for row in boxes}
        found = {row[1].removesuffix(".jpg"): tuple(numbers[row[0]]) for row in names}
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{folder / 'bounding_boxes.txt'} does not fit images.txt ({error}): unpack both again"
        ) from None
    return found  # type: ignore[return-value]


def _table(path: Path, columns: int) -> list[list[str]]:
    try:
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): give the folder CUB_200_2011 with data.photographs=…"
        ) from None
    for number, row in enumerate(rows, 1):
        if len(row) != columns:
            raise UserError(f"{path}, line {number}: {len(row)} columns, but {columns} are expected")
    return rows


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
