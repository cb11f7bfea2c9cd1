"""The plan of a run's pool: frozen in a file when it is first made, and part of the run's identity."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zeroshot.limits import CLASSES
from zeroshot.searching.pool_plan import Plan, classes_drawn, make_plan
from zeroshot.settings import RunSettings
from zeroshot.storage.files import set_aside, write_text
from zeroshot.version import __version__
from zeroshot.worlds.protocols import Searched
from zeroshot.worlds.world import World


def pools_folder(output: Path, settings: RunSettings) -> Path:
    """Where a world's pools and their plans lie."""
    return output / settings.world.name / "pools"


def planned_k(settings: RunSettings) -> list[int]:
    """The k that a pool is planned for, the run's own among them."""
    if settings.start.name != "random":
        return [settings.k]  # the same draws at every k
    return sorted({*settings.search.k, settings.k})


def plan_of(world: World, settings: RunSettings, images: list[Searched], output: Path) -> Plan:
    """The plan of a run's pool; one that was made once is read, never made anew, and needs no model.

    Args:
        images: the test images searched for (`searched`).
        output: root of all outputs.
    """
    ks, z_dim = planned_k(settings), settings.generator.z_dim or world.generator(settings.generator).z_dim
    inputs = {
        "clip": world.clip_identity,
        "protocol": dataclasses.asdict(settings.protocol),
        "captions": [[image.image_id, image.captions] for image in images],
        "rankings": world.rankings_sha256,
        "k": ks,
        "b_max": settings.b_max,
        "share": settings.search.share,
        "seed": settings.seed,
        "z_dim": z_dim,
        "start": dataclasses.asdict(settings.start),
        "version": __version__,
    }

    def compute() -> np.ndarray:
        tasks = world.tasks(images, settings.start)
        drawn = [classes_drawn(tasks, k, settings.b_max, settings.seed, z_dim) for k in ks]
        return make_plan(drawn, CLASSES, settings.search.share).depth

    path = pools_folder(output, settings) / "plans" / f"{digest_of(inputs)}.json"
    return Plan(_frozen(path, ks, settings, compute))


def digest_of(inputs: dict[str, Any]) -> str:
    """16 hex digits that name what a pool or a plan depends on."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def _frozen(path: Path, ks: list[int], settings: RunSettings, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """The depth in a plan file, int64 [classes], written first where there is none or a damaged one."""
    depth = _read_plan(path)
    if depth is None:
        depth = compute()
        content = {"k": ks, "b_max": settings.b_max, "seed": settings.seed, "share": settings.search.share}
        content |= {"images": Plan(depth).images, "digest": Plan(depth).digest, "depth": depth.tolist()}
        write_text(path, json.dumps(content) + "\n")
    return depth


def _read_plan(path: Path) -> np.ndarray | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        depth = np.array(content["depth"], dtype=np.int64)
        if Plan(depth).digest == content["digest"]:
            return depth
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OverflowError):
        pass
    set_aside(path)
    return None
