"""What sharing images costs: python -m experiments.study_pool [generator=…]; prints the tables of docs/pool.md.

A deep pool (share 1: as many images as draws) stands for the generator. Replicates of the experiment, each with draws
of its own, take random parts of it, as deep as a share says; the spread of their means is the standard error.
The pool lies under outputs/miniature/pools and is made only once.

  python -m experiments.study_pool
  python -m experiments.study_pool generator=biggan

  generator=sagan|biggan    one of them; both where none is given
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from experiments.cli import StopRequest, guarded, help_if_asked
from zeroshot.errors import Interrupted
from zeroshot.files import check_writable
from zeroshot.parts import default_run
from zeroshot.pool_plan import Plan, classes_drawn, images_taken, make_plan
from zeroshot.pooled import PooledSearch, pooled_search
from zeroshot.protocols import searched
from zeroshot.report.tables import markdown
from zeroshot.search import Task
from zeroshot.worlds import World, load_world

SHARES = (0.05, 0.1, 0.2)
REPLICATES = 48  # their standard deviation is then known to 10 %


def replicate(
    deep: PooledSearch, tasks: list[Task], b_max: int, ks: list[int], share: float | None, seed: int
) -> pd.DataFrame:
    """One experiment with draws of its own; share = None: every caption has images of its own (fresh).

    Returns columns k, best (mean best score), distinct (share of selected images that are different), images.
    """
    rng = np.random.default_rng(seed)
    z_dim, classes = deep.pool.engine.generator.z_dim, len(deep.plan.depth)
    ids = [task.image_id for task in tasks]
    drawn = {k: classes_drawn(tasks, k, b_max, 1000 + seed, z_dim) for k in ks}
    plan = make_plan(list(drawn.values()), classes, share or 1.0)
    plan = Plan(np.minimum(np.maximum(plan.depth, 0), deep.plan.depth))
    kept = [rng.permutation(deep.plan.depth[c])[: plan.depth[c]] for c in range(classes)]
    starts = np.cumsum(plan.depth) - plan.depth
    flat = np.concatenate(kept)
    text = np.concatenate([task.text[task.caption[:b_max]] for task in tasks]).astype(np.float64)
    rows = []
    for k, class_index in drawn.items():
        if share is None:
            image_index = (rng.random(class_index.shape) * deep.plan.depth[class_index]).astype(np.int64)
        else:
            image_index = flat[starts[class_index] + images_taken(class_index, plan.depth, 1000 + seed, ids)]
        images = deep.pool.embeddings(class_index.ravel(), image_index.ravel()).astype(np.float64)
        score = np.einsum("nd,nd->n", images, text).reshape(class_index.shape)
        won = score.argmax(axis=1)
        chosen = {(class_index[t, b], image_index[t, b]) for t, b in enumerate(won)}
        rows.append({"k": k, "best": score.max(axis=1).mean(), "distinct": len(chosen) / len(tasks)})
    return pd.DataFrame(rows).assign(images=plan.depth.sum() if share else b_max * len(tasks) * len(ks))


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


def study(world: World, generator: str, output: Path, captions: int, b_max: int, stop: StopRequest) -> str:
    """The tables of one generator, as Markdown. Raises Interrupted where `stop` says so; the pool is kept."""
    base = default_run(world.name, generator)
    settings = dataclasses.replace(
        base, captions=captions, b_max=b_max, search=dataclasses.replace(base.search, share=1.0)
    )
    images = searched(world.test, settings.protocol, captions, b_max, settings.seed)
    deep, tasks = pooled_search(world, settings, images, output), world.tasks(images)
    deep.fill(stop)
    ks, results = settings.search.k, []
    points = list(itertools.product((None, *SHARES), range(REPLICATES)))
    for share, seed in tqdm(points, desc=f"{generator}: replicates", disable=None):
        if stop():
            raise Interrupted(str(deep.pool.folder))
        part = replicate(deep, tasks, b_max, ks, share, seed)
        results.append(part.assign(share="fresh" if share is None else share))
    table = pd.concat(results)
    fresh = table[table.share == "fresh"].groupby("k")["best"].std()
    rows = []
    for share, group in table.groupby("share", sort=False):
        error = group.groupby("k")["best"].std()
        row = {"share": share, "images": f"{group.images.mean():,.0f}"}
        row |= {f"SE, k = {k}": f"{error[k]:.5f} ({error[k] / fresh[k]:.1f}x)" for k in ks}
        row |= {
            f"duplicates, k = {k}": f"{100 * (1 - d):.0f} %" for k, d in group.groupby("k")["distinct"].mean().items()
        }
        rows.append(row)
    correlation = noise_correlation(deep, tasks)
    return (
        f"{generator}, world {world.name}, {captions} captions, b = {b_max}, {REPLICATES} replicates; "
        f"correlation of an image's noise across captions: {correlation:.2f}\n\n{markdown(pd.DataFrame(rows))}\n"
    )


def main(stop: StopRequest) -> None:
    """Study the generators named on the command line as generator=…, both where none is."""
    named = [a.partition("=")[2] for a in sys.argv[1:] if a.startswith("generator=")]
    output = Path("outputs")
    check_writable(output)
    world = load_world("miniature", cache=output / "cache")
    for generator in named or world.generator_names:
        print(study(world, generator, output, captions=200, b_max=100, stop=stop))


if __name__ == "__main__":
    help_if_asked(__doc__)
    guarded(main)
