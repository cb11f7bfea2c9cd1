"""Weights files: nothing is loaded whose sha256 is not the pinned one, and nothing but plain tensors is read."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NoReturn

import torch
from safetensors import SafetensorError, safe_open

from zeroshot.errors import EnvironmentFailure

PINS = "SHA256SUMS"  # beside the weights; the format of sha256sum


def resolve(path: str) -> Path:
    """A file's place: `package:` stands for the folder of the zeroshot package, `cache:` for that of downloads."""
    if is_packaged(path):
        return Path(str(files("zeroshot"))) / path.removeprefix("package:")
    if path.startswith("cache:"):
        return downloads_folder() / path.removeprefix("cache:")
    return Path(path).expanduser()


def is_packaged(path: str) -> bool:
    """Whether a path lies inside the package."""
    return path.startswith("package:")


def downloads_folder() -> Path:
    """Where downloaded weights and data lie: the environment's ZEROSHOT_CACHE, or ~/.cache/clip-zeroshot-gan."""
    return Path(os.environ.get("ZEROSHOT_CACHE") or "~/.cache/clip-zeroshot-gan").expanduser()


def check_pin(path: Path) -> None:
    """Compare a file with its line in SHA256SUMS beside it, where there is one. Raises EnvironmentFailure."""
    expected = read_pins(path.parent / PINS).get(path.name)
    if expected and sha256_of(path) != expected:
        _refuse(path, expected)


def _refuse(path: Path, expected: str) -> NoReturn:
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


def folder_sha256(path: Path) -> str:
    """sha256 of a file, or of the names and sha256s of the files that a folder holds."""
    if not path.is_dir():
        return sha256_of(path)
    lines = [f"{sha256_of(file)}  {file.name}\n" for file in sorted(path.iterdir()) if file.is_file()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def pinned_sha256(path: Path) -> str:
    """The sha256 that SHA256SUMS beside the file states for it. Raises EnvironmentFailure where none is stated."""
    pins = read_pins(path.parent / PINS)
    if path.name in pins:
        return pins[path.name]
    raise EnvironmentFailure(f"no sha256 is pinned for {path} in {path.parent / PINS}: refused")


def load_tensors(path: Path, sha256: str | None = None) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file, floating point as float32, after its sha256 has been checked.

    Args:
        path: the file.
        sha256: its expected checksum; None: the one pinned in SHA256SUMS beside it.

    Raises:
        EnvironmentFailure: file missing, checksum different or format damaged; the message names the file.
    """
    sha256_of(path)  # a missing file first
    expected = sha256 or pinned_sha256(path)
    if sha256_of(path) != expected:
        _refuse(path, expected)
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
