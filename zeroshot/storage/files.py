"""Files that appear under their name only when they are whole, and that say whether they still are."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import shutil
from pathlib import Path

from zeroshot.errors import EnvironmentFailure

logger = logging.getLogger(__name__)


class Damaged(Exception):
    """A file is not what was written; says which. Its finder makes it again."""


def write_bytes(final: Path, content: bytes) -> None:
    """Write a file by atomic rename, its folder too where it is missing.

    Raises EnvironmentFailure where the disk refuses, naming the path and the bytes needed.
    """
    partial = final.with_name(f".{final.name}.{secrets.token_hex(4)}.partial")  # pids repeat among containers
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        try:
            os.replace(partial, final)
        except FileNotFoundError:  # tidied away by a node that finished the same run and sees none of our locks
            partial.write_bytes(content)
            os.replace(partial, final)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise EnvironmentFailure(
            f"{final} needs {len(content):,} bytes and cannot be written ({error.strerror}): make room, or give "
            "another folder (output=…, of downloads ZEROSHOT_CACHE), and start again; what is finished is kept"
        ) from None


def write_text(final: Path, text: str) -> None:
    """`write_bytes` of UTF-8."""
    write_bytes(final, text.encode("utf-8"))


def check_writable(folder: Path) -> None:
    """Make the folder and try it, before anything is computed that could not be kept. Raises EnvironmentFailure."""
    probe = folder / f".{secrets.token_hex(4)}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise EnvironmentFailure(
            f"output folder {folder} cannot be written ({error.strerror}): give another one with output=…"
        ) from None


def set_aside(path: Path) -> None:
    """Give a damaged file or folder the suffix .damaged, with a warning, so that it is made again."""
    aside = path.with_suffix(".damaged")
    logger.warning("checksum mismatch: %s is damaged; set aside as %s and made again", path, aside.name)
    if aside.is_dir():
        shutil.rmtree(aside, ignore_errors=True)  # an earlier one's: a folder does not replace another
    try:
        os.replace(path, aside)
    except FileNotFoundError:
        pass  # another process was first
    except OSError as error:
        raise EnvironmentFailure(f"{path} is damaged and cannot be set aside ({error.strerror}): delete it") from None


def sha256(content: bytes) -> str:
    """Hexadecimal sha256."""
    return hashlib.sha256(content).hexdigest()


def sealed(payload: bytes) -> bytes:
    """The payload behind a line with its sha256."""
    return sha256(payload).encode() + b"\n" + payload


def unsealed(path: Path) -> bytes:
    """What `sealed` was given. Raises Damaged, and FileNotFoundError where there is no file."""
    stated, _, payload = path.read_bytes().partition(b"\n")
    if sha256(payload).encode() != stated:
        raise Damaged(str(path))
    return payload
