"""One benchmark: the parts one after another, each written as soon as it is finished."""

from __future__ import annotations

import dataclasses
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from zeroshot.benchmark.engine_speed import engine_speed
from zeroshot.benchmark.frechet_speed import frechet_speed
from zeroshot.benchmark.growth import growth
from zeroshot.benchmark.machine import machine
from zeroshot.benchmark.pool_speed import pool_speed
from zeroshot.benchmark.released_speed import released_speed
from zeroshot.benchmark.report import as_markdown
from zeroshot.benchmark.settings import PARTS, BenchmarkSettings, check
from zeroshot.benchmark.start_speed import start_speed
from zeroshot.benchmark.strategies_speed import strategies_speed
from zeroshot.benchmark.timing import StopAsked, never
from zeroshot.benchmark.true_size import true_size
from zeroshot.errors import EnvironmentFailure
from zeroshot.models.devices import choose_device
from zeroshot.storage.files import write_text
from zeroshot.version import __version__, git_commit

MEASUREMENTS: dict[str, Callable[[BenchmarkSettings, StopAsked], dict[str, Any]]] = {
    "a": engine_speed,
    "b": released_speed,
    "c": pool_speed,
    "d": growth,
    "e": frechet_speed,
    "f": true_size,
    "g": start_speed,
    "h": strategies_speed,
}


def chosen_parts(settings: BenchmarkSettings) -> list[str]:
    """The parts named, or those that suit the device: f is for a GPU."""
    if settings.only is not None:
        return settings.only
    on_gpu = choose_device(settings.device).type == "cuda"
    return [part for part in PARTS if on_gpu or part != "f"]


def benchmark(
    settings: BenchmarkSettings, should_stop: StopAsked = never, finished: Callable[[str, Path], None] | None = None
) -> Path:
    """Measure and write <output>/benchmarks/<time>.json and .md; returns the path of the second.

    Args:
        settings: what to measure.
        should_stop: asked between two measurements; True raises Interrupted, and finished parts stay written.
        finished: told of each finished part, and where it stands.

    Raises:
        UserError: a setting is out of range.
        EnvironmentFailure: the folder cannot be written; a batch does not fit into the device's memory.
        Interrupted: as above.
    """
    check(settings)
    device = choose_device(settings.device)
    path = Path(settings.output) / "benchmarks" / f"{time.strftime('%Y-%m-%dT%H-%M-%S')}.md"
    document: dict[str, Any] = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "version": __version__,
        "git_commit": git_commit(),
        "machine": machine(device),
        "settings": dataclasses.asdict(settings),
        "parts": {},
    }
    write(document, path)
    for part in tqdm(chosen_parts(settings), desc="benchmark", unit="part", disable=None, leave=False):
        document["parts"][part] = measured(part, settings, should_stop)
        write(document, path)
        if finished:
            finished(part, path)
        gc.collect()  # the models of one part make room for those of the next
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return path


def measured(part: str, settings: BenchmarkSettings, should_stop: StopAsked) -> dict[str, Any]:
    """One part's result with its title and the seconds that it took. Raises EnvironmentFailure out of memory."""
    started = time.monotonic()
    try:
        result = MEASUREMENTS[part](settings, should_stop)
    except torch.OutOfMemoryError:
        raise EnvironmentFailure(
            f"part {part} ({PARTS[part]}) does not fit into the memory of {settings.device}: give smaller batches with "
            "batch_size=… or true_size.batch_size=…"
        ) from None
    return {"title": PARTS[part], "took_seconds": round(time.monotonic() - started, 1)} | result


def write(document: dict[str, Any], path: Path) -> None:
    """Both files, each by atomic rename."""
    content = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    write_text(path.with_suffix(".json"), content)
    write_text(path, as_markdown(document))
