"""The models that are measured: the embedded world's, or the real architectures with random weights."""

from __future__ import annotations

from collections.abc import Sequence

from zeroshot.benchmark.settings import BenchmarkSettings
from zeroshot.data.base import CaptionedImages
from zeroshot.models.devices import choose_device
from zeroshot.paper import rehearsal
from zeroshot.searching.engine import Engine
from zeroshot.worlds.by_name import load_world
from zeroshot.worlds.parts import default_run, world_parts
from zeroshot.worlds.world import World

PHOTOGRAPHS = 64  # captioned ones of true_size, which come from the rehearsal's few


def chosen_models(settings: BenchmarkSettings) -> str:
    """`miniature` or `true_size`: what models=auto means on the device."""
    if settings.models != "auto":
        return settings.models
    return "true_size" if choose_device(settings.device).type == "cuda" else "miniature"


def measured_world(models: str, settings: BenchmarkSettings, generators: Sequence[str] | None = None) -> World:
    """A world whose generators (None: all), CLIP and photographs are those of `models`."""
    device, precision, compiled = settings.device, settings.precision, settings.compile
    if models == "miniature":
        return load_world("miniature", device=device, precision=precision, compile=compiled)
    world = rehearsal.rehearsal_world(device, precision, compiled)
    world.test = repeated(world.test, PHOTOGRAPHS)
    for name in generators or world_parts("paper").generators:
        rehearsal.engine_of(world, default_run("paper", name), 1)  # from now on world.engine finds it by its name
    return world


def repeated(data: CaptionedImages, count: int) -> CaptionedImages:
    """`count` images, those of `data` in turn, each under a name of its own."""
    rows = [i % len(data) for i in range(count)]
    ids = [f"{data.image_ids[row]}/{i}" for i, row in enumerate(rows)]
    return CaptionedImages(ids, [data.captions[row] for row in rows], lambda i: data.image(rows[i]))


def measured_engine(world: World, generator: str, batch_size: int) -> Engine:
    """The engine of a generator of `measured_world`, by its name."""
    return world.engine(generator, batch_size)
