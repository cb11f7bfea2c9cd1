"""The real world at its true size with random weights: what the experiment will cost on this machine.

Every component has its real shape, so time and memory are those of the real run; the pictures mean nothing.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg
from PIL import Image

from zeroshot.data.base import CaptionedImages
from zeroshot.metrics.frechet import frechet_distance
from zeroshot.metrics.inception import InceptionFeatures
from zeroshot.models.biggan_library import BigGAN as LibraryBigGAN
from zeroshot.models.biggan_library import BigGANConfig
from zeroshot.models.clip import Clip
from zeroshot.models.generators.base import Generator
from zeroshot.models.generators.biggan import BigGAN
from zeroshot.models.generators.sagan import SAGAN
from zeroshot.models.precision import DTYPES
from zeroshot.searching.algorithm1 import run_tasks, winners
from zeroshot.searching.engine import Engine
from zeroshot.searching.stages import stages_of
from zeroshot.settings import GeneratorSettings, RunSettings
from zeroshot.storage.paths import resolve
from zeroshot.worlds.parts import default_run
from zeroshot.worlds.world import World

CAPTION = "small chubby bird with a blue body, and bluish green wings and tail"
PHOTOGRAPHS = 4  # synthetic ones in the rehearsal's test split
GRID_IMAGES = 2778 * 100 * 6 * 3  # per generator: captions x b x k x seeds
GRID_SELECTED = 2778 * 6 * 3  # per generator: images whose features are extracted


@dataclass(frozen=True)
class Cost:
    """Images per second of each stage at one batch size, and peak memory in GB (device memory on a GPU)."""

    generator: str
    batch_size: int
    generate: float
    prepare: float
    embed: float
    memory: float

    @property
    def whole(self) -> float:
        """Images per second through all stages."""
        return 1 / (1 / self.generate + 1 / self.prepare + 1 / self.embed)


def rehearsal_world(device: str = "auto", precision: str = "fp32", compile: bool = False) -> World:
    """`world=paper` with random weights and synthetic photographs; nothing is read from disk or network."""
    settings = dataclasses.replace(default_run("paper", "sagan"), precision=precision, compile=compile)
    world = World(settings, device)
    torch.manual_seed(0)
    world.models.clip = _random_clip(settings.clip.model, world.device, precision)
    world.clip_identity = world.clip.identity
    world.models.features = InceptionFeatures().to(world.device).to(memory_format=torch.channels_last).eval()
    world.train = world.test = _noise(PHOTOGRAPHS)
    return world


def _random_clip(name: str, device: torch.device, precision: str) -> Clip:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # open_clip would warn that the weights are random
    try:
        module = open_clip.create_model(name, pretrained=None)
    finally:
        logging.disable(before)
    preprocess = PreprocessCfg(**module.visual.preprocess_cfg)
    module = module.to(device, DTYPES[precision], memory_format=torch.channels_last).eval().requires_grad_(False)
    clip = Clip(module, open_clip.get_tokenizer(name), preprocess, {"model": f"{name} with random weights"})
    clip.precision = precision
    return clip


def _noise(n: int) -> CaptionedImages:
    pixels = np.random.default_rng(0).integers(0, 256, (n, 300, 300, 3), dtype=np.uint8)
    return CaptionedImages([f"noise/{i}" for i in range(n)], [[CAPTION] * 10] * n, lambda i: Image.fromarray(pixels[i]))


def random_generator(settings: GeneratorSettings) -> Generator:
    """The architecture at its true size with random weights, in evaluation mode."""
    if settings.architecture == "sagan":
        size = {key: getattr(settings, key) for key in ("image_size", "z_dim", "g_conv_dim", "attention_after")}
        return SAGAN.from_state(SAGAN(**size).state_dict(), **size)
    config = json.loads(resolve(settings.config or "").read_text(encoding="utf-8"))
    return BigGAN(config, random_biggan(config).state_dict(), settings.truncation)


def random_biggan(config: dict[str, Any]) -> LibraryBigGAN:
    """The library's BigGAN of a configuration with random weights that give pictures."""
    model = LibraryBigGAN(BigGANConfig.from_dict(config))
    torch.nn.init.ones_(model.generator.bn.weight)  # the library leaves them as memory happened to be
    torch.nn.init.zeros_(model.generator.bn.bias)
    _settle_spectral_norm(model)
    return model


@torch.no_grad()
def _settle_spectral_norm(model: torch.nn.Module, iterations: int = 3) -> None:
    """Bring u and v near the weights' singular vectors: as they are drawn, u · W v is so small that images overflow."""
    buffers, parameters = dict(model.named_buffers()), dict(model.named_parameters())
    for name in [name for name in parameters if name.endswith("weight_orig")]:
        weight = parameters[name].flatten(1)
        u, v = (buffers[name.removesuffix("orig") + vector] for vector in "uv")
        for _ in range(iterations):
            v.copy_(torch.nn.functional.normalize(weight.T @ u, dim=0))
            u.copy_(torch.nn.functional.normalize(weight @ v, dim=0))


def rehearse(world: World, generator: str, *, captions: int = 2, k: int = 10, b_max: int = 4) -> RunSettings:
    """One whole run at true size, from captions to the Fréchet distance; raises where anything does not fit."""
    settings = dataclasses.replace(default_run("paper", generator), k=k, b_max=b_max, captions=captions)
    engine = engine_of(world, settings, b_max * captions)
    tasks = world.tasks(world.searched(settings))
    scores = run_tasks(engine, tasks, k, b_max, settings.seed)
    pictures = engine.pictures(winners(engine, tasks, scores, k, settings.seed))
    photographs = world.extract([np.asarray(world.test.image(i)) for i in range(len(world.test))])
    frechet_distance(photographs, world.extract(pictures))
    return settings


def engine_of(world: World, settings: RunSettings, batch_size: int) -> Engine:
    """The engine of a random generator, which is made once."""
    world.models.generator(settings.generator, random_generator)
    return world.engine(settings.generator, batch_size)


def cost(world: World, settings: RunSettings, batch_size: int, repeats: int) -> Cost:
    """Measure one generator's stages at one batch size: the median of `repeats` batches after a first."""
    if world.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    stages = stages_of(engine_of(world, settings, batch_size))
    seconds = [_median(work, world.device, repeats) for work in (stages.generate, stages.prepare, stages.embed)]
    generate, prepare, embed = (batch_size / s for s in seconds)
    return Cost(settings.generator.name, batch_size, generate, prepare, embed, peak_memory(world.device))


def extraction_rate(world: World, repeats: int, batch_size: int = 16) -> float:
    """Images per second into the Fréchet distance's features."""
    pictures = np.random.default_rng(0).integers(0, 256, (batch_size, 128, 128, 3), dtype=np.uint8)
    return batch_size / _median(lambda: world.extract(pictures), world.device, repeats)


def frechet_seconds(dim: int, samples: int = 2778) -> float:
    """Seconds for one Fréchet distance of features of this dimension."""
    rng = np.random.default_rng(0)
    started = time.perf_counter()
    frechet_distance(rng.normal(size=(samples, dim)), rng.normal(size=(samples, dim)))
    return time.perf_counter() - started


def grid_seconds(costs: list[Cost], extraction: float, frechet: float) -> float:
    """Predicted seconds of the paper's grid, from one Cost for each generator."""
    search = sum(GRID_IMAGES / cost.whole for cost in costs)
    selected = len(costs) * GRID_SELECTED
    return (
        search + (selected + 2778) / extraction + selected / min(c.generate for c in costs) + 18 * len(costs) * frechet
    )


def peak_memory(device: torch.device) -> float:
    """GB at most in use so far: of the device where it is a GPU, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    try:
        import resource
    except ImportError:
        return float("nan")  # Windows does not say
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def _median(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    def once() -> float:
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    once()
    return float(np.median([once() for _ in range(repeats)]))
