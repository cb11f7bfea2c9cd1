"""Captioned photographs from a parquet file in the layout of Hugging Face's `datasets`."""

from __future__ import annotations

import errno
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from zeroshot.data.base import CaptionedImages, can_be_decoded, check_whole, some
from zeroshot.errors import EnvironmentFailure, UserError


def read_parquet(
    path: str | Path,
    *,
    image_id: str = "image_id",
    image: str = "image",
    captions: str = "captions",
    allow_missing: bool = False,
) -> CaptionedImages:
    """Read and check a file of captioned photographs; they stay in memory as encoded.

    Args:
        path: the file.
        image_id: column of strings, all different.
        image: column of `datasets.Image`: struct of `bytes` and `path`, or plain bytes.
        captions: column of lists of strings, or of strings.
        allow_missing: leave photographs out that are missing or broken, with a warning.

    Raises:
        EnvironmentFailure: the file is missing or damaged, or photographs in it are.
        UserError: a column is missing or of another type, a caption is empty, an image id is empty or occurs twice.
    """
    path = Path(path)
    table = _load(path, list(dict.fromkeys((image_id, image, captions))))
    ids = check_ids(path, table.data.column(image_id).to_pylist(), image_id)
    texts = check_texts(path, table.data.column(captions).to_pylist(), captions, ids)
    photographs = encoded_images(path, table, image, path.parent)

    def open_image(i: int) -> Image.Image:
        return Image.open(BytesIO(photographs[i]))

    return CaptionedImages(ids, texts, open_image, missing_images(path, ids, photographs, allow_missing))


def _load(path: Path, columns: list[str]) -> datasets.Dataset:
    try:
        if not path.exists():
            raise EnvironmentFailure(f"data file {path} is missing: restore it (git checkout) or give another path")
        present = pq.read_schema(path).names
        missing = [column for column in columns if column not in present]
        if missing:
            raise UserError(
                f"{path} has no column {', '.join(missing)}: it has {', '.join(present)}; name one of these"
            )
        with tempfile.TemporaryDirectory() as cache, _no_progress_bars():
            return datasets.Dataset.from_parquet(str(path), columns=columns, cache_dir=cache, keep_in_memory=True)
    except (OSError, pa.ArrowException, datasets.exceptions.DatasetsError) as error:
        cause = error.__cause__ or error
        if getattr(cause, "errno", None) == errno.ENOSPC or "Not enough disk space" in str(cause):
            raise EnvironmentFailure(
                f"{tempfile.gettempdir()} is full, but reading {path} needs about {path.stat().st_size:,} bytes there: "
                "make room, or name another folder with TMPDIR"
            ) from None
        reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        raise EnvironmentFailure(
            f"data file {path} cannot be read ({reason}): restore it, e.g. git checkout"
        ) from error


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def check_ids(path: Path | str, ids: list[Any], column: str) -> list[str]:
    """The ids, each a name and all different. Raises UserError."""
    for row, value in enumerate(ids):
        if not isinstance(value, str) or not value:
            raise UserError(f"{path}, row {row}: {column} = {value!r}, but each image needs a name of its own")
    twice = [value for value, count in Counter(ids).items() if count > 1]
    if twice:
        raise UserError(f"{path}: {some(twice)} in column {column} more than once, but each image needs its own name")
    return ids


def check_texts(path: Path | str, rows: list[Any], column: str, ids: list[str]) -> list[list[str]]:
    """The captions of each image as a list. Raises UserError for another type, none, or an empty one."""
    texts = []
    for row, value in enumerate(rows):
        listed = [value] if isinstance(value, str) else value
        if listed is not None and not isinstance(listed, list):
            raise UserError(f"{path}: column {column} holds {type(value).__name__}, but lists of strings are needed")
        if not listed:
            raise UserError(f"{path}, row {row}: image {ids[row]} has no caption, but needs one at least")
        for number, text in enumerate(listed):
            if text is not None and not isinstance(text, str):
                raise UserError(f"{path}: column {column} holds {type(text).__name__}s, but strings are needed")
            if not text or not text.strip():
                raise UserError(f"{path}, row {row}: caption {number} of image {ids[row]} is empty: fill or remove it")
        texts.append(listed)
    return texts


def encoded_images(path: Path | str, table: datasets.Dataset, column: str, folder: Path) -> list[bytes]:
    """The photographs' files, whether inside the table or beside it in `folder`."""
    try:
        rows = table.cast_column(column, datasets.Image(decode=False))[column]
    except (pa.ArrowException, TypeError, ValueError):
        kind = table.features[column]
        raise UserError(
            f"{path}: column {column} is {kind}, but images (a struct of bytes and path) are needed"
        ) from None
    return [_file(folder, row) for row in rows]


def _file(folder: Path, row: dict[str, Any] | None) -> bytes:
    """The bytes of one row; none where nothing is there, which counts as a broken photograph."""
    if row is None or row["bytes"] is not None:
        return row["bytes"] if row else b""
    try:
        return (folder / row["path"]).read_bytes() if row["path"] else b""
    except OSError:
        return b""


def missing_images(path: Path | str, ids: list[str], photographs: list[bytes], allow_missing: bool) -> list[int]:
    """Rows whose photograph is missing or cannot be decoded. Raises EnvironmentFailure unless `allow_missing`."""
    with ThreadPoolExecutor() as pool:
        whole = pool.map(lambda photograph: can_be_decoded(BytesIO(photograph)), photographs)
        return check_whole(path, ids, whole, allow_missing, "restore the file")
