"""One run of the experiment: (generator, k, seed) over the test captions, and its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zeroshot.runs.directory import Held, RunDirectory, read_metrics, run_path
from zeroshot.runs.log import run_log
from zeroshot.runs.prepared import Prepared, prepare
from zeroshot.settings import RunSettings
from zeroshot.storage.shard import WHOLE, Shard
from zeroshot.worlds.world import World


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
        UserError: captions out of range, or an empty one; other parts, precision or compilation than the world's.
        EnvironmentFailure: folder not writable, held by another process or of another configuration; damaged weights;
            a score that is not finite.
    """
    path = run_path(output, settings)
    return _whole(prepare(world, settings, output, path, should_stop), path, should_stop)


def is_finished(settings: RunSettings, output: Path) -> bool:
    """Whether a run's files are all there; damaged ones are set aside, to be made again. No model is needed.

    Raises Held where another process computes the run.
    """
    path = run_path(output, settings)
    if not RunDirectory(path).finished:
        return False
    with RunDirectory(path) as directory:
        return directory.whole()


def _whole(prepared: Prepared, path: Path, should_stop: Callable[[], bool]) -> dict[str, Any]:
    with RunDirectory(path) as directory, run_log(path) as log:
        directory.claim(prepared.identity)
        if directory.finished and directory.whole():
            directory.tidy()
            return read_metrics(path)
        from zeroshot.runs.computing import compute

        return compute(prepared, directory, should_stop, log)


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
    path = run_path(output, settings)
    prepared = prepare(world, settings, output, path, should_stop)
    with RunDirectory(path, shard) as directory, run_log(path) as log:
        directory.claim(prepared.identity)
        if directory.finished and directory.whole():
            return read_metrics(path)
        from zeroshot.runs.computing import compute_shard

        complete = compute_shard(prepared, directory, should_stop, log)
    if not complete:
        return None
    try:
        return _whole(prepared, path, should_stop)
    except Held:  # by a shard that is ending as well, or by whoever puts the run together
        return None
