"""The beginning of a file, kept beside its final place until the rest has come."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from zeroshot.errors import EnvironmentFailure


@dataclass
class Origin:
    """What the bytes in a .partial file are the beginning of."""

    source: str = ""
    validator: str | None = None  # strong ETag, else date of last change
    total: int | None = None  # bytes


def partial_path(path: Path) -> Path:
    """Where a file's beginning is kept."""
    return path.with_name(path.name + ".partial")


class PartialFile:
    """A .partial file, open and held by this process alone; beside it, as JSON, its origin."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self._file = path, file
        self._origin_path = path.with_name(path.name + ".json")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def origin(self) -> Origin:
        """What it is the beginning of; an empty origin where that is not known."""
        try:
            return Origin(**json.loads(self._origin_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Origin()

    @origin.setter
    def origin(self, origin: Origin) -> None:
        try:
            self._origin_path.write_text(json.dumps(asdict(origin)), encoding="utf-8")
        except OSError as error:
            raise EnvironmentFailure(f"{self._origin_path} cannot be written ({error.strerror}): make room") from None

    def restart(self) -> None:
        """Drop what has come."""
        self._file.truncate(0)

    def append(self, chunk: bytes) -> None:
        """Add bytes at the end. Raises EnvironmentFailure where they do not fit onto the disk."""
        try:
            self._file.seek(0, os.SEEK_END)
            self._file.write(chunk)
            self._file.flush()
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            what = f"disk full: {len(chunk):,} more bytes did not fit" if full else error.strerror
            raise EnvironmentFailure(f"{self.path} cannot be written ({what}): mend that, then go on") from None

    def need(self, size: int) -> None:
        """Raise EnvironmentFailure unless the disk has room for so many more bytes."""
        free = shutil.disk_usage(self.path.parent).free
        if size > free:
            raise EnvironmentFailure(
                f"disk full: {self.path.parent} needs {size:,} more bytes, but {free:,} are free: "
                "make room, or name another folder with ZEROSHOT_CACHE"
            )

    def complete(self) -> None:
        """Forget the origin: nothing more will come."""
        self._origin_path.unlink(missing_ok=True)


@contextmanager
def held_partial(path: Path) -> Iterator[PartialFile]:
    """The .partial file of `path`, held by one process at a time; none is left behind where nothing came.

    Raises EnvironmentFailure where another process holds it, or the folder cannot be written.
    """
    place = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = place.open("r+b" if place.exists() else "w+b")
    except OSError as error:
        raise EnvironmentFailure(
            f"{path.parent} cannot be written ({error.strerror}): name another folder with ZEROSHOT_CACHE"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = os.path.samestat(os.fstat(file.fileno()), place.stat())
        except OSError:
            held = False  # or its holder moved it between our opening and our locking it
        if not held:
            raise EnvironmentFailure(f"{place} is being written by another process: wait for it, then try again")
        partial = PartialFile(place, file)
        try:
            yield partial
        finally:
            if place.exists() and not partial.size:
                place.unlink()
                partial.complete()
