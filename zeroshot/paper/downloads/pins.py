"""Checksums of downloaded files: known ones are checked, unknown ones pinned on first use in SHA256SUMS beside them."""

from __future__ import annotations

import os
from pathlib import Path

from zeroshot.errors import EnvironmentFailure
from zeroshot.storage.pins import PINS, read_pins, sha256_of


class WrongChecksum(EnvironmentFailure):
    """A file's sha256 is not the expected one; the file has been set aside."""


def pinned(path: Path) -> str | None:
    """The sha256 that SHA256SUMS beside the file states for it; None where it states none."""
    return read_pins(path.parent / PINS).get(path.name)


def pin(path: Path, digest: str) -> None:
    """State a file's sha256 in SHA256SUMS beside it, in the format of sha256sum."""
    pins = path.parent / PINS
    entries = read_pins(pins)
    if entries.get(path.name) == digest:
        return
    entries[path.name] = digest
    partial = pins.with_name(f".{PINS}.partial-{os.getpid()}")
    try:
        partial.write_text("".join(f"{entries[name]}  {name}\n" for name in sorted(entries)), encoding="utf-8")
        os.replace(partial, pins)
    except OSError as error:
        raise EnvironmentFailure(f"{pins} cannot be written ({error.strerror}): make its folder writable") from None


def check(found: Path, sha256: str | None, place: Path | None = None) -> str:
    """Compare a file with its known sha256, else with its pinned one. Nothing is pinned here.

    Args:
        found: the file as it lies there.
        sha256: the known checksum; None: the one that is pinned for `place`, and where none is, any will do.
        place: the file's final place, where it is not there yet.

    Returns:
        the file's sha256.

    Raises:
        WrongChecksum: it is another; the file is set aside as `<final name>.damaged`.
    """
    place = place or found
    digest = sha256_of(found)
    first = None if sha256 else pinned(place)
    expected = sha256 or first
    if expected is None or digest == expected:
        return digest
    aside = place.with_name(place.name + ".damaged")
    os.replace(found, aside)
    pins = place.parent / PINS
    mend = f"; where that file is the right one, delete its line in {pins} to trust it anew" if first else ""
    raise WrongChecksum(
        f"checksum mismatch: {place} has sha256 {digest}, but expected is {expected}"
        f"{' (pinned on first use)' if first else ''}: set aside as {aside}{mend}"
    )
