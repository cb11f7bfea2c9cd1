"""The beginning of a file, kept beside its final place until the rest has come."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from zeroshot.errors import EnvironmentFailure
from zeroshot.storage.files import write_text
from zeroshot.storage.locks import locked

ELSEWHERE = "make room, or name another folder with ZEROSHOT_CACHE"


class Origin(NamedTuple):
    """What the bytes in a .partial file are the beginning of."""

    source: str = ""
    validator: str | None = None  # strong ETag, else date of last change
    total: int | None = None  # bytes


def partial_path(path: Path) -> Path:
    """Where a file's beginning is kept."""
    return path.with_name(path.name + ".partial")


@contextmanager
def writing(path: Path, size: int = 0) -> Iterator[None]:
    """What the disk refuses meanwhile becomes an EnvironmentFailure that names the path and the bytes, if any."""
    try:
        yield
    except OSError as error:
        needs = f"needs {size:,} more bytes and " if size else ""
        raise EnvironmentFailure(f"{path} {needs}cannot be written ({error.strerror}): {ELSEWHERE}") from None


class PartialFile(FileIO):
    """A .partial file, open to append; beside it, as JSON, its origin. Unbuffered: a full disk refuses only once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "a")
        self.path, self.note = path, path.with_name(path.name + ".json")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return os.fstat(self.fileno()).st_size

    @property
    def origin(self) -> Origin:
        """What it is the beginning of; an empty origin where that is not known."""
        try:
            return Origin(**json.loads(self.note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Origin()

    def expect(self, origin: Origin) -> None:
        """Note what comes. Raises EnvironmentFailure where the disk has no room for the rest of it."""
        rest, free = (origin.total or 0) - self.size, shutil.disk_usage(self.path.parent).free
        if rest > free:
            full = f"disk full: {self.path.parent} needs {rest:,} more bytes, but {free:,} are free"
            raise EnvironmentFailure(f"{full}: {ELSEWHERE}")
        write_text(self.note, json.dumps(origin._asdict()))

    def append(self, chunk: bytes) -> None:
        """Add all of these bytes at the end. Raises EnvironmentFailure where they do not fit onto the disk."""
        with writing(self.path, len(chunk)):
            while chunk:
                chunk = chunk[self.write(chunk) :]


@contextmanager
def held_partial(path: Path) -> Iterator[PartialFile]:
    """The .partial file of `path`, held by one process at a time; none is left behind where nothing came.

    Raises EnvironmentFailure where another process holds it, or the folder cannot be written.
    """
    place = partial_path(path)
    # Not the .partial file itself: Windows neither reads nor renames what is locked or open.
    with locked(place.with_name(place.name + ".lock"), wait=False) as mine:
        if not mine:
            raise EnvironmentFailure(f"{place} is being written by another process: wait, then try again")
        with writing(place):
            partial = PartialFile(place)
        try:
            yield partial
        finally:
            partial.close()
            if place.exists() and not place.stat().st_size:
                place.unlink()
            if not place.exists():
                partial.note.unlink(missing_ok=True)
