"""A world by its name, with its default parts: where Python users begin."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from zeroshot.worlds.parts import default_run, world_parts
from zeroshot.worlds.world import World


def load_world(
    name: str = "miniature",
    *,
    device: str = "auto",
    cache: str | Path | None = None,
    precision: str = "fp32",
    compile: bool = False,
) -> World:
    """Load a world by name.

    Args:
        name: `miniature` or `paper`.
        device: auto, cpu, cuda or cuda:<number>.
        cache: a folder in which embeddings are kept; None: nothing is written.
        precision: fp32, tf32 (CUDA), bf16 or fp16 (CUDA).
        compile: let torch.compile fuse the models' element-wise work.

    Raises:
        UserError: unknown world, device or precision, or one that this machine does not have.

    Example:
        >>> world = load_world("miniature", device="cpu")
        >>> len(world.labels)
        1000
    """
    generators = world_parts(name).generators
    settings = dataclasses.replace(default_run(name, next(iter(generators))), precision=precision, compile=compile)
    world = World(settings, device, None if cache is None else Path(cache))
    _ = world.device  # one that is not there is said here
    return world
