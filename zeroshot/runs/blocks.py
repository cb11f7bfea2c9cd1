"""A run's search, block by block: what a kill can cost is one of them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

import numpy as np
import pandas as pd
from tqdm import tqdm

from zeroshot.errors import Interrupted
from zeroshot.runs.directory import RunDirectory
from zeroshot.searching.algorithm1 import Scores, Task
from zeroshot.searching.engine import Engine
from zeroshot.settings import RunSettings
from zeroshot.strategy_settings import draws_are_known

IMAGES_PER_BLOCK = 1600  # a few seconds on two cores

# Searches for some tasks, telling of images scored.
Search = Callable[[list[Task], Callable[[int], None]], Scores]


def search_blocks(
    directory: RunDirectory,
    engine: Engine,
    tasks: list[Task],
    settings: RunSettings,
    search: Search,
    should_stop: Callable[[], bool],
    log: logging.Logger,
) -> Scores:
    """`search` block by block, or a shard's part of it; finished blocks are read, not computed."""
    b_max = settings.b_max
    own = [block for n, block in enumerate(blocks_of(settings, len(tasks))) if directory.shard.takes(n)]
    captions = sum(rows.stop - rows.start for _, rows in own)
    named = [settings.generator.name, *([settings.strategy] if settings.strategy != "random" else [])]
    title = f"{' '.join(named)} k={settings.k} seed={settings.seed}"
    parts, done = [], 0
    with tqdm(total=captions * b_max, desc=title, unit="img", disable=None, leave=False) as bar:
        for name, rows in own:
            block, before = tasks[rows], done * b_max
            part = read_block(directory.read_table(name), len(block), b_max)
            done += len(block)
            if part is None:
                if should_stop():
                    raise Interrupted(str(directory.path))
                part = search(block, functools.partial(_advance, bar, before))
                directory.write_table(name, block_table(part).assign(batch_size=engine.batch_size))
                log.info("%d of %d captions searched", done, captions)
            parts.append(part)
            bar.update(done * b_max - bar.n)
    return joined(parts, b_max)


def _advance(bar: tqdm, before: int, paid: int) -> None:
    bar.update(before + paid - bar.n)


def blocks_of(settings: RunSettings, captions: int) -> list[tuple[str, slice]]:
    """The blocks of a search: each one's file and which captions it holds."""
    per_block = max(1, IMAGES_PER_BLOCK // settings.b_max)  # captions
    if not draws_are_known(settings.start, settings.refine):
        # A step asks for one image of each caption at least: as many captions as fill a batch, in blocks of one size.
        assert isinstance(settings.batch_size, int)
        blocks = -(-captions // max(per_block, settings.batch_size))
        per_block = -(-captions // blocks)
    starts = range(0, captions, per_block)
    return [(f"blocks/{start:05d}.parquet", slice(start, min(start + per_block, captions))) for start in starts]


def batches_used(directory: RunDirectory) -> list[int]:
    """The physical batch of each block in order: another than the run's where memory ended, there the smallest."""
    tables = [directory.read_table(f"blocks/{path.name}") for path in sorted(directory.path.glob("blocks/*.parquet"))]
    return [int(table["batch_size"].iloc[0]) for table in tables if table is not None]


def block_table(scores: Scores) -> pd.DataFrame:
    """A block's file: a row per caption and b; what the winner of a strategy was stands in the row of its b."""
    columns = {"class_index": scores.class_index.ravel(), "score": scores.score.ravel()}
    won = np.ravel_multi_index((np.arange(len(scores.score)), scores.best_b - 1), scores.score.shape)
    for name in ("z", "class_weights"):
        values = getattr(scores, name)
        if values is not None:
            column = np.full(scores.score.size, None, dtype=object)
            for row, value in zip(won, values, strict=True):
                column[row] = value
            columns[name] = column
    return pd.DataFrame(columns)


def read_block(table: pd.DataFrame | None, captions: int, b_max: int) -> Scores | None:
    """What `block_table` was given; None where there is none of these captions and b_max."""
    if table is None or len(table) != captions * b_max:
        return None
    shape = (captions, b_max)
    found = Scores(table["class_index"].to_numpy().reshape(shape), table["score"].to_numpy().reshape(shape))
    if "z" not in table:
        return found
    rows = np.ravel_multi_index((np.arange(captions), found.best_b - 1), shape)
    z, weights = (table[name].iloc[rows].tolist() for name in ("z", "class_weights"))
    return Scores(found.class_index, found.score, z=z, class_weights=weights)


def joined(parts: list[Scores], b_max: int) -> Scores:
    """Blocks behind one another."""
    whole = Scores(
        np.concatenate([np.empty((0, b_max), dtype=np.int64), *(part.class_index for part in parts)]),
        np.concatenate([np.empty((0, b_max)), *(part.score for part in parts)]),
    )
    if not parts or parts[0].z is None:
        return whole
    z = [row for part in parts for row in part.z or []]
    weights = [row for part in parts for row in part.class_weights or []]
    return Scores(whole.class_index, whole.score, z=z, class_weights=weights)
