"""What runs share, made ahead of them: the cache's arrays, the physical batch, the pool where images come from one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zeroshot.errors import Interrupted
from zeroshot.runs.directory import run_path
from zeroshot.runs.prepared import prepare
from zeroshot.settings import RunSettings
from zeroshot.worlds.world import World


def make_shared(
    world: World, settings: RunSettings, output: Path, *, should_stop: Callable[[], bool] = lambda: False
) -> None:
    """Make what is missing of all that a run would share with others; the run itself is left alone.

    Args:
        world: a loaded world with the settings' parts.
        settings: the run's.
        output: root of all outputs.
        should_stop: asked after each part; True raises Interrupted, and a later call goes on.

    Raises as `zeroshot.runs.run.run` does.
    """
    run = prepare(world, settings, output, run_path(output, settings), should_stop)
    for make in (lambda: world.threshold, lambda: world.test_features, lambda: world.tasks(run.images)):
        if should_stop():
            raise Interrupted(str(output))
        make()
    if run.plan:
        from zeroshot.runs.pooled import pooled_search

        pooled_search(world, run.settings, run.images, output, run.plan).fill(should_stop)
