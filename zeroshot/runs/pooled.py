"""Algorithm 1 answered from a shared pool: the same draws of y, their images from the pool instead of the generator."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zeroshot.errors import EnvironmentFailure
from zeroshot.runs.plans import digest_of, plan_of, planned_k, pools_folder
from zeroshot.searching.algorithm1 import Scores, Task, check_finite
from zeroshot.searching.engine import Addresses
from zeroshot.searching.pool import Broken, Pool, pool_addresses
from zeroshot.searching.pool_plan import Plan, classes_drawn, images_taken
from zeroshot.settings import GeneratorSettings, RunSettings
from zeroshot.storage.shard import WHOLE, Shard
from zeroshot.version import __version__
from zeroshot.worlds.protocols import Searched, in_protocol
from zeroshot.worlds.world import World


@dataclasses.dataclass(frozen=True)
class PooledSearch:
    """The pool of a run's generator and seed, and the plan that says how deep it is."""

    pool: Pool
    plan: Plan
    name_draw: Callable[[PooledSearch, Broken], str]  # which of the run's draws takes an image, in words

    def fill(self, should_stop: Callable[[], bool] = lambda: False, shard: Shard = WHOLE) -> int:
        """Make what is missing of the plan's images, or of a shard's part of them; returns their number.

        Raises EnvironmentFailure for an embedding that is not finite, and UserError for what a generator of the user's
        does wrong, with a draw that takes the image.
        """
        try:
            return self.pool.fill(*self.plan.addresses(), should_stop, shard)
        except Broken as broken:
            address = f"seed {self.pool.seed}, {self.name_draw(self, broken)}, the pool's image {broken.image_index}"
            if broken.fault:
                raise broken.fault.at(address) from None
            raise EnvironmentFailure(
                f"embedding of {self.pool.engine.generator.called} at {address}, class {broken.class_index} "
                "is not finite: weights or precision are at fault"
            ) from None

    def draws(self, tasks: list[Task], k: int, b_max: int) -> tuple[np.ndarray, np.ndarray]:
        """Class index and image index of every draw, int64 [tasks, b_max] each."""
        seed = self.pool.seed
        class_index = classes_drawn(tasks, k, b_max, seed, self.pool.engine.generator.z_dim)
        return class_index, images_taken(class_index, self.plan.depth, seed, [task.image_id for task in tasks])

    def score(self, tasks: list[Task], class_index: np.ndarray, image_index: np.ndarray) -> np.ndarray:
        """Cosine of each draw's image with its caption, float64 [tasks, b_max], for int64 indices of that shape."""
        images = self.pool.embeddings(class_index.ravel(), image_index.ravel())  # [tasks * b_max, D]
        text = np.concatenate([task.text[task.caption[: class_index.shape[1]]] for task in tasks])
        return np.einsum("nd,nd->n", images.astype(np.float64), text.astype(np.float64)).reshape(class_index.shape)

    @property
    def filled(self) -> bool:
        """Whether all of the plan's images are there, once `fill` has been called."""
        return self.pool.filled(*self.plan.addresses())

    def run_tasks(self, tasks: list[Task], k: int, b_max: int) -> Scores:
        """Algorithm 1 for all captions; the pool must be filled. Raises EnvironmentFailure for a score not finite."""
        engine, seed = self.pool.engine, self.pool.seed
        class_index, image_index = self.draws(tasks, k, b_max)
        scores = Scores(class_index, self.score(tasks, class_index, image_index), image_index)
        check_finite(engine, tasks, scores, seed)
        return scores


def pooled_winners(scores: Scores, seed: int, z_dim: int) -> Addresses:
    """Addresses of the best image of each task, to generate it again."""
    rows, won = np.arange(len(scores.score)), scores.best_b - 1
    assert scores.image_index is not None
    return pool_addresses(seed, scores.class_index[rows, won], scores.image_index[rows, won], z_dim)


def pool_identity(world: World, generator: GeneratorSettings, batch_size: int | str) -> dict[str, Any]:
    """All that decides the embedding of an image with a given z and class."""
    protocol = world.settings.protocol
    return {
        "generator": dataclasses.asdict(in_protocol(generator, protocol)),
        "weights_sha256": world.generator_sha256(generator),
        "clip": world.clip_identity,
        "clip_resize": protocol.clip_resize,
        "clip_normalisation": protocol.clip_normalisation,
        "batch_size": batch_size,
        "precision": world.settings.precision,
        "compile": world.settings.compile,
        "version": __version__,
    }


def pooled_search(
    world: World, settings: RunSettings, images: list[Searched], output: Path, plan: Plan | None = None
) -> PooledSearch:
    """The pool of a run, under <output>/<world>/pools.

    Args:
        images: the test images searched for (`searched`).
        output: root of all outputs.
        plan: of another depth than the run's own, which `zeroshot.runs.plans.plan_of` gives.
    """
    identity = pool_identity(world, settings.generator, settings.batch_size)
    name = f"{settings.generator.name}-{digest_of(identity | {'seed': settings.seed})}"

    def name_draw(search: PooledSearch, image: Broken) -> str:
        for k in (settings.k, *planned_k(settings)):
            class_index, image_index = search.draws(world.tasks(images, settings.start), k, settings.b_max)
            here = np.argwhere((class_index == image.class_index) & (image_index == image.image_index))
            if len(here):
                return f"caption of {images[here[0, 0]].image_id}, b = {here[0, 1] + 1}, k = {k}"
        return "in a block of the pool with images that this run takes"

    engine = world.engine(settings.generator, settings.batch_size)
    pool = Pool(pools_folder(output, settings) / name, engine, settings.seed, identity)
    return PooledSearch(pool, plan or plan_of(world, settings, images, output), name_draw)
