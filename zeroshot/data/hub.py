"""A Hugging Face data set of captioned photographs, for users who have neither C-CUB nor Reed et al.'s captions."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot.data.base import CaptionedImages, cut
from zeroshot.data.parquet import check_ids, check_texts, sources, values
from zeroshot.data.photograph import content_sha256, read_photograph
from zeroshot.errors import EnvironmentFailure, UserError

if TYPE_CHECKING:
    import datasets


def read_hub(
    name: str,
    split: str,
    image_id: str | None,
    image: str,
    captions: str,
    *,
    revision: str | None = None,
    allow_missing: bool = False,
    check: bool = True,
) -> CaptionedImages:
    """Read and check one split of a data set of parquet files; loading scripts are never run.

    Args:
        name: owner/name on the hub, or a local folder of parquet files.
        split: its name, or a slice such as train[:80%].
        image_id: column of names or whole numbers, all different; None: `<split>/<row>` with six digits.
        image: column of images.
        captions: column of strings or of lists of strings, or several columns of strings as "first,second".
        revision: commit, tag or branch on the hub.
        allow_missing: leave photographs out that are missing or broken, with a warning.
        check: look at every photograph now; False: when they are first asked for.

    Raises:
        UserError: no such data set, split or column, or one that needs a loading script; an empty caption; a
            photograph's path that leads out of the data set's folder.
        EnvironmentFailure: the hub cannot be reached and the data set is not in its cache, or the disk is full; broken
            photographs.
    """
    source = f"data set {name}, split {split}"
    table = _load(name, split, revision)
    columns = captions.split(",")
    wanted = [*([image_id] if image_id else []), image, *columns]
    missing = [column for column in wanted if column not in table.column_names]
    if missing:
        raise UserError(f"{source} has no column {', '.join(missing)}: it has {', '.join(table.column_names)}")

    def column(name: str) -> list[Any]:
        return values(source, table.data.column(name), name)

    ids = check_ids(source, column(image_id), image_id) if image_id else [f"{split}/{i:06d}" for i in range(len(table))]
    rows: list[Any] = [list(row) for row in zip(*map(column, columns), strict=True)]
    texts = check_texts(source, rows if len(columns) > 1 else [row[0] for row in rows], captions, ids)
    photographs = sources(source, table.data.column(image), image, _folder(name), absolute=True)
    found = CaptionedImages(
        ids,
        texts,
        lambda i: read_photograph(photographs[i]),
        source=source,
        mend="restore the file",
        allow_missing=allow_missing,
        content=lambda: content_sha256(photographs),
    )
    return found.checked() if check else found


def _load(name: str, split: str, revision: str | None) -> datasets.Dataset:
    import datasets

    try:
        return datasets.load_dataset(name, split=split, revision=revision)
    except FileNotFoundError as error:  # no such data set
        raise _unreadable(name, split, error) from None
    except (OSError, datasets.exceptions.DatasetGenerationError) as error:
        cause = error.__cause__ or error
        if getattr(cause, "errno", None) == errno.ENOSPC or "Not enough disk space" in str(cause):
            raise EnvironmentFailure(
                f"{datasets.config.HF_DATASETS_CACHE} is full, but data set {name} is copied there "
                f"({cut(str(cause))}): make room, or name another folder with HF_DATASETS_CACHE"
            ) from None
        if isinstance(error, OSError):
            raise EnvironmentFailure(
                f"data set {name} cannot be fetched and is not cached ({_line(error)}): connect once, or give a folder "
                "of parquet files as data.name"
            ) from None
        raise EnvironmentFailure(
            f"a file of data set {name} cannot be read ({_line(cause)}): restore it, or get the data set again"
        ) from None
    except Exception as error:  # a script, an unknown split, files that are none: each library below has its own
        raise _unreadable(name, split, error) from None


def _unreadable(name: str, split: str, error: Exception) -> UserError:
    return UserError(f"data set {name}, split {split}, cannot be read: {_line(error)}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _folder(name: str) -> Path:
    """Where a data set's photographs lie that are files of their own: its folder, or the hub's cache."""
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)
