"""Many searches by a strategy side by side: a step of each in the engine's batches, until each has spent its budget."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtr

from zeroshot.errors import EnvironmentFailure
from zeroshot.searching.algorithm1 import Task, draw_in_words
from zeroshot.searching.draws import draw
from zeroshot.searching.engine import Engine, Points
from zeroshot.searching.faults import addressed
from zeroshot.searching.gradients import UNIFORMS, scores_and_gradients
from zeroshot.searching.strategies import made
from zeroshot.searching.strategies.base import Candidates, Evaluated, Gradients, Problem, Strategy
from zeroshot.searching.trace import Trace
from zeroshot.strategy_checks import gradient_price
from zeroshot.strategy_settings import (
    EliteMeanRefinement,
    GradientRefinement,
    PriceSettings,
    Refinement,
    RefineSettings,
    StartSettings,
)

FARTHEST = 8.0  # of an entry of z: beyond, Φ(z) is 1 in float64
AT_ONCE = 64  # evaluations that a search asks for in a step at most


@dataclass(frozen=True)
class How:
    """A strategy: what draws first, what refines, and what their evaluations cost."""

    start: StartSettings
    refine: RefineSettings
    prices: PriceSettings

    def price(self, strategy: Strategy) -> int:
        """Of one of a strategy's evaluations."""
        return gradient_price(self.refine, self.prices) if strategy.gradients else 1

    @property
    def at_once(self) -> int:
        """Images of a step of one search, where a smaller batch serves it better."""
        if isinstance(self.refine, GradientRefinement | EliteMeanRefinement):
            return 1
        sizes = (getattr(self.refine, key, None) for key in ("children", "population", "batch"))
        return next((size for size in sizes if size), AT_ONCE)


class Search:
    """One search: the start's evaluations, then the refinement's, while the budget pays for them."""

    def __init__(self, task: Task, problem: Problem, how: How) -> None:
        self.task, self.problem, self.how = task, problem, how
        warm_up = how.start.warm_up if isinstance(how.refine, Refinement) else problem.budget
        self.until = min(warm_up, problem.budget)  # what the strategy at work may pay
        self.strategy = made.start(how.start, problem, self.until)
        self.trace = Trace()
        self.found: list[Evaluated] = []  # by the start, for the refinement

    def ask(self) -> Candidates | None:
        """What it wants evaluated next; None at its end."""
        if self.trace.paid >= self.until < self.problem.budget:
            self.strategy = made.refinement(self.how.refine, self.problem, _behind_one_another(self.found))
            self.until, self.found = self.problem.budget, []
        most = (self.until - self.trace.paid) // self.how.price(self.strategy)
        if most < 1:
            return None
        asked = self.strategy.ask(min(most, AT_ONCE))
        return Candidates(asked.z.clip(-FARTHEST, FARTHEST), asked.class_index, asked.class_weights)

    def b_of(self, candidates: Candidates) -> list[int]:
        """The price paid up to each of the candidates."""
        price = self.how.price(self.strategy)
        return [self.trace.paid + price * (row + 1) for row in range(len(candidates))]

    def tell(self, evaluated: Evaluated, z: np.ndarray, gradients: Gradients | None) -> None:
        """What it asked for, evaluated; `z` is the generator's own, float32 [n, z_dim]."""
        candidates, trace = evaluated.candidates, self.trace
        best = trace.best_score if trace.score else -np.inf
        for row in np.flatnonzero(evaluated.score > np.maximum.accumulate([best, *evaluated.score[:-1]])):
            place = len(trace.score) + int(row)
            trace.z[place] = z[row].copy()
            if candidates.class_weights is not None:
                trace.class_weights[place] = candidates.class_weights[row].astype(np.float32)
        trace.b += self.b_of(candidates)
        trace.class_index += candidates.class_index.tolist()
        trace.score += evaluated.score.tolist()
        if self.until < self.problem.budget:
            self.found.append(evaluated)
        self.strategy.tell(evaluated, gradients)


def run_searches(
    engine: Engine,
    tasks: list[Task],
    problems: list[Problem],
    how: How,
    seed: int,
    told: Callable[[list[Trace]], None] = lambda traces: None,
) -> list[Trace]:
    """Search for several captions at once.

    Args:
        engine: at its batch size scores are the same bits whatever runs beside them, so a search's way is its own.
        tasks, problems: the captions', in one order.
        how: the strategy, whose settings have been checked.
        seed: of the draws.
        told: after each step, the searches as far as they are; what it raises ends them.

    Raises EnvironmentFailure where a score is not finite, and UserError where a generator of the user's does something
    wrong, naming the address.
    """
    searches = [Search(task, problem, how) for task, problem in zip(tasks, problems, strict=True)]
    live = searches
    while live:
        asked = [(search, candidates) for search in live if (candidates := search.ask())]
        kinds: dict[tuple[bool, int, bool], list[tuple[Search, Candidates]]] = {}
        for pair in asked:
            kinds.setdefault(_kind(*pair), []).append(pair)
        for together in kinds.values():
            _evaluate(engine, together, seed)
        told([search.trace for search in searches])
        live = [search for search, _ in asked]
    return [search.trace for search in searches]


def _kind(search: Search, candidates: Candidates) -> tuple[bool, int, bool]:
    """Searches whose candidates are of one kind are evaluated together."""
    return search.strategy.gradients, search.strategy.copies, candidates.class_weights is not None


def _evaluate(engine: Engine, asked: list[tuple[Search, Candidates]], seed: int) -> None:
    """Evaluate what searches asked for, and tell them."""
    search, _ = asked[0]
    together = _joined([candidates for _, candidates in asked])
    places = [(search.task, b) for search, candidates in asked for b in search.b_of(candidates)]
    text = np.stack([task.text[task.caption[b - 1]] for task, b in places])  # [n, D]
    with torch.no_grad():
        z = engine.generator.latent(torch.from_numpy(ndtr(together.z))).numpy()
    gradients = None
    with addressed(lambda row: draw_in_words(places[row][0], places[row][1], seed)):
        if search.strategy.gradients:
            copies = np.stack([_copies(task, b, search.strategy.copies, seed) for task, b in places])
            score, gradients = scores_and_gradients(engine, together, text, copies)
        else:
            weights = None if together.class_weights is None else together.class_weights.astype(np.float32)
            score = engine.scores(Points(z, together.class_index, weights), text)
    wrong = np.flatnonzero(~np.isfinite(score))
    if len(wrong):
        address = draw_in_words(*places[int(wrong[0])], seed)
        raise EnvironmentFailure(
            f"score {score[wrong[0]]} of {engine.generator.called} at {address}, class "
            f"{together.class_index[wrong[0]]}: weights or precision are at fault"
        )
    start = 0
    for search, candidates in asked:
        rows = slice(start, start + len(candidates))
        own = None if gradients is None else gradients[rows]
        search.tell(Evaluated(candidates, score[rows]), z[rows], own)
        start = rows.stop


def _copies(task: Task, b: int, copies: int, seed: int) -> np.ndarray:
    """Uniforms of the augmented copies of an evaluation, by its address: float64 [copies, UNIFORMS]."""
    return draw(seed, f"{task.image_id}\0copies", b, b + 1, copies * UNIFORMS).latent.reshape(copies, UNIFORMS)


def _joined(parts: list[Candidates]) -> Candidates:
    """Candidates of one kind behind one another."""
    weights = [part.class_weights for part in parts if part.class_weights is not None]
    return Candidates(
        np.concatenate([part.z for part in parts]),
        np.concatenate([part.class_index for part in parts]),
        np.concatenate(weights) if weights else None,
    )


def _behind_one_another(parts: list[Evaluated]) -> Evaluated:
    return Evaluated(_joined([part.candidates for part in parts]), np.concatenate([part.score for part in parts]))


def rng_of(seed: int, address: str) -> np.random.Generator:
    """A search's own random numbers, which depend on its address only."""
    key = hashlib.blake2b(f"{seed}\0{address}".encode(), digest_size=16, person=b"strategy").digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(key, dtype="<u8").astype(np.uint64)))
