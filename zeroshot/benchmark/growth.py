"""Part d: how a run's time and peak memory grow with captions, k and b_max: one fresh process per point.

Scores are kept and images are not, so the peak must not grow with captions x b_max x image size.
"""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from zeroshot.benchmark.settings import BenchmarkSettings, GrowthSettings
from zeroshot.benchmark.timing import StopAsked, never, spread
from zeroshot.errors import EnvironmentFailure, Interrupted
from zeroshot.metrics.frechet import frechet_distance
from zeroshot.paper.rehearsal import peak_memory
from zeroshot.runs.blocks import IMAGES_PER_BLOCK
from zeroshot.runs.run import run
from zeroshot.settings import RunSettings, SearchSettings
from zeroshot.worlds.by_name import load_world
from zeroshot.worlds.parts import default_run

TARGET = 0.1  # of the bytes of one more image in float32
BYTES_PER_VALUE = 4


@dataclass(frozen=True)
class Point:
    """One run to measure, and where."""

    generator: str
    captions: int
    k: int
    b_max: int
    batch_size: int
    precision: str
    compile: bool
    device: str
    threads: int
    cache: str

    def settings(self) -> RunSettings:
        """The run, with fresh images."""
        own = {key: getattr(self, key) for key in ("captions", "k", "b_max", "batch_size", "precision", "compile")}
        return dataclasses.replace(
            default_run("miniature", self.generator), search=SearchSettings(images="fresh", k=[self.k]), **own
        )


def growth(settings: BenchmarkSettings, should_stop: StopAsked = never) -> dict[str, Any]:
    """Part d: seconds and peak memory of every point, and how they grow along captions, k and b_max."""
    series = series_of(settings.growth)
    cache = Path(settings.output) / "cache"
    world = load_world(
        "miniature", device=settings.device, cache=cache, precision=settings.precision, compile=settings.compile
    )
    points = {
        key: Point(
            settings.growth.generator,
            *key,
            batch_size=settings.batch_size,
            precision=settings.precision,
            compile=settings.compile,
            device=settings.device,
            threads=torch.get_num_threads(),
            cache=str(cache),
        )
        for key in dict.fromkeys(key for keys in series.values() for key in keys)
    }
    for point in points.values():
        world.tasks(world.searched(point.settings()))
    _ = world.label_embeddings, world.threshold, world.test_features  # on disk from now on: no part of a point's peak
    measured: dict[tuple[int, int, int], list[dict[str, float]]] = {key: [] for key in points}
    with tqdm(
        total=len(points) * settings.growth.repetitions, desc="d: growth", unit="run", disable=None, leave=False
    ) as bar:
        for _ in range(settings.growth.repetitions):
            for key, point in points.items():
                if should_stop():
                    raise Interrupted("d: growth")
                measured[key].append(in_a_fresh_process(point))
                bar.update()
    results = [row_of(key, values) for key, values in measured.items()]
    side = default_run("miniature", settings.growth.generator).generator.image_size
    image_bytes = 3 * side * side * BYTES_PER_VALUE
    along = {name: along_series(name, keys, results, image_bytes) for name, keys in series.items()}
    grown = [entry["peak_per_image"] for entry in along.values() if entry["peak_per_image"] is not None]
    return {
        "generator": settings.growth.generator,
        "image_bytes": image_bytes,
        "target": TARGET,
        "holds": all(share <= TARGET for share in grown) if grown else None,
        "along": along,
        "results": results,
    }


def series_of(growth: GrowthSettings) -> dict[str, list[tuple[int, int, int]]]:
    """The points (captions, k, b_max) along each of the three, all from one base."""
    captions, k, b_max = growth.captions[0], growth.k[0], growth.b_max[0]
    return {
        "captions": [(value, k, b_max) for value in growth.captions],
        "k": [(captions, value, b_max) for value in growth.k],
        "b_max": [(captions, k, value) for value in growth.b_max],
    }


def row_of(key: tuple[int, int, int], values: list[dict[str, float]]) -> dict[str, Any]:
    """One point's repetitions; memory in bytes."""
    captions, k, b_max = key
    row: dict[str, Any] = {"captions": captions, "k": k, "b_max": b_max, "images": captions * b_max}
    return row | {name: spread([value[name] for value in values]) for name in values[0]}


def along_series(
    name: str, keys: list[tuple[int, int, int]], results: list[dict[str, Any]], image_bytes: int
) -> dict[str, Any]:
    """From a series' first point to its last: times as many images and times as long; and what each further image added
    to the peak, as a share of an image's bytes (None where there are not more images).

    A run works in blocks of images, so memory is compared from the first point that fills one, if it is not the last.
    """
    rows = [next(r for r in results if (r["captions"], r["k"], r["b_max"]) == key) for key in keys]
    first, last = rows[0], rows[-1]
    full = next((row for row in rows[:-1] if row["images"] >= IMAGES_PER_BLOCK), first)
    longer = last["seconds"]["median"] / first["seconds"]["median"]
    more = last["images"] - full["images"]
    added = last["peak_bytes"]["median"] - full["peak_bytes"]["median"]
    return {
        "values": [row[("captions", "k", "b_max").index(name)] for row in keys],
        "times_images": last["images"] / first["images"],
        "times_seconds": longer,
        # 1: in proportion to the images. Below 1 where what a run does once still counts.
        "exponent": math.log(longer) / math.log(last["images"] / first["images"]) if more > 0 else None,
        "peak_from_images": full["images"],
        "peak_added_bytes": added,
        "peak_per_image": added / more / image_bytes if more > 0 else None,
    }


def in_a_fresh_process(point: Point) -> dict[str, float]:
    """`measure` in a process of its own, which an interrupt from the keyboard does not reach."""
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(dataclasses.asdict(point)),
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EnvironmentFailure(
            f"the run of {point.captions} captions, k = {point.k}, b_max = {point.b_max} ended with exit code "
            f"{done.returncode}: {last}"
        )
    return json.loads(done.stdout)


def measure(point: Point) -> dict[str, float]:
    """Seconds of one run, the peak of this process's memory (or the GPU's), and how much of it was there before."""
    torch.set_num_threads(point.threads)
    world = load_world(
        "miniature", device=point.device, cache=point.cache, precision=point.precision, compile=point.compile
    )
    settings = point.settings()
    world.engine(settings.generator, settings.batch_size)
    _ = world.test, world.label_embeddings, world.threshold
    frechet_distance(world.test_features, world.test_features)  # what it imports is no part of a run either
    before = peak_bytes(world.device)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run(world, settings, Path(folder))
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "before_bytes": before, "peak_bytes": peak_bytes(world.device)}


def peak_bytes(device: torch.device) -> float:
    """Peak memory: the GPU's, or this process's from its own beginning.

    Linux hands ru_maxrss of the process that started this one down to it, so there the kernel's VmHWM is read.
    """
    status = Path("/proc/self/status")
    if device.type != "cuda" and status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024
    return peak_memory(device) * 1e9


if __name__ == "__main__":
    json.dump(measure(Point(**json.load(sys.stdin))), sys.stdout)
