"""Locks on files, by portalocker: shared or exclusive, and freed by the kernel when their owner dies."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import portalocker
from portalocker.constants import LockFlags
from portalocker.exceptions import AlreadyLocked, LockException

from zeroshot.errors import EnvironmentFailure

AGAIN = 0.02  # seconds between two tries: Windows itself waits ten seconds at most


def _lock(file: TextIO, shared: bool = False) -> bool:
    """Lock an open file until it is closed; False where another holds it.

    Raises OSError where the file system knows no locks.
    """
    flags = LockFlags.SHARED if shared else LockFlags.EXCLUSIVE
    try:
        portalocker.lock(file, flags | LockFlags.NON_BLOCKING)
    except AlreadyLocked:
        return False
    except LockException as error:
        raise OSError(errno.ENOLCK, f"no lock: {error}") from None
    return True


def _lies_at(file: TextIO, path: Path) -> bool:
    """Whether an open file is still the one under a path: its owner may have removed it before we locked it."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def take(path: Path, shared: bool = False, patience: float = 0.0) -> TextIO | None:
    """A lock file, made where it is missing, and locked; None where another holds it after that many seconds."""
    until = time.monotonic() + patience
    while True:
        file = path.open("a+", encoding="utf-8")
        free = _lock(file, shared)
        if free and _lies_at(file, path):
            return file
        file.close()
        if not free:
            if time.monotonic() >= until:
                return None
            time.sleep(AGAIN)


def give_back(file: TextIO, path: Path) -> None:
    """Unlock a lock file, and remove it unless another holds it too: then the last of them does."""
    with contextlib.suppress(OSError):  # Windows removes no open file: it stays, free
        if _lock(file) and _lies_at(file, path):
            path.unlink(missing_ok=True)
    file.close()


def holder_of(path: Path) -> str:
    """What stands in a lock file that somebody holds; empty for one that nobody does."""
    with contextlib.suppress(OSError), path.open(encoding="utf-8") as file:
        if not _lock(file, shared=True):
            return file.read().strip()
    return ""


@contextlib.contextmanager
def locked(path: Path, wait: bool) -> Iterator[bool]:
    """Hold a lock file, which is gone afterwards; yields False where another holds it and `wait` is false.

    Raises EnvironmentFailure where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = take(path, patience=math.inf if wait else 0.0)
    except OSError as error:
        raise EnvironmentFailure(
            f"{path.parent} cannot be written ({error.strerror}): give another folder (output=…, of downloads "
            "ZEROSHOT_CACHE)"
        ) from None
    if file is None:
        yield False
        return
    try:
        yield True
    finally:
        give_back(file, path)
