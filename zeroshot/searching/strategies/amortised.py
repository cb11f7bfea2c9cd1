"""Labels and z as a network proposes them for the text (zeroshot/models/amortised.py)."""

from __future__ import annotations

import numpy as np

from zeroshot.searching.draws import by_probability
from zeroshot.searching.strategies.base import Candidates, DrawnStart, Problem
from zeroshot.strategy_settings import AmortisedStart


class Amortised(DrawnStart):
    """z = mean + spread · sd · N(0, I), the normal numbers those of Algorithm 1's draws."""

    def __init__(self, problem: Problem, settings: AmortisedStart) -> None:
        super().__init__(problem)
        assert problem.proposal is not None
        self.proposal, self.spread = problem.proposal, settings.spread

    def ask(self, most: int) -> Candidates:
        drawn = super().ask(most)
        return Candidates(self.proposal.mean + self.spread * self.proposal.sd * drawn.z, drawn.class_index)

    def classes(self, uniform: np.ndarray) -> np.ndarray:
        return by_probability(uniform, self.proposal.label, np.arange(len(self.proposal.label)))
