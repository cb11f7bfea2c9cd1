"""Adam (Kingma and Ba 2015) on z, and on the weights of a mixture of classes, from the best image of the start."""

from __future__ import annotations

import numpy as np

from zeroshot.searching.draws import softmax
from zeroshot.searching.strategies.base import Candidates, Evaluated, Gradients, Problem, Strategy
from zeroshot.strategy_settings import GradientRefinement

OWN = 0.9  # weight of the best image's label where a mixture begins


class Adam:
    """Climbs: x += rate · m / (√v + ε), with the usual decays of both moments and their corrections."""

    def __init__(self, rate: float, size: int) -> None:
        self.rate, self.steps = rate, 0
        self.m, self.v = np.zeros(size), np.zeros(size)

    def step(self, gradient: np.ndarray) -> np.ndarray:
        """What is added to x [size] for a gradient [size]."""
        self.steps += 1
        self.m += 0.1 * (gradient - self.m)
        self.v += 0.001 * (gradient**2 - self.v)
        m, v = self.m / (1 - 0.9**self.steps), self.v / (1 - 0.999**self.steps)
        return self.rate * m / (np.sqrt(v) + 1e-8)


class Gradient(Strategy):
    """One image, a step at a time. `tell` is given the score of the image asked for and the gradients there."""

    gradients = True

    def __init__(self, problem: Problem, settings: GradientRefinement, found: Evaluated) -> None:
        self.copies = settings.copies
        best = found.best(1)[0]
        self.z, self.label = found.candidates.z[best].copy(), int(found.candidates.class_index[best])
        self.longest = np.inf if settings.radius is None else settings.radius * np.sqrt(problem.z_dim)
        self._shorten()
        self.adam = Adam(settings.learning_rate, problem.z_dim)
        self.mixed: np.ndarray | None = None
        if settings.mixture:
            self.mixed = np.unique(np.append(problem.top, self.label))
            others = (1 - OWN) / max(1, len(self.mixed) - 1)
            self.logits: np.ndarray = np.log(np.where(self.mixed == self.label, OWN, others))
            self.adam_of_labels = Adam(settings.learning_rate, len(self.mixed))
            self.classes = len(problem.ranking)

    def _shorten(self) -> None:
        self.z *= min(1.0, self.longest / np.linalg.norm(self.z))

    def ask(self, most: int) -> Candidates:
        if self.mixed is None:
            return Candidates(self.z[None].copy(), np.array([self.label]))
        weights = np.zeros((1, self.classes))
        weights[0, self.mixed] = softmax(self.logits)
        return Candidates(self.z[None].copy(), weights.argmax(axis=1), weights)

    def tell(self, evaluated: Evaluated, gradients: Gradients | None = None) -> None:
        assert gradients is not None
        self.z += self.adam.step(gradients.z[0])
        self._shorten()
        if self.mixed is not None:
            assert gradients.class_weights is not None
            weights, of_weights = softmax(self.logits), gradients.class_weights[0, self.mixed]
            self.logits += self.adam_of_labels.step(weights * (of_weights - weights @ of_weights))
