"""What a strategy is told of a world's captions, and searches by it; strategies themselves know no world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zeroshot.errors import UserError
from zeroshot.models.generators.base import Generator
from zeroshot.runs.bank import bank_of
from zeroshot.runs.blocks import Search
from zeroshot.runs.proposals import amortised_network
from zeroshot.searching.algorithm1 import Scores, Task, run_tasks, similarity
from zeroshot.searching.draws import draw
from zeroshot.searching.driver import How, rng_of, run_searches
from zeroshot.searching.engine import Engine
from zeroshot.searching.gradients import check_differentiable
from zeroshot.searching.strategies.base import Problem
from zeroshot.searching.trace import Trace
from zeroshot.settings import GeneratorSettings, RunSettings
from zeroshot.strategy_settings import AmortisedStart, BankStart, GradientRefinement, draws_are_known
from zeroshot.worlds.world import World


class StrategySearch:
    """Searches in a world by one strategy.

    Args:
        world: with the generator's CLIP.
        generator: its settings.
        how: start, refinement and prices, checked.
        batch_size: of the bank, where there is one.
        should_stop: asked while a bank is made; True raises Interrupted.

    Raises UserError for a generator that a gradient or a mixture of classes needs more of, and for a network that was
    trained for another.
    """

    def __init__(
        self,
        world: World,
        generator: GeneratorSettings,
        how: How,
        batch_size: int | str,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.world, self.how = world, how
        engine = world.engine(generator, batch_size)
        _check_generator(engine, how)
        self.bank, self.network = None, None
        if isinstance(how.start, AmortisedStart):
            self.network = amortised_network(world, generator, how.start, batch_size, should_stop)
        elif isinstance(how.start, BankStart):
            self.bank = bank_of(world, generator, how.start, batch_size, should_stop)

    @property
    def cost(self) -> dict[str, float]:
        """What was made beforehand, once for all captions; empty for strategies that need nothing."""
        if self.network:
            return self.network.cost
        return {"bank_images": len(self.bank.images)} if self.bank else {}

    def run(
        self,
        engine: Engine,
        tasks: list[Task],
        k: int,
        b_max: int,
        seed: int,
        told: Callable[[list[Trace]], None] = lambda traces: None,
    ) -> list[Trace]:
        """Search for several captions at once, with b_max evaluations each (`zeroshot.searching.driver`)."""
        problems = self._problems(engine.generator, tasks, k, b_max, seed)
        return run_searches(engine, tasks, problems, self.how, seed, told)

    def _problems(self, generator: Generator, tasks: list[Task], k: int, b_max: int, seed: int) -> list[Problem]:
        texts = np.stack([task.text[task.ranked_by[0]] for task in tasks])  # [n, D]
        proposals = self.network.propose(texts) if self.network else [None] * len(tasks)
        similarities = similarity(texts, self.world.label_embeddings)  # [n, classes]

        def draws(task: Task) -> Callable[[int, int], Any]:
            return lambda b_start, b_stop: draw(seed, task.image_id, b_start, b_stop, generator.z_dim)

        return [
            Problem(
                top=task.top(k, 1, 2)[0],
                ranking=task.ranking[task.ranked_by[0]],
                similarity=similarities[row],
                z_dim=generator.z_dim,
                budget=b_max,
                draws=draws(task),
                rng=rng_of(seed, task.image_id),
                proposal=proposals[row],
                bank=self.bank.nearest(texts[row], b_max) if self.bank else None,
            )
            for row, task in enumerate(tasks)
        ]


def searching(
    world: World, settings: RunSettings, should_stop: Callable[[], bool] = lambda: False
) -> tuple[Search, dict[str, float]]:
    """How a run's settings search for some tasks, and what was made for it beforehand (`StrategySearch.cost`)."""
    engine = world.engine(settings.generator, settings.batch_size)
    k, b_max, seed = settings.k, settings.b_max, settings.seed
    if draws_are_known(settings.start, settings.refine):
        return lambda tasks, told: run_tasks(engine, tasks, k, b_max, seed), {}
    how = How(settings.start, settings.refine, settings.prices)
    strategy = StrategySearch(world, settings.generator, how, settings.batch_size, should_stop)

    def search(tasks: list[Task], told: Callable[[int], None]) -> Scores:
        traces = strategy.run(engine, tasks, k, b_max, seed, lambda traces: told(sum(t.paid for t in traces)))
        return scores_of(traces, b_max)

    return search, strategy.cost


def _check_generator(engine: Engine, how: How) -> None:
    """Refuse what the generator cannot do. Raises UserError."""
    if not isinstance(how.refine, GradientRefinement):
        return
    if how.refine.mixture and not engine.generator.mixes_classes:
        raise UserError(
            f"refine.mixture = true, but {engine.generator.called} takes no mixtures of classes: give "
            "refine.mixture=false, or let its forward take weights [N, num_classes] and say mixes_classes = True"
        )
    check_differentiable(engine)


def scores_of(traces: list[Trace], b_max: int) -> Scores:
    """Searches as a table of b: no score, -inf, where b skips, with the winners' z."""
    shape = len(traces), b_max
    class_index, score = np.full(shape, -1, dtype=np.int64), np.full(shape, -np.inf)
    for row, trace in enumerate(traces):
        columns = np.array(trace.b) - 1
        class_index[row, columns], score[row, columns] = trace.class_index, trace.score
    best = [trace.best for trace in traces]
    return Scores(
        class_index,
        score,
        z=[trace.z[row] for trace, row in zip(traces, best, strict=True)],
        class_weights=[trace.class_weights.get(row) for trace, row in zip(traces, best, strict=True)],
    )
