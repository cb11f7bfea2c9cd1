"""Part b: how many times faster the engine is than the released code's loop, on the same models, draws and captions.

The engine's side is a search from captions to the selected images: captions encoded, labels ranked, scores, winners
generated again. It has encoded the 1,000 label prompts once, for all captions; the seconds of that stand beside.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from zeroshot.benchmark.models import chosen_models, measured_engine, measured_world
from zeroshot.benchmark.released_loop import ReleasedLoop
from zeroshot.benchmark.settings import BenchmarkSettings
from zeroshot.benchmark.timing import StopAsked, interleaved, never, ratios, seconds_of, spread
from zeroshot.searching.algorithm1 import run_tasks, winners
from zeroshot.worlds.parts import world_parts
from zeroshot.worlds.protocols import Searched, searched
from zeroshot.worlds.world import World

SEED = 42


def released_speed(settings: BenchmarkSettings, should_stop: StopAsked = never) -> dict[str, Any]:
    """Part b for every generator of the models that suit the device."""
    models, size = chosen_models(settings), settings.released
    world = measured_world(models, settings)
    # The released loop computes in fp32, whatever the engine does.
    plain = measured_world(models, dataclasses.replace(settings, precision="fp32", compile=False))
    labels = seconds_of(lambda: world.label_embeddings, world.device)
    images = searched(world.test, world.settings.protocol, size.captions, size.b_max, SEED)
    results = []
    for name in world_parts(world.name).generators:
        results.append({"generator": name} | one_generator(world, plain, name, images, settings, should_stop))
    return {"models": models, "labels_once_seconds": labels, "results": results}


def one_generator(
    world: World, plain: World, name: str, images: list[Searched], settings: BenchmarkSettings, should_stop: StopAsked
) -> dict[str, Any]:
    """Seconds of both loops for the same search, their ratio, and the largest difference of their scores."""
    size = settings.released
    engine = measured_engine(world, name, settings.batch_size)
    found: dict[str, np.ndarray] = {}
    labels: list[float] = []  # seconds of each search's label prompts, the warming one's first

    def ours() -> None:
        tasks = world.tasks(images)
        scores = run_tasks(engine, tasks, size.k, size.b_max, SEED)
        engine.pictures(winners(engine, tasks, scores, size.k, SEED))
        found["engine"] = scores.score

    with tempfile.TemporaryDirectory() as folder:
        loop = ReleasedLoop(plain, plain.generator(name), Path(folder))

        def theirs() -> None:
            before = loop.seconds["labels"]
            found["released"] = loop.search(images, size.k, size.b_max, SEED)
            labels.append(loop.seconds["labels"] - before)

        works = {"released": theirs, "engine": ours}
        seconds = interleaved(works, size.repetitions, world.device, f"b: {name}", should_stop)
    without = [released - own for released, own in zip(seconds["released"], labels[1:], strict=True)]
    total = sum(loop.seconds.values())
    return {
        "captions": len(images),
        "k": size.k,
        "b_max": size.b_max,
        "images": len(images) * size.b_max,
        "released_seconds": spread(seconds["released"]),
        "engine_seconds": spread(seconds["engine"]),
        "times_faster": ratios(seconds["released"], seconds["engine"]),
        "times_faster_without_labels": ratios(without, seconds["engine"]),
        "shares": {stage: value / total for stage, value in sorted(loop.seconds.items(), key=lambda item: -item[1])},
        "largest_score_difference": float(np.abs(found["engine"] - found["released"]).max()),
    }
