"""The authors' deprecated heuristic of z, as their released code has it, with a label beside."""

from __future__ import annotations

import numpy as np

from zeroshot.searching.strategies.base import Candidates, Evaluated, Problem, Strategy
from zeroshot.strategy_settings import EliteMeanRefinement

ZERO_SCORE = 0.27  # of the zeros that the elite begins with: a z counts once it scores more


class EliteMean(Strategy):
    """z = sigma · N(0, I) + the mean of the best z so far. The elite begins as zeros of a score of 0.27.

    The authors choose no label; here it is that of one of the elite's images, or of the top k where it is a zero.
    """

    def __init__(self, problem: Problem, settings: EliteMeanRefinement, found: Evaluated) -> None:
        self.problem, self.settings = problem, settings
        self.z = np.zeros((settings.elite, problem.z_dim))
        self.label = problem.top[problem.rng.integers(len(problem.top), size=settings.elite)]
        self.score = np.full(settings.elite, ZERO_SCORE)
        self.tell(found)

    def ask(self, most: int) -> Candidates:
        rng = self.problem.rng
        z = self.z.mean(axis=0) + self.settings.sigma * rng.standard_normal((1, self.problem.z_dim))
        return Candidates(z, self.label[rng.integers(len(self.label), size=1)])

    def tell(self, evaluated: Evaluated, gradients: object = None) -> None:
        z, label = evaluated.candidates.z, evaluated.candidates.class_index
        self.score = np.concatenate([self.score, evaluated.score])
        kept = np.argsort(-self.score, kind="stable")[: self.settings.elite]
        self.z, self.label = np.concatenate([self.z, z])[kept], np.concatenate([self.label, label])[kept]
        self.score = self.score[kept]
