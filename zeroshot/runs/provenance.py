"""Where, when and with what results were computed: what may differ between two runs with identical numbers."""

from __future__ import annotations

import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from zeroshot.settings import GeneratorSettings
from zeroshot.version import __version__, git_commit
from zeroshot.worlds.world import World

PACKAGES = ("torch", "torchvision", "open_clip_torch", "pytorch-pretrained-biggan", "torchmetrics", "numpy", "pandas")


def provenance(world: World, generator: GeneratorSettings) -> dict[str, Any]:
    """A run's surroundings and its weights."""
    models = {"clip_precision": world.clip_precision, "weights_sha256": world.weights_sha256(generator)}
    return surroundings(world) | models


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
