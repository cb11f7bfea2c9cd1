"""One run of the experiment: (generator, k, seed) over the test captions, and its files."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from tqdm import tqdm

from zeroshot.errors import Interrupted, UserError
from zeroshot.runs.directory import Held, RunDirectory, read_metrics
from zeroshot.runs.log import run_log
from zeroshot.runs.measures import count_truncated, measure
from zeroshot.runs.pooled import PooledSearch, pooled_search
from zeroshot.runs.provenance import provenance
from zeroshot.runs.tables import scores_table, selected_table
from zeroshot.searching.algorithm1 import Scores, Task, run_tasks
from zeroshot.searching.batches import AUTO
from zeroshot.searching.engine import Engine
from zeroshot.settings import RunSettings, check_run
from zeroshot.storage.files import check_writable
from zeroshot.storage.shard import WHOLE, Shard
from zeroshot.version import __version__
from zeroshot.worlds.loading import check_present
from zeroshot.worlds.parts import departures, variant
from zeroshot.worlds.protocols import Searched, searched
from zeroshot.worlds.world import World

IMAGES_PER_BLOCK = 1600  # what a kill can cost; a few seconds on two cores


def run_path(output: Path, settings: RunSettings) -> Path:
    """The run's place: <output>/<world>/<variant>/runs/<generator>/k=0010/seed=42."""
    folder = output / settings.world.name / variant(settings) / "runs" / settings.generator.name
    return folder / f"k={settings.k:04d}" / f"seed={settings.seed}"


def run(
    world: World, settings: RunSettings, output: Path, *, should_stop: Callable[[], bool] = lambda: False
) -> dict[str, Any]:
    """Do what is missing of a run and return its metrics; a finished run with the same settings is reused.

    Args:
        world: a loaded world with the settings' parts.
        settings: everything that decides the numbers.
        output: root of all outputs.
        should_stop: asked after each block; True raises Interrupted, and a later call goes on.

    Raises:
        UserError: k, b_max, seed or captions out of range; an empty caption.
        EnvironmentFailure: folder not writable, held by another process or of another configuration; damaged weights;
            a score that is not finite.
    """
    directory = RunDirectory(run_path(output, settings))
    settings, images, pooled, identity = _prepared(world, settings, output)
    with directory, run_log(directory.path) as log:
        directory.claim(identity)
        if directory.finished and directory.whole():
            directory.tidy()
            return read_metrics(directory.path)
        started = time.monotonic()
        log.info("started: %d captions, b_max %d, on %s", len(images), settings.b_max, world.device)
        # First, because what is wrong with photographs or weights should be said before hours of search.
        missing, _, _ = world.photographs_missing(), world.threshold, world.test_features
        truncated = count_truncated(world, images)
        engine = world.engine(settings.generator, settings.batch_size)
        tasks = world.tasks(images)
        scores = found = _kept(directory.read_table("scores.parquet"), images, settings.b_max)
        if scores is not None:
            log.info("scores.parquet is whole: not searched again")
        elif pooled:
            pooled.fill(should_stop)
            scores = pooled.run_tasks(tasks, settings.k, settings.b_max)
        else:
            scores = _search(directory, engine, tasks, settings, should_stop, log)
        if should_stop():
            raise Interrupted(str(directory.path))
        if found is None:
            directory.write_table("scores.parquet", scores_table(images, scores))
        directory.write_table("selected.parquet", selected_table(world, images, scores))
        batches = batches_used(directory) or [engine.batch_size]
        measured = measure(world, engine, settings, tasks, scores) | {"truncated_captions": truncated}
        measured["images_generated"] += pooled.plan.images if pooled else scores.score.size
        measured["seconds"] = round(time.monotonic() - started, 3)
        found_with = {"batch_sizes": batches, "photographs_missing": missing}
        directory.finish(provenance(world, settings.generator) | found_with, measured)
        log.info("finished after %.1f s", time.monotonic() - started)
        return read_metrics(directory.path)


def run_shard(
    world: World, settings: RunSettings, output: Path, shard: Shard, *, should_stop: Callable[[], bool] = lambda: False
) -> dict[str, Any] | None:
    """Do what is missing of one shard of a run, beside others; whoever ends last puts the run together as `run` does.

    The shard's part is every `shard.count`-th block of captions, or of the images of a pool.

    Returns:
        the run's metrics, or None while other shards are missing.

    Raises as `run` does, also where another process holds the same shard or the whole run.
    """
    if shard == WHOLE:
        return run(world, settings, output, should_stop=should_stop)
    asked, directory = settings, RunDirectory(run_path(output, settings), shard)
    settings, images, pooled, identity = _prepared(world, settings, output)
    with directory, run_log(directory.path) as log:
        directory.claim(identity)
        if directory.finished and directory.whole():
            return read_metrics(directory.path)
        log.info("shard %s started: %d captions, b_max %d, on %s", shard, len(images), settings.b_max, world.device)
        if pooled:
            pooled.fill(should_stop, shard)
            complete = pooled.filled
        else:
            engine = world.engine(settings.generator, settings.batch_size)
            _search(directory, engine, world.tasks(images), settings, should_stop, log)
            complete = all((directory.path / name).exists() for name, _ in _blocks(len(images), settings.b_max))
        log.info("shard %s done", shard)
    if not complete:
        return None
    try:
        return run(world, asked, output, should_stop=should_stop)
    except Held:  # by a shard that is ending as well, or by whoever puts the run together
        return None


def _prepared(
    world: World, asked: RunSettings, output: Path
) -> tuple[RunSettings, list[Searched], PooledSearch | None, dict[str, Any]]:
    """The settings with their physical batch, what is searched for, the pool if there is one, and the run's identity,
    once the settings have been checked."""
    check_run(asked, len(world.labels))
    check_world(world, asked)
    check_present(asked)
    settings = with_physical_batch(world, asked, run_path(output, asked))
    check_writable(output)
    images = searched(world.test, settings.protocol, settings.captions, settings.b_max, settings.seed)
    pooled = pooled_search(world, settings, images, output) if settings.search.images == "pool" else None
    identity = run_identity(world, settings, asked) | ({"pool_plan": pooled.plan.digest} if pooled else {})
    return settings, images, pooled, identity


def check_world(world: World, settings: RunSettings) -> None:
    """Raise UserError where a world's models were loaded for another arithmetic than the settings say."""
    for key in ("precision", "compile"):
        ours, theirs = getattr(settings, key), getattr(world.settings, key)
        if ours != theirs:
            raise UserError(f"{key} = {ours}, but this world was loaded with {key} = {theirs}: load one with {ours}")


def with_physical_batch(world: World, settings: RunSettings, path: Path) -> RunSettings:
    """The settings with batch_size=auto replaced by a number: that of the run's config.yaml, where one was begun."""
    if settings.batch_size != AUTO:
        return settings

    def begun() -> int | None:
        try:
            return yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))["settings"]["batch_size"]
        except (OSError, TypeError, KeyError, yaml.YAMLError):  # none, or one that `claim` has something to say about
            return None

    found = begun() or world.physical_batch(settings.generator, AUTO)
    return dataclasses.replace(settings, batch_size=begun() or found)  # another shard may have begun meanwhile


def run_identity(world: World, settings: RunSettings, asked: RunSettings) -> dict[str, Any]:
    """What two runs must share to be one: settings, weights and the version of the code.

    `asked` are the settings before batch_size=auto became a number: the run's path and its departures go by them.
    """
    return {
        "settings": settings.identity(),
        "departures": departures(asked),
        "weights_sha256": world.weights_sha256(settings.generator),
        "version": __version__,
    }


def _search(
    directory: RunDirectory,
    engine: Engine,
    tasks: list[Task],
    settings: RunSettings,
    should_stop: Callable[[], bool],
    log: logging.Logger,
) -> Scores:
    """Algorithm 1 block by block, or a shard's part of it; finished blocks are read, not computed."""
    own = [block for n, block in enumerate(_blocks(len(tasks), settings.b_max)) if directory.shard.takes(n)]
    captions = sum(rows.stop - rows.start for _, rows in own)
    title = f"{settings.generator.name} k={settings.k} seed={settings.seed}"
    parts = [Scores(np.empty((0, settings.b_max), dtype=np.int64), np.empty((0, settings.b_max)))]
    done = 0
    with tqdm(total=captions * settings.b_max, desc=title, unit="img", disable=None, leave=False) as bar:
        for name, rows in own:
            block = tasks[rows]
            part = _read_block(directory.read_table(name), len(block), settings.b_max)
            done += len(block)
            if part is None:
                if should_stop():
                    raise Interrupted(str(directory.path))
                part = run_tasks(engine, block, settings.k, settings.b_max, settings.seed)
                columns = {"class_index": part.class_index.ravel(), "score": part.score.ravel()}
                directory.write_table(name, pd.DataFrame(columns).assign(batch_size=engine.batch_size))
                log.info("%d of %d captions searched", done, captions)
            parts.append(part)
            bar.update(len(block) * settings.b_max)
    return Scores(np.concatenate([p.class_index for p in parts]), np.concatenate([p.score for p in parts]))


def _blocks(captions: int, b_max: int) -> list[tuple[str, slice]]:
    """The blocks of a search: each one's file and which captions it holds."""
    per_block = max(1, IMAGES_PER_BLOCK // b_max)  # captions
    starts = range(0, captions, per_block)
    return [(f"blocks/{start:05d}.parquet", slice(start, min(start + per_block, captions))) for start in starts]


def batches_used(directory: RunDirectory) -> list[int]:
    """The physical batch of each block in order: another than the run's where memory ended, there the smallest."""
    tables = [directory.read_table(f"blocks/{path.name}") for path in sorted(directory.path.glob("blocks/*.parquet"))]
    return [int(table["batch_size"].iloc[0]) for table in tables if table is not None]


def _kept(table: pd.DataFrame | None, images: list[Searched], b_max: int) -> Scores | None:
    """The search's result as an earlier process left it in scores.parquet; None where it must be made."""
    if table is None or len(table) != len(images) * b_max:
        return None
    found = {name: table[name].to_numpy().reshape(len(images), b_max) for name in table if name != "image_id"}
    return Scores(found["label_index"], found["score"], found.get("image_index"))


def _read_block(table: pd.DataFrame | None, captions: int, b_max: int) -> Scores | None:
    if table is None or len(table) != captions * b_max:
        return None
    shape = (captions, b_max)
    return Scores(table["class_index"].to_numpy().reshape(shape), table["score"].to_numpy().reshape(shape))
