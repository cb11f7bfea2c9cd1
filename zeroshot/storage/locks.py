"""Locks on files, by portalocker: shared or exclusive, and freed by the kernel when their owner dies."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from io import IOBase
from pathlib import Path
from typing import TextIO

import portalocker
from portalocker.constants import LockFlags
from portalocker.exceptions import AlreadyLocked, LockException

from zeroshot.errors import EnvironmentFailure


def lock(file: IOBase | TextIO, shared: bool = False, wait: bool = False) -> bool:
    """Lock an open file until it is closed; False where another holds it and `wait` is false.

    Raises OSError where the file system knows no locks.
    """
    flags = LockFlags.SHARED if shared else LockFlags.EXCLUSIVE
    try:
        portalocker.lock(file, flags if wait else flags | LockFlags.NON_BLOCKING)
    except AlreadyLocked:
        return False
    except LockException as error:
        raise OSError(errno.ENOLCK, f"no lock: {error}") from None
    return True


def lies_at(file: IOBase | TextIO, path: Path) -> bool:
    """Whether an open file is still the one under a path: its owner may have removed it before we locked it."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def take(path: Path, shared: bool = False, wait: bool = False) -> TextIO | None:
    """A lock file, made where it is missing, and locked; None where another holds it and `wait` is false."""
    while True:
        file = path.open("a+", encoding="utf-8")
        if not lock(file, shared, wait):
            file.close()
            return None
        if lies_at(file, path):
            return file
        file.close()


def give_back(file: TextIO, path: Path) -> None:
    """Unlock a lock file, and remove it unless another holds it too: then the last of them does."""
    with contextlib.suppress(OSError):  # Windows removes no open file: it stays, free
        if lock(file) and lies_at(file, path):
            path.unlink(missing_ok=True)
    file.close()


def holder_of(path: Path) -> str:
    """What stands in a lock file that somebody holds; empty for one that nobody does."""
    with contextlib.suppress(OSError), path.open(encoding="utf-8") as file:
        if not lock(file, shared=True):
            return file.read().strip()
    return ""


@contextlib.contextmanager
def locked(path: Path, wait: bool) -> Iterator[bool]:
    """Hold a lock file, which is gone afterwards; yields False where another holds it and `wait` is false.

    Raises EnvironmentFailure where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = take(path, wait=wait)
    except OSError as error:
        raise EnvironmentFailure(f"{path.parent} cannot be written ({error.strerror}): give another output=…") from None
    if file is None:
        yield False
        return
    try:
        yield True
    finally:
        give_back(file, path)
