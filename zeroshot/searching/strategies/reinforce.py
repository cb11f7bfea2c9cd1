"""Policy gradient (Williams 1992) on the logits of the top k labels and the mean of a Gaussian z."""

from __future__ import annotations

import numpy as np

from zeroshot.searching.draws import softmax
from zeroshot.searching.strategies.base import Candidates, Evaluated, Problem, Strategy
from zeroshot.strategy_settings import ReinforceRefinement


class Reinforce(Strategy):
    """Each step draws a batch from the policy; a score's advantage is measured against the batch's mean and spread."""

    def __init__(self, problem: Problem, settings: ReinforceRefinement, found: Evaluated) -> None:
        self.problem, self.settings = problem, settings
        best = found.best(1)[0]
        own = found.candidates.class_index[best]
        self.labels = np.append(problem.top[problem.top != own], own)
        self.logits = np.zeros(len(self.labels))
        self.mean = found.candidates.z[best] * np.sqrt(1 - settings.sigma**2)  # so that z keeps its length

    def ask(self, most: int) -> Candidates:
        n, rng = min(most, self.settings.batch), self.problem.rng
        self.label = rng.choice(len(self.labels), size=n, p=softmax(self.logits))
        self.noise = rng.standard_normal((n, self.problem.z_dim))
        return Candidates(self.mean + self.settings.sigma * self.noise, self.labels[self.label])

    def tell(self, evaluated: Evaluated, gradients: object = None) -> None:
        spread = evaluated.score.std()
        if not spread > 0:
            return
        advantage = (evaluated.score - evaluated.score.mean()) / spread  # [n]
        # d log π / d logits = one-hot - softmax; d log N(z; mean, sigma) / d mean = noise / sigma
        chosen = np.eye(len(self.labels))[self.label] - softmax(self.logits)
        self.logits += self.settings.label_rate * (advantage[:, None] * chosen).mean(axis=0)
        self.mean += self.settings.z_rate * self.settings.sigma * (advantage[:, None] * self.noise).mean(axis=0)
