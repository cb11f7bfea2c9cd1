"""Where, when and with what results were computed: what may differ between two runs with identical numbers."""

from __future__ import annotations

import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from zeroshot import __version__
from zeroshot.settings import GeneratorSettings
from zeroshot.worlds import World

PACKAGES = ("torch", "torchvision", "open_clip_torch", "pytorch-pretrained-biggan", "torchmetrics", "numpy", "pandas")


def provenance(world: World, generator: GeneratorSettings) -> dict[str, Any]:
    """A run's surroundings and its weights."""
    return surroundings(world) | {"weights_sha256": world.weights_sha256(generator)}


def surroundings(world: World) -> dict[str, Any]:
    """Versions, device and time."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    device = torch.cuda.get_device_name(world.device) if world.device.type == "cuda" else platform.machine()
    return {
        "zeroshot": __version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "versions": versions,
        "device": f"{world.device.type} ({device})",
        "threads": torch.get_num_threads(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def git_commit() -> str:
    """Commit of the source tree, with `-dirty` where it has changes; `unknown` outside a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
