"""Weights files: nothing is loaded whose sha256 is not the pinned one, and nothing but plain tensors is read."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from zeroshot.errors import EnvironmentFailure

PINS = "SHA256SUMS"  # beside the weights; the format of sha256sum


def resolve(path: str) -> Path:
    """A file's place: `package:` stands for the folder of the zeroshot package, anything else is an ordinary path."""
    if path.startswith("package:"):
        return Path(str(files("zeroshot"))) / path.removeprefix("package:")
    return Path(path).expanduser()


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
        raise EnvironmentFailure(
            f"weights file {path} cannot be read ({error.strerror}): restore it, e.g. git checkout"
        ) from None


def pinned_sha256(path: Path) -> str:
    """The sha256 that SHA256SUMS beside the file states for it. Raises EnvironmentFailure where none is stated."""
    try:
        lines = (path.parent / PINS).read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        digest, _, name = line.partition("  ")
        if name == path.name:
            return digest
    raise EnvironmentFailure(f"no sha256 is pinned for {path} in {path.parent / PINS}: refused")


def load_tensors(path: Path, sha256: str | None = None) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file, floating point as float32, after its sha256 has been checked.

    Args:
        path: the file.
        sha256: its expected checksum; None: the one pinned in SHA256SUMS beside it.

    Raises:
        EnvironmentFailure: file missing, checksum different or format damaged; the message names the file.
    """
    actual = sha256_of(path)
    expected = sha256 or pinned_sha256(path)
    if actual != expected:
        raise EnvironmentFailure(
            f"checksum mismatch: {path} has sha256 {actual}, expected {expected}: the file is damaged, restore it"
        )
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise EnvironmentFailure(f"weights file {path} cannot be read: {error}") from None
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def describe(path: Path) -> dict[str, str]:
    """What the file says of its making (recipe's commit, configuration, seed): the safetensors metadata."""
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})
