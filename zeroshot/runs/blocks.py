"""A run's search, block by block: what a kill can cost is one of them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pandas as pd
from tqdm import tqdm

from zeroshot.errors import Interrupted
from zeroshot.runs.directory import RunDirectory
from zeroshot.searching.algorithm1 import Scores, Task, run_tasks
from zeroshot.searching.engine import Engine
from zeroshot.settings import RunSettings

IMAGES_PER_BLOCK = 1600  # a few seconds on two cores


def search_blocks(
    directory: RunDirectory,
    engine: Engine,
    tasks: list[Task],
    settings: RunSettings,
    should_stop: Callable[[], bool],
    log: logging.Logger,
) -> Scores:
    """Algorithm 1 block by block, or a shard's part of it; finished blocks are read, not computed."""
    own = [block for n, block in enumerate(blocks_of(len(tasks), settings.b_max)) if directory.shard.takes(n)]
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


def blocks_of(captions: int, b_max: int) -> list[tuple[str, slice]]:
    """The blocks of a search: each one's file and which captions it holds."""
    per_block = max(1, IMAGES_PER_BLOCK // b_max)  # captions
    starts = range(0, captions, per_block)
    return [(f"blocks/{start:05d}.parquet", slice(start, min(start + per_block, captions))) for start in starts]


def batches_used(directory: RunDirectory) -> list[int]:
    """The physical batch of each block in order: another than the run's where memory ended, there the smallest."""
    tables = [directory.read_table(f"blocks/{path.name}") for path in sorted(directory.path.glob("blocks/*.parquet"))]
    return [int(table["batch_size"].iloc[0]) for table in tables if table is not None]


def _read_block(table: pd.DataFrame | None, captions: int, b_max: int) -> Scores | None:
    if table is None or len(table) != captions * b_max:
        return None
    shape = (captions, b_max)
    return Scores(table["class_index"].to_numpy().reshape(shape), table["score"].to_numpy().reshape(shape))
