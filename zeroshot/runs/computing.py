"""What is missing of a run, computed; imported where something is, since models' libraries take seconds to import."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pandas as pd

from zeroshot.errors import Interrupted
from zeroshot.runs.blocks import batches_used, blocks_of, search_blocks
from zeroshot.runs.directory import RunDirectory, read_metrics
from zeroshot.runs.measures import count_changed, count_truncated, measure
from zeroshot.runs.pooled import PooledSearch, pooled_search
from zeroshot.runs.prepared import Prepared
from zeroshot.runs.provenance import provenance
from zeroshot.runs.strategies import searching
from zeroshot.runs.tables import scores_table, selected_table
from zeroshot.searching.algorithm1 import Scores
from zeroshot.settings import RunSettings
from zeroshot.strategy_settings import draws_are_known
from zeroshot.worlds.protocols import Searched


def compute(
    run: Prepared, directory: RunDirectory, should_stop: Callable[[], bool], log: logging.Logger
) -> dict[str, Any]:
    """Search, measure and write whatever the folder lacks; returns the metrics."""
    world, settings, images = run.world, run.settings, run.images
    started = time.monotonic()
    log.info("started: %d captions, b_max %d, on %s", len(images), settings.b_max, world.device)
    # First, because what is wrong with photographs or weights should be said before hours of search.
    missing, _, _ = world.photographs_missing(), world.threshold, world.test_features
    counts = {
        "truncated_captions": count_truncated(world, images),
        "changed_captions": count_changed(world, images),
    }
    engine = world.engine(settings.generator, settings.batch_size)
    tasks = world.tasks(images, settings.start)
    pooled = _pooled(run)
    prepared: dict[str, float] = {}
    scores = found = _kept(directory.read_table("scores.parquet"), images, settings)
    if scores is not None:
        log.info("scores.parquet is whole: not searched again")
    elif pooled:
        pooled.fill(should_stop)
        scores = pooled.run_tasks(tasks, settings.k, settings.b_max)
    else:
        search, prepared = searching(world, settings, should_stop)
        scores = search_blocks(directory, engine, tasks, settings, search, should_stop, log)
    if should_stop():
        raise Interrupted(str(directory.path))
    if found is None:
        directory.write_table("scores.parquet", scores_table(images, scores))
    directory.write_table("selected.parquet", selected_table(world, images, scores))
    batches = batches_used(directory) or [engine.batch_size]
    measured = measure(world, engine, settings, tasks, scores) | counts
    measured["images_generated"] += run.plan.images if run.plan else int(scores.evaluated.sum())
    measured["seconds"] = round(time.monotonic() - started, 3)
    found_with = {"batch_sizes": batches, "photographs_missing": missing}
    found_with |= {"prepared": prepared} if prepared else {}  # what a strategy had made once for all runs
    directory.finish(provenance(world, settings.generator) | found_with, measured)
    log.info("finished after %.1f s", time.monotonic() - started)
    return read_metrics(directory.path)


def compute_shard(run: Prepared, directory: RunDirectory, should_stop: Callable[[], bool], log: logging.Logger) -> bool:
    """Search the directory's shard of the blocks, or of the pool's; returns whether all shards' are there."""
    world, settings, shard = run.world, run.settings, directory.shard
    captions, b_max = len(run.images), settings.b_max
    log.info("shard %s started: %d captions, b_max %d, on %s", shard, captions, b_max, world.device)
    for split in (world.test, world.train):
        split.checked()  # what is wrong with photographs is said before hours of search, as in `compute`
    pooled = _pooled(run)
    if pooled:
        pooled.fill(should_stop, shard)
        complete = pooled.filled
    else:
        engine = world.engine(settings.generator, settings.batch_size)
        tasks = world.tasks(run.images, settings.start)
        search_blocks(directory, engine, tasks, settings, searching(world, settings, should_stop)[0], should_stop, log)
        complete = all((directory.path / name).exists() for name, _ in blocks_of(settings, len(tasks)))
    log.info("shard %s done", shard)
    return complete


def _pooled(run: Prepared) -> PooledSearch | None:
    return pooled_search(run.world, run.settings, run.images, run.output, run.plan) if run.plan else None


def _kept(table: pd.DataFrame | None, images: list[Searched], settings: RunSettings) -> Scores | None:
    """The search's result as an earlier process left it in scores.parquet; None where it must be made.

    It must where the winners' z are not told by their addresses: those are in the blocks.
    """
    b_max = settings.b_max
    if table is None or len(table) != len(images) * b_max or not draws_are_known(settings.start, settings.refine):
        return None
    found = {name: table[name].to_numpy().reshape(len(images), b_max) for name in table if name != "image_id"}
    return Scores(found["label_index"], found["score"], found.get("image_index"))
