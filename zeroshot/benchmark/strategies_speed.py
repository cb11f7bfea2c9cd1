"""Part h: what search strategies add to the models' own time.

A strategy is asked and told by random scores in the models' place, which is its own time; then it searches with the
models, which is all of it. Both search for as many captions as a batch holds, with the same budget.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from zeroshot.benchmark.engine_speed import tasks_of
from zeroshot.benchmark.models import chosen_models, measured_engine, measured_world
from zeroshot.benchmark.settings import BenchmarkSettings
from zeroshot.benchmark.timing import StopAsked, interleaved, never, spread
from zeroshot.searching.algorithm1 import Task
from zeroshot.searching.draws import draw
from zeroshot.searching.driver import How, Search, rng_of, run_searches
from zeroshot.searching.strategies.base import Evaluated, Gradients, Problem, Proposal
from zeroshot.strategy_settings import PriceSettings, refinement_named, start_named
from zeroshot.worlds.parts import world_parts

TARGET = 0.1  # of the models' time
# (start, refinement): whether the target is theirs; the last is measured and stated.
STRATEGIES = {
    ("softmax", "none"): True,
    ("halving", "none"): True,
    ("amortised", "none"): True,
    ("random", "evolution"): True,
    ("random", "gradient"): True,
    ("random", "catcma"): False,
}
K = 10  # labels


def strategies_speed(settings: BenchmarkSettings, should_stop: StopAsked = never) -> dict[str, Any]:
    """Part h for every generator of the models that suit the device."""
    models, own = chosen_models(settings), settings.strategies
    world, results = measured_world(models, settings), []
    for name in world_parts(world.name).generators:
        engine = measured_engine(world, name, settings.batch_size)
        tasks = tasks_of(engine, engine.batch_size)
        problems = [problem(task, engine.generator.z_dim, own.b_max, number) for number, task in enumerate(tasks)]
        works: dict[str, Callable[[], object]] = {}
        for pair in STRATEGIES:
            how = How(start_named(pair[0]), refinement_named(pair[1]), PriceSettings())
            works["+".join(pair)] = partial(run_searches, engine, tasks, problems, how, seed=0)
            works["+".join(pair) + " alone"] = partial(alone, tasks, problems, how)
        seconds = interleaved(works, own.repetitions, engine.device, f"h: {name}", should_stop)
        results += [{"generator": name} | one_strategy(pair, seconds, len(tasks) * own.b_max) for pair in STRATEGIES]
    return {"models": models, "target": TARGET, "b_max": own.b_max, "results": results}


def one_strategy(pair: tuple[str, str], seconds: dict[str, list[float]], evaluations: int) -> dict[str, Any]:
    """A strategy's own time as a share of the models', and in milliseconds an evaluation."""
    name = "+".join(pair)
    own, whole = np.array(seconds[f"{name} alone"]), np.array(seconds[name])
    share = spread((own / (whole - own)).tolist())
    milliseconds = spread((1000 * own / evaluations).tolist())
    aimed = STRATEGIES[pair]
    return {
        "strategy": name,
        "share": share,
        "milliseconds": milliseconds,
        "aimed": aimed,
        "holds": share["median"] <= TARGET if aimed else None,
    }


def alone(tasks: list[Task], problems: list[Problem], how: How) -> None:
    """The searches with random numbers for scores and gradients."""
    rng = np.random.default_rng(0)
    for task, own in zip(tasks, problems, strict=True):
        search = Search(task, own, how)
        while (asked := search.ask()) is not None:
            gradients = Gradients(rng.standard_normal(asked.z.shape)) if search.strategy.gradients else None
            search.tell(Evaluated(asked, rng.random(len(asked))), asked.z.astype(np.float32), gradients)


def problem(task: Task, z_dim: int, b_max: int, number: int) -> Problem:
    """A search as strategies see it, with made-up similarities and a made-up proposal."""
    ranking = task.ranking[0]
    similarity = np.linspace(0.6, -0.5, len(ranking))
    label = np.full(len(ranking), 1 / len(ranking))
    return Problem(
        top=ranking[:K],
        ranking=ranking,
        similarity=similarity,
        z_dim=z_dim,
        budget=b_max,
        draws=lambda b_start, b_stop: draw(0, task.image_id, b_start, b_stop, z_dim),
        rng=rng_of(0, f"{task.image_id} {number}"),
        proposal=Proposal(label, np.zeros(z_dim), np.ones(z_dim)),
    )
