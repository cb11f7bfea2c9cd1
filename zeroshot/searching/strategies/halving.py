"""Sequential halving of the top k labels by the best score of each (Karnin, Koren and Somekh 2013, by maximum)."""

from __future__ import annotations

import numpy as np

from zeroshot.searching.strategies.base import Candidates, DrawnStart, Evaluated, Problem
from zeroshot.strategy_checks import halving_rounds


class Halving(DrawnStart):
    """Each round spends an equal part of the budget on the labels that are left and keeps the better half; what the
    rounds leave over goes to the best label."""

    def __init__(self, problem: Problem, evaluations: int) -> None:
        super().__init__(problem)
        self.rounds = halving_rounds(len(problem.top))
        free = evaluations - sum(self.rounds)
        # Evaluations of each label, round by round: at least one, and an equal share of what is free beyond that.
        self.times = [1 + free // (len(self.rounds) * labels) for labels in self.rounds]
        self.left = problem.top
        self.best = {int(label): -np.inf for label in problem.top}
        self.plan = self._round()

    def _round(self) -> list[int]:
        """Class indices of the round's evaluations, the labels in turn."""
        return [int(label) for label in self.left] * self.times.pop(0) if self.times else []

    def ask(self, most: int) -> Candidates:
        if not self.plan:
            self.left = np.array(sorted(map(int, self.left), key=lambda label: -self.best[label]))
            self.left = self.left[: -(-len(self.left) // 2)]
            self.plan = self._round() or [int(self.left[0])] * most
        return super().ask(min(most, len(self.plan)))

    def classes(self, uniform: np.ndarray) -> np.ndarray:
        taken, self.plan = self.plan[: len(uniform)], self.plan[len(uniform) :]
        return np.array(taken, dtype=np.int64)

    def tell(self, evaluated: Evaluated, gradients: object = None) -> None:
        for label, score in zip(evaluated.candidates.class_index.tolist(), evaluated.score.tolist(), strict=True):
            self.best[label] = max(self.best[label], score)
