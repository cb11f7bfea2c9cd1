"""Captioned photographs from a parquet file in the layout of Hugging Face's `datasets`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zeroshot.data.base import CaptionedImages, cut, some
from zeroshot.data.photograph import Source, content_sha256, read_photograph
from zeroshot.data.regular import inside
from zeroshot.data.text import cleaned
from zeroshot.errors import EnvironmentFailure, UserError


def read_parquet(
    path: str | Path,
    *,
    image_id: str = "image_id",
    image: str = "image",
    captions: str = "captions",
    allow_missing: bool = False,
    check: bool = True,
) -> CaptionedImages:
    """Read and check a file of captioned photographs; those inside it stay in memory as encoded.

    Args:
        path: the file.
        image_id: column of strings or of whole numbers, which become their decimal text, all different.
        image: column of `datasets.Image`: struct of `bytes` and `path`, or plain bytes, or paths. A path is that of a
            regular file below the parquet's folder and counts where there are no bytes.
        captions: column of lists of strings, or of strings.
        allow_missing: leave photographs out that are missing or broken, with a warning.
        check: look at every photograph now; False: when they are first asked for.

    Raises:
        EnvironmentFailure: the file is missing or damaged, or photographs in it or beside it are.
        UserError: a column is missing or of another type, there is no row, a caption is empty or not UTF-8, an image id
            is empty or occurs twice, a path leads elsewhere.
    """
    path = Path(path)
    table = _load(path, list(dict.fromkeys((image_id, image, captions))))
    ids = check_ids(path, values(path, table.column(image_id), image_id), image_id)
    texts = check_texts(path, values(path, table.column(captions), captions), captions, ids)
    photographs = sources(path, table.column(image), image, path.parent)
    beside = any(isinstance(photograph, Path) for photograph in photographs)
    found = CaptionedImages(
        ids,
        texts,
        lambda i: read_photograph(photographs[i]),
        source=path,
        mend="restore the file",
        allow_missing=allow_missing,
        content=lambda: content_sha256(photographs) if beside else None,
    )
    return found.checked() if check else found


def _load(path: Path, columns: list[str]) -> pa.Table:
    try:
        if not path.exists():
            raise EnvironmentFailure(f"data file {path} is missing: restore it, or give another path")
        if not path.is_file():
            raise EnvironmentFailure(f"data file {path} is no regular file: give the path of a parquet file")
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            present = file.schema_arrow.names
            missing = [column for column in columns if column not in present]
            if missing:
                raise UserError(
                    f"{path} has no column {some(missing)}: it has {', '.join(map(cut, present))}; name one of these"
                )
            twice = [column for column in columns if present.count(column) > 1]
            if twice:
                raise UserError(f"{path} has more than one column {some(twice)}: give each a name of its own")
            table = file.read(columns=columns)
    except (EnvironmentFailure, UserError):
        raise
    except Exception as error:  # a damaged file fails in whatever way its first wrong byte leads to
        raise EnvironmentFailure(
            f"data file {path} cannot be read ({cut(str(error)) or type(error).__name__}): restore it"
        ) from None
    if not table.num_rows:
        raise UserError(f"{path} has no rows, but one image at least is needed")
    return table


def values(source: Path | str, column: pa.ChunkedArray, name: str) -> list[Any]:
    """A column's values as Python's. Raises UserError for text that is not UTF-8, with its row and byte."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        for row, value in enumerate(column):
            try:
                value.as_py()
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{source}, row {row}: column {name} is not UTF-8: byte {error.start} of its text is "
                    f"0x{error.object[error.start]:02x}; write it as UTF-8"
                ) from None
        raise
    except (ValueError, ArithmeticError, TypeError) as error:  # dates that Python does not have
        raise UserError(f"{source}: column {name} of {column.type} cannot be read ({cut(str(error))})") from None


def check_ids(path: Path | str, ids: list[Any], column: str) -> list[str]:
    """The ids as text, each a name and all different; whole numbers become their decimal text. Raises UserError."""
    names: list[str] = []
    for row, value in enumerate(ids):
        name = str(value) if isinstance(value, (int, np.integer)) and not isinstance(value, bool) else value
        if not isinstance(name, str) or not name.strip():
            raise UserError(
                f"{path}, row {row}: {column} = {cut(repr(value))} is {_kind(value)}, but each image needs a name of "
                "its own: text, or a whole number"
            )
        names.append(name)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(f"{path}: {some(twice)} in column {column} more than once, but each image needs its own name")
    return names


def _kind(value: Any) -> str:
    if value is None or isinstance(value, str):
        return "empty"
    return f"of type {type(value).__name__}"


def check_texts(path: Path | str, rows: list[Any], column: str, ids: list[str]) -> list[list[str]]:
    """The captions of each image as a list. Raises UserError for another type, none, or an empty one."""
    texts = []
    for row, value in enumerate(rows):
        listed = [value] if isinstance(value, str) else value
        if listed is not None and not isinstance(listed, list):
            raise UserError(f"{path}: column {column} holds {type(value).__name__}, but lists of strings are needed")
        if not listed:
            raise UserError(f"{path}, row {row}: image {cut(ids[row])} has no caption, but needs one at least")
        for number, text in enumerate(listed):
            if text is not None and not isinstance(text, str):
                raise UserError(f"{path}: column {column} holds {type(text).__name__}, but strings are needed")
            where = f"{path}, row {row}: caption {number} of image {cut(ids[row])}"
            if not text or not cleaned(text, where).strip():
                raise UserError(f"{where} is empty: fill or remove it")
        texts.append(listed)
    return texts


def sources(path: Path | str, column: pa.ChunkedArray, name: str, folder: Path, absolute: bool = False) -> list[Source]:
    """The encoded photographs inside a column, or the places of their files below `folder`, none of them opened.

    Args:
        path, name: the table and its column, for messages.
        absolute: whether a path may begin at the root, as `datasets` itself writes those of folders of pictures.

    Raises UserError for a column of another type and for a path that leads elsewhere.
    """
    struct = pa.types.is_struct(column.type)
    types = {field.name: field.type for field in column.type} if struct else {}
    if not struct:
        types = {"path" if _is_text(column.type) else "bytes": column.type}
    fit = [is_one(types[key]) for key, is_one in (("bytes", _is_binary), ("path", _is_text)) if key in types]
    if not fit or not all(fit):
        kind = cut(str(column.type))
        raise UserError(f"{path}: column {name} is {kind}, but images (a struct of bytes and path) are needed")
    found: list[Source] = []
    for row, value in enumerate(values(path, column, name)):
        held = value if isinstance(value, dict) else dict.fromkeys(types, value)
        content, place = held.get("bytes"), held.get("path")
        if content is None and place:
            content = inside(folder, place, f"{path}, row {row}: {name}'s path", absolute)
        found.append(content)
    return found


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_null(kind)
