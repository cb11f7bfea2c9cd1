"""Part c: Table 1 (upper half), Figure 2 and Table 2 from a shared pool against fresh images, on the same settings.

Differences are told in units of the seeds' spread: the pooled standard deviation over the seeds of both. Two sets of n
seeds that differ by chance alone are sqrt(2 / n) of it apart in the root mean square.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from zeroshot.benchmark.settings import BenchmarkSettings, GridSettings
from zeroshot.benchmark.timing import StopAsked, never, ratios, seconds_of, spread
from zeroshot.report.collect import collect, curves, images_made
from zeroshot.runs.run import run, run_path
from zeroshot.settings import RunSettings, SearchSettings
from zeroshot.worlds.by_name import load_world
from zeroshot.worlds.parts import default_run

SOURCES = ("fresh", "pool")
# Images are counted whole, so a spread below that of rounding says nothing.
LEAST_SPREAD_OF_COUNTS = math.sqrt(1 / 12)


def pool_speed(settings: BenchmarkSettings, should_stop: StopAsked = never) -> dict[str, Any]:
    """Part c: images, seconds and differences of the two ways, (generator, seed) by (generator, seed) in turn."""
    grid = settings.grid
    cache = Path(settings.output) / "cache"
    world = load_world(
        "miniature", device=settings.device, cache=cache, precision=settings.precision, compile=settings.compile
    )
    planned = {source: grid_of(settings, source) for source in SOURCES}
    _ = world.label_embeddings, world.threshold, world.test_features  # constant: part of neither's time
    made: Counter[str] = Counter()
    seconds: dict[str, list[float]] = {source: [] for source in SOURCES}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder)
        pairs = [(generator, seed) for generator in grid.generators for seed in grid.seeds]
        for generator, seed in tqdm(pairs, desc="c: pool against fresh", unit="pair", disable=None, leave=False):
            for source in SOURCES:
                own = [s for s in planned[source] if (s.generator.name, s.seed) == (generator, seed)]
                metrics: list[dict[str, Any]] = []

                def runs(own: list[RunSettings] = own, metrics: list[dict[str, Any]] = metrics) -> None:
                    metrics += [run(world, s, output, should_stop=should_stop) for s in own]

                seconds[source].append(seconds_of(runs, world.device))
                made[source] += images_made(pd.DataFrame(metrics), source == "pool")
        tables = {s: collect(run_path(output, p) for p in planned[s]) for s in SOURCES}
        cells = compared(tables, {source: curves(table) for source, table in tables.items()})
    return {
        "grid": dataclasses.asdict(grid),
        "share": planned["pool"][0].search.share,
        "images": dict(made),
        "times_fewer_images": made["fresh"] / made["pool"],
        "seconds": {source: spread(values) for source, values in seconds.items()},
        "total_seconds": {source: sum(values) for source, values in seconds.items()},
        "times_faster": ratios(seconds["fresh"], seconds["pool"]),
        "by_chance": math.sqrt(2 / len(grid.seeds)),
        "differences": summary(cells),
        "results": cells.replace({np.nan: None}).to_dict("records"),
    }


def grid_of(settings: BenchmarkSettings, source: str) -> list[RunSettings]:
    """The grid's runs with images from `fresh` or `pool`."""
    grid: GridSettings = settings.grid
    return [
        dataclasses.replace(
            default_run("miniature", generator),
            k=k,
            seed=seed,
            b_max=grid.b_max,
            captions=grid.captions,
            batch_size=settings.batch_size,
            precision=settings.precision,
            compile=settings.compile,
            search=SearchSettings(images=source, k=grid.k),
        )
        for generator in grid.generators
        for seed in grid.seeds
        for k in grid.k
    ]


def compared(tables: dict[str, pd.DataFrame], curve: dict[str, dict[tuple[str, int], np.ndarray]]) -> pd.DataFrame:
    """One row per generator and k: both values of each measure, and pool minus fresh in units of the seeds' spread.

    Columns generator, k, best_fresh, best_pool, best_difference, curve_difference (root mean square over b),
    images_fresh, images_pool, images_difference (images to the threshold; NaN unless all seeds of both reach it).
    """
    rows = []
    for generator, k in curve["fresh"]:
        own = {s: t[(t.generator == generator) & (t.k == k)] for s, t in tables.items()}
        best = {s: t.best_clip_score.to_numpy() for s, t in own.items()}
        images = {s: pd.to_numeric(t.images_to_threshold).to_numpy(dtype=float) for s, t in own.items()}
        along_b = in_spreads(curve["pool"][generator, k], curve["fresh"][generator, k])  # [b_max]
        rows.append(
            {
                "generator": generator,
                "k": k,
                "best_fresh": best["fresh"].mean(),
                "best_pool": best["pool"].mean(),
                "best_difference": float(in_spreads(best["pool"], best["fresh"])),
                "curve_difference": float(np.sqrt(np.mean(along_b**2))),
                "images_fresh": images["fresh"].mean(),
                "images_pool": images["pool"].mean(),
                "images_difference": float(in_spreads(images["pool"], images["fresh"], LEAST_SPREAD_OF_COUNTS)),
            }
        )
    return pd.DataFrame(rows)


def in_spreads(ours: np.ndarray, theirs: np.ndarray, least: float = 1e-12) -> np.ndarray:
    """Difference of two means over seeds (axis 0) in units of the seeds' pooled standard deviation (ddof = 1)."""
    deviation = np.sqrt((ours.var(axis=0, ddof=1) + theirs.var(axis=0, ddof=1)) / 2)
    return (ours.mean(axis=0) - theirs.mean(axis=0)) / np.maximum(deviation, least)


def summary(cells: pd.DataFrame) -> dict[str, dict[str, float | int | None]]:
    """Root mean square and largest size of each measure's differences over the table's cells."""
    found: dict[str, dict[str, float | int | None]] = {}
    for name, column in (
        ("table1", "best_difference"),
        ("figure2", "curve_difference"),
        ("table2", "images_difference"),
    ):
        values = cells[column].dropna().to_numpy()
        found[name] = {
            "rms": float(np.sqrt(np.mean(values**2))) if len(values) else None,
            "largest": float(np.abs(values).max()) if len(values) else None,
            "cells": len(values),
        }
    return found
