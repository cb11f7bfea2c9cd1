"""A Hugging Face data set of captioned photographs, for users who have neither C-CUB nor Reed et al.'s captions."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
from PIL import Image

from zeroshot.data.base import CaptionedImages
from zeroshot.data.parquet import check_ids, check_texts, encoded_images, missing_images
from zeroshot.errors import EnvironmentFailure, UserError


def read_hub(
    name: str,
    split: str,
    image_id: str | None,
    image: str,
    captions: str,
    *,
    revision: str | None = None,
    allow_missing: bool = False,
) -> CaptionedImages:
    """Read and check one split of a data set of parquet files; loading scripts are never run.

    Args:
        name: owner/name on the hub, or a local folder of parquet files.
        split: its name, or a slice such as train[:80%].
        image_id: column of names, all different; None: `<split>/<row>` with six digits.
        image: column of images.
        captions: column of strings or of lists of strings, or several columns of strings as "first,second".
        revision: commit, tag or branch on the hub.
        allow_missing: leave photographs out that are missing or broken, with a warning.

    Raises:
        UserError: no such data set, split or column, or one that needs a loading script; an empty caption.
        EnvironmentFailure: the hub cannot be reached and the data set is not in its cache; broken photographs.
    """
    source = f"data set {name}, split {split}"
    table = _load(name, split, revision)
    columns = captions.split(",")
    wanted = [*([image_id] if image_id else []), image, *columns]
    missing = [column for column in wanted if column not in table.column_names]
    if missing:
        raise UserError(f"{source} has no column {', '.join(missing)}: it has {', '.join(table.column_names)}")
    ids = (
        check_ids(source, table.data.column(image_id).to_pylist(), image_id)
        if image_id
        else [f"{split}/{i:06d}" for i in range(len(table))]
    )
    rows: list[Any] = [list(row) for row in zip(*(table.data.column(c).to_pylist() for c in columns), strict=True)]
    if len(columns) == 1:
        rows = [row[0] for row in rows]
    texts = check_texts(source, rows, captions, ids)
    photographs = encoded_images(source, table, image, Path(name))
    lacking = missing_images(source, ids, photographs, allow_missing)
    return CaptionedImages(ids, texts, lambda i: Image.open(BytesIO(photographs[i])), lacking)


def _load(name: str, split: str, revision: str | None) -> datasets.Dataset:
    try:
        return datasets.load_dataset(name, split=split, revision=revision)
    except (ConnectionError, datasets.exceptions.DatasetGenerationError) as error:
        raise EnvironmentFailure(
            f"data set {name} cannot be fetched and is not cached ({_line(error)}): connect once, or give a folder of "
            "parquet files as data.name"
        ) from None
    except (RuntimeError, ValueError, FileNotFoundError) as error:  # a script, an unknown split, no such data set
        raise UserError(f"data set {name}, split {split}, cannot be read: {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
