"""Part a: what the engine keeps of the speed of the bare models, and where the rest goes.

Bare: the generator's forward and CLIP's image tower on tensors that are ready, with nothing between. Engine: draws,
latents, images, preparation, embeddings and scores, as a run does it. Both use the same modules and the same batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from zeroshot.benchmark.models import chosen_models, measured_engine, measured_world
from zeroshot.benchmark.settings import BenchmarkSettings
from zeroshot.benchmark.timing import StopAsked, interleaved, never, ratios, seconds_of, spread
from zeroshot.searching.algorithm1 import Task, run_tasks
from zeroshot.searching.engine import Engine
from zeroshot.searching.stages import stages_of
from zeroshot.worlds.parts import world_parts

TARGET = 0.95  # of the bare models' images per second
CAPTION = "small chubby bird with a blue body, and bluish green wings and tail"
OPERATORS = 8  # that the profile names


def engine_speed(settings: BenchmarkSettings, should_stop: StopAsked = never) -> dict[str, Any]:
    """Part a for every generator of the models that suit the device."""
    models = chosen_models(settings)
    world = measured_world(models, settings)
    results = []
    for name in world_parts(world.name).generators:
        engine = measured_engine(world, name, settings.batch_size)
        results.append({"generator": name} | one_engine(engine, settings, name, should_stop))
    return {"models": models, "batch_size": settings.batch_size, "target": TARGET, "results": results}


def one_engine(engine: Engine, settings: BenchmarkSettings, name: str, should_stop: StopAsked) -> dict[str, Any]:
    """Images per second of engine and bare models, their ratio, and the seconds of each stage."""
    batches = -(-settings.images // engine.batch_size)
    images = batches * engine.batch_size
    works = stages(engine, batches)
    seconds = interleaved(works, settings.repetitions, engine.device, f"a: {name}", should_stop)
    medians = {stage: float(np.median(values)) for stage, values in seconds.items()}
    shares = {stage: medians[stage] / medians["engine"] for stage in ("generator", "clip", "preparation")}
    # What each model takes longer for having the other before it than by itself: caches.
    shares["in turn"] = (medians["bare"] - medians["generator"] - medians["clip"]) / medians["engine"]
    return {
        "images": images,
        "engine_images_per_second": spread([images / s for s in seconds["engine"]]),
        "bare_images_per_second": spread([images / s for s in seconds["bare"]]),
        "ratio": ratios(seconds["bare"], seconds["engine"]),
        "holds": float(np.median(ratios(seconds["bare"], seconds["engine"])["values"])) >= TARGET,
        "seconds": {stage: spread(values) for stage, values in seconds.items()},
        "shares": shares | {"host": 1 - sum(shares.values())},
        "operators": operators(works["engine"], engine.device),
    }


def stages(engine: Engine, batches: int) -> dict[str, Callable[[], object]]:
    """What is timed in turn: the engine, the bare models, and each stage alone, on `batches` whole batches."""
    tasks, models = tasks_of(engine, batches), stages_of(engine)
    classes = engine.generator.num_classes

    def repeated(*works: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(batches):
                for work in works:
                    work()

        return run

    return {
        "engine": lambda: run_tasks(engine, tasks, classes, engine.batch_size, seed=0),
        "bare": repeated(models.generate, models.embed),
        "generator": repeated(models.generate),
        "clip": repeated(models.embed),
        "preparation": repeated(models.prepare),
    }


def tasks_of(engine: Engine, count: int) -> list[Task]:
    """`count` searches of one caption among all classes."""
    text = engine.clip.encode_text([CAPTION]).cpu().numpy()
    ranking = np.arange(engine.generator.num_classes)[None]
    zeros = np.zeros(engine.batch_size, dtype=np.int64)
    return [Task(f"benchmark {number}", text, ranking, zeros, zeros) for number in range(count)]


def operators(work: Callable[[], object], device: torch.device) -> list[dict[str, Any]]:
    """The operators that take most of the device's time, with their shares of it, as torch's profiler sees them."""
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu
    with profile(activities=activities) as profiled:
        seconds_of(work, device)
    events = profiled.key_averages()
    own = {e.key: float(e.self_device_time_total if on_gpu else e.self_cpu_time_total) for e in events}
    total = sum(own.values()) or 1.0
    largest = sorted(own.items(), key=lambda item: -item[1])[:OPERATORS]
    return [{"operator": key, "share": time / total} for key, time in largest]
