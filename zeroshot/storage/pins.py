"""What a file is: its sha256, and the one that SHA256SUMS beside it states."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import NoReturn

from zeroshot.errors import EnvironmentFailure
from zeroshot.storage.files import write_text

PINS = "SHA256SUMS"  # beside the weights; the format of sha256sum


def check_pin(path: Path) -> None:
    """Compare a file with its line in SHA256SUMS beside it, where there is one. Raises EnvironmentFailure."""
    expected = pinned(path)
    if expected and sha256_of(path) != expected:
        refuse(path, expected)


def refuse(path: Path, expected: str) -> NoReturn:
    """Raise EnvironmentFailure for a file whose sha256 is not the expected one."""
    raise EnvironmentFailure(
        f"checksum mismatch: {path} has sha256 {sha256_of(path)}, expected {expected}: the file is damaged, restore it"
    )


def read_pins(pins: Path) -> dict[str, str]:
    """File name -> sha256 of a SHA256SUMS file, empty where there is none. Raises EnvironmentFailure if damaged."""
    try:
        lines = pins.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFailure(f"{pins} cannot be read ({error}): mend it, or delete it to trust anew") from None
    return {name: digest.lower() for digest, _, name in (line.partition("  ") for line in lines) if name}


def pinned(path: Path) -> str | None:
    """The sha256 that SHA256SUMS beside the file states for it; None where it states none."""
    return read_pins(path.parent / PINS).get(path.name)


def pin(path: Path, digest: str) -> None:
    """State a file's sha256 in SHA256SUMS beside it. Raises EnvironmentFailure where that cannot be written."""
    pins = path.parent / PINS
    stated = read_pins(pins)
    if stated.get(path.name) != digest:
        stated[path.name] = digest
        write_text(pins, "".join(f"{stated[name]}  {name}\n" for name in sorted(stated)))


@cache
def _digest(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file, computed once while it does not change. Raises EnvironmentFailure if missing."""
    try:
        stat = path.stat()
        return _digest(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise EnvironmentFailure(f"weights file {path} cannot be read ({error.strerror}): restore it") from None


def folder_sha256(path: Path) -> str:
    """sha256 of a file, or of the names and sha256s of the files that a folder holds."""
    if not path.is_dir():
        return sha256_of(path)
    lines = [f"{sha256_of(file)}  {file.name}\n" for file in sorted(path.iterdir()) if file.is_file()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def pinned_sha256(path: Path) -> str:
    """The sha256 that SHA256SUMS beside the file states for it. Raises EnvironmentFailure where none is stated."""
    if stated := pinned(path):
        return stated
    raise EnvironmentFailure(f"no sha256 is pinned for {path} in {path.parent / PINS}: refused")
