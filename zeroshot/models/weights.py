"""Weights files: nothing is loaded whose sha256 is not the pinned one, and nothing but plain tensors is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from zeroshot.errors import EnvironmentFailure
from zeroshot.storage.pins import pinned_sha256, refuse, sha256_of


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
        refuse(path, expected)
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


def state_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """Hexadecimal sha256 over the names and bytes of a model's tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
