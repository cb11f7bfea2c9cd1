"""What sharing images costs: replicates of the experiment, each with draws and a pool of its own.

The standard deviation of their means is the standard error of one. The pools of a group of replicates are disjoint
parts of one deep pool, so they differ as pools of different seeds do; every group cuts it anew.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from zeroshot.benchmark.timing import StopAsked
from zeroshot.errors import Interrupted
from zeroshot.metrics.frechet import frechet_distance
from zeroshot.report.tables import markdown
from zeroshot.runs.measures import image_features
from zeroshot.runs.pooled import PooledSearch, pooled_search
from zeroshot.searching.algorithm1 import Task
from zeroshot.searching.pool import pool_addresses
from zeroshot.searching.pool_plan import Plan, classes_drawn, images_taken, make_plan
from zeroshot.worlds.parts import default_run
from zeroshot.worlds.world import World

SHARES = (0.05, 0.1, 0.2)
REPLICATES = 48  # their standard deviation is then known to 11 %
GROUP = 6  # replicates with disjoint pools, hence also how many times as deep the deep pool is
FRECHET_K = (1, 10, 1000)  # the Fréchet distance wants the images again, so not for every k


@dataclasses.dataclass(frozen=True)
class Study:
    """A deep pool, and the experiment that is replicated with parts of it."""

    world: World
    deep: PooledSearch
    tasks: list[Task]
    ks: list[int]
    b_max: int

    @property
    def classes(self) -> int:
        """Number of labels."""
        return len(self.world.labels)

    def drawn(self, replicate: int) -> dict[int, np.ndarray]:
        """Class of every draw of a replicate by k: int64 [tasks, b_max]."""
        z_dim = self.deep.pool.engine.generator.z_dim
        return {k: classes_drawn(self.tasks, k, self.b_max, _seed(replicate), z_dim) for k in self.ks}

    def replicate(self, share: float | None, replicate: int) -> pd.DataFrame:
        """One experiment; share = None: every caption has images of its own (fresh).

        Returns columns k, best (mean best score), distinct (share of the selected images that are different), frechet
        (NaN for k not in FRECHET_K) and images.
        """
        drawn, ids = self.drawn(replicate), [task.image_id for task in self.tasks]
        plan = make_plan(list(drawn.values()), self.classes, share or 1.0)
        starts, own = np.cumsum(plan.depth) - plan.depth, None if share is None else self.own_images(plan, replicate)
        rng = np.random.default_rng(_seed(replicate))
        rows = []
        for k, class_index in drawn.items():
            if own is None:
                image_index = (rng.random(class_index.shape) * self.deep.plan.depth[class_index]).astype(np.int64)
            else:
                image_index = own[starts[class_index] + images_taken(class_index, plan.depth, _seed(replicate), ids)]
            rows.append({"k": k} | self.outcome(class_index, image_index, k in FRECHET_K))
        drawings = self.b_max * len(self.tasks) * len(self.ks)
        return pd.DataFrame(rows).assign(images=drawings if share is None else plan.images)

    def own_images(self, plan: Plan, replicate: int) -> np.ndarray:
        """Which of the deep pool's images are a replicate's own, class by class: int64 [sum of the plan's depths].

        Those of the GROUP replicates of a group are different images.
        """
        group, place = divmod(replicate, GROUP)
        rng = np.random.default_rng(group)  # one shuffle for the whole group
        shuffled = [rng.permutation(depth) for depth in self.deep.plan.depth]
        room = self.deep.plan.depth // GROUP
        return np.concatenate([s[place * r :][:n] for s, r, n in zip(shuffled, room, plan.depth, strict=True)])

    def outcome(self, class_index: np.ndarray, image_index: np.ndarray, with_distance: bool) -> dict[str, float]:
        """What is measured of a search that took these images, int64 [tasks, b_max] each."""
        score = self.deep.score(self.tasks, class_index, image_index)
        won = np.arange(len(score)), score.argmax(axis=1)
        chosen, place = np.unique(np.stack([class_index[won], image_index[won]]), axis=1, return_inverse=True)
        found = {"best": score.max(axis=1).mean(), "distinct": chosen.shape[1] / len(score), "frechet": np.nan}
        if with_distance:
            pool = self.deep.pool
            where = pool_addresses(pool.seed, chosen[0], chosen[1], pool.engine.generator.z_dim)
            features = image_features(self.world, pool.engine, where)[place.ravel()]
            found["frechet"] = frechet_distance(self.world.test_features, features)
        return found


def _seed(replicate: int) -> int:
    return 1000 + replicate  # not one of the grid's


def deep_study(world: World, generator: str, output: Path, captions: int, b_max: int, should_stop: StopAsked) -> Study:
    """A study with its deep pool filled."""
    base = default_run(world.name, generator)
    settings = dataclasses.replace(base, captions=captions, b_max=b_max)
    world.test.checked()
    images = world.searched(settings)
    grid = pooled_search(world, settings, images, output)
    study = Study(world, grid, world.tasks(images), settings.search.k, b_max)
    wanted = [
        make_plan(list(study.drawn(replicate).values()), study.classes, max(SHARES)).depth
        for replicate in tqdm(range(REPLICATES), desc=f"{generator}: plans", disable=None, leave=False)
    ]
    deep = dataclasses.replace(grid, plan=Plan(GROUP * np.max(wanted, axis=0)))
    deep.fill(should_stop)
    return dataclasses.replace(study, deep=deep)


def noise_correlation(deep: PooledSearch, tasks: list[Task], k: int = 10, captions: int = 40) -> float:
    """Mean correlation, between captions that share a class, of how much better or worse an image is than its class."""
    top = np.stack([task.ranking[0, :k] for task in tasks])
    found = []
    for c in np.flatnonzero(deep.plan.depth >= 200):
        texts = np.stack([task.text[0] for task, own in zip(tasks, top, strict=True) if c in own][:captions] or [[0.0]])
        if len(texts) < 5:
            continue
        count = int(min(deep.plan.depth[c], 1000))
        scores = deep.pool.embeddings(np.full(count, c), np.arange(count)) @ texts.T  # [images, captions]
        correlation = np.corrcoef(scores.T)
        found.append(correlation[np.triu_indices(len(texts), 1)].mean())
    return float(np.mean(found))


def study(world: World, generator: str, output: Path, captions: int, b_max: int, should_stop: StopAsked) -> str:
    """The tables of one generator, as Markdown. Raises Interrupted where `stop` says so; the pool is kept."""
    own = deep_study(world, generator, output, captions, b_max, should_stop)
    results = []
    points = list(itertools.product(range(REPLICATES), (None, *SHARES)))
    for replicate, share in tqdm(points, desc=f"{generator}: replicates", unit="run", disable=None):
        if should_stop():
            raise Interrupted(str(own.deep.pool.folder))
        results.append(own.replicate(share, replicate).assign(share=str(share or "fresh"), group=replicate // GROUP))
    table = pd.concat(results)
    correlation = noise_correlation(own.deep, own.tasks)
    title = (
        f"{generator}, world {world.name}, {captions} captions, b = {b_max}, {REPLICATES} replicates, "
        f"deep pool of {own.deep.plan.images:,} images; "
        f"correlation of an image's noise across captions: {correlation:.2f}"
    )
    return "\n\n".join([title, *(markdown(pd.DataFrame(rows)) for rows in summary(table))])


def summary(table: pd.DataFrame) -> list[list[dict[str, str]]]:
    """The rows of three tables: standard errors, duplicates, Fréchet distances; a row per share."""
    # Within groups: across them pools overlap, which would make the spread too small.
    spread = table.groupby(["share", "k", "group"])["best"].var().groupby(["share", "k"]).mean() ** 0.5
    errors, duplicates, distances = [], [], []
    for share, group in table.groupby("share", sort=False):
        named = {"share": share, "images": f"{group.images.mean():,.0f}"}
        of_k = group.groupby("k")
        errors.append(
            named
            | {
                f"SE, k = {k}": f"{spread[share, k]:.5f} ({spread[share, k] / spread['fresh', k]:.2f}x)"
                for k, _ in of_k
            }
        )
        duplicates.append(named | {f"k = {k}": f"{100 * (1 - one.distinct.mean()):.0f} %" for k, one in of_k})
        distances.append(
            named
            | {
                f"Fréchet, k = {k}": f"{one.frechet.mean():.1f} ± {one.frechet.sem():.1f}, SD {one.frechet.std():.1f}"
                for k, one in of_k
                if k in FRECHET_K
            }
        )
    return [errors, duplicates, distances]
