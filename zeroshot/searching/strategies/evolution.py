"""Evolution strategy on the sphere: children at an angle around the best z so far."""

from __future__ import annotations

import numpy as np

from zeroshot.searching.strategies.base import Candidates, Evaluated, Problem, Strategy
from zeroshot.strategy_settings import EvolutionRefinement


class Evolution(Strategy):
    """child = √(1 - step²) · parent + step · N(0, I), which leaves N(0, I) as it is; the label is the parent's."""

    def __init__(self, problem: Problem, settings: EvolutionRefinement, found: Evaluated) -> None:
        self.problem, self.settings, self.step = problem, settings, settings.step
        first = found.best(1)
        self.parent, self.score = found.candidates[first], float(found.score[first[0]])

    def ask(self, most: int) -> Candidates:
        n = min(most, self.settings.children)
        noise = self.problem.rng.standard_normal((n, self.problem.z_dim))
        z = np.sqrt(1 - self.step**2) * self.parent.z + self.step * noise
        return Candidates(z, np.repeat(self.parent.class_index, n))

    def tell(self, evaluated: Evaluated, gradients: object = None) -> None:
        self.step *= self.settings.decay
        best = evaluated.best(1)
        if evaluated.score[best[0]] > self.score:
            self.parent, self.score = evaluated.candidates[best], float(evaluated.score[best[0]])
