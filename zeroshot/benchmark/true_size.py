"""Part f: images per second at true size, per stage, as shares of the device's matrix peak and memory bandwidth.

FLOPs are those of convolutions and matrix products; bytes those that every operator reads and writes by itself, so that
a share of the bandwidth above 1 means that fusion or the caches spare memory traffic.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from zeroshot.benchmark.device_limits import bandwidth, counted, matrix_peak, published
from zeroshot.benchmark.models import measured_engine, measured_world
from zeroshot.benchmark.settings import BenchmarkSettings, TrueSizeSettings
from zeroshot.benchmark.timing import StopAsked, interleaved, never, spread
from zeroshot.errors import Interrupted
from zeroshot.paper.rehearsal import peak_memory
from zeroshot.searching.engine import Engine
from zeroshot.searching.stages import stages_of

# What null stands for in TrueSizeSettings.
SUITABLE = {
    "cuda": {"batch_size": 256, "matrix": 8192, "copy_megabytes": 4096},
    "cpu": {"batch_size": 2, "matrix": 1024, "copy_megabytes": 256},
}


def true_size(settings: BenchmarkSettings, should_stop: StopAsked = never) -> dict[str, Any]:
    """Part f for the generators named in the settings."""
    world = measured_world("true_size", settings, settings.true_size.generators)
    own = suited(settings.true_size, world.device)
    assert own.batch_size and own.matrix and own.copy_megabytes
    if should_stop():
        raise Interrupted("f: the device")
    peak = matrix_peak(world.device, settings.precision, own.matrix, settings.repetitions)
    speed = bandwidth(world.device, own.copy_megabytes, settings.repetitions)
    limits = {"peak": float(np.median(peak)), "bandwidth": float(np.median(speed))}
    known = published(world.device, settings.precision)
    results = []
    for name in own.generators:
        engine = measured_engine(world, name, own.batch_size)
        rows = stage_rates(engine, settings.repetitions, f"f: {name}", should_stop)
        memory = peak_memory(world.device)
        results += [{"generator": name, "peak_memory_gb": memory} | shares(row, limits, known) for row in rows]
    return {
        "batch_size": own.batch_size,
        "precision": settings.precision,
        "matrix": own.matrix,
        "matrix_flops": spread(peak),
        "bandwidth_bytes": spread(speed),
        "published": known,
        "results": results,
    }


def suited(settings: TrueSizeSettings, device: torch.device) -> TrueSizeSettings:
    """The settings with every null replaced by what suits the device."""
    missing: dict[str, Any] = {
        key: value for key, value in SUITABLE[device.type].items() if getattr(settings, key) is None
    }
    return dataclasses.replace(settings, **missing)


def stage_rates(engine: Engine, repetitions: int, title: str, should_stop: StopAsked) -> list[dict[str, Any]]:
    """Images per second, FLOPs and bytes per image of each stage, and of the three together."""
    works, size = vars(stages_of(engine)), engine.batch_size
    # Fusion changes which operators there are, so they are counted as they are without it.
    plain = vars(stages_of(Engine(engine.generator, engine.clip, size))) if engine.compiled else works
    seconds = interleaved(works, repetitions, engine.device, title, should_stop)
    rows: list[dict[str, Any]] = []
    for stage, work in plain.items():
        flops, moved = counted(work)
        rate = spread([size / s for s in seconds[stage]])
        rows.append({"stage": stage, "images_per_second": rate, "flops": flops / size, "bytes": moved / size})
    whole = [size / sum(parts) for parts in zip(*seconds.values(), strict=True)]
    together = {key: sum(row[key] for row in rows) for key in ("flops", "bytes")}
    return [*rows, {"stage": "whole", "images_per_second": spread(whole)} | together]


def shares(row: dict[str, Any], limits: dict[str, float], known: dict[str, float] | None) -> dict[str, Any]:
    """A stage's row with what it reaches of the measured limits and, where they are known, of the published ones."""
    rate = row["images_per_second"]["median"]
    reached = {"peak": rate * row["flops"], "bandwidth": rate * row["bytes"]}
    row = row | {f"of_{name}": reached[name] / limits[name] for name in reached}
    return row | {f"of_published_{name}": reached[name] / value for name, value in (known or {}).items()}
