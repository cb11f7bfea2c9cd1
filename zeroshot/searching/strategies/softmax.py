"""Labels by softmax(similarity / T) over all of them, z ~ N(0, I)."""

from __future__ import annotations

import numpy as np

from zeroshot.searching.draws import by_probability, softmax
from zeroshot.searching.strategies.base import DrawnStart, Problem
from zeroshot.strategy_settings import SoftmaxStart


class Softmax(DrawnStart):
    """More of the labels that are more similar; the z's are those of Algorithm 1."""

    def __init__(self, problem: Problem, settings: SoftmaxStart) -> None:
        super().__init__(problem)
        self.probability = probabilities(problem.similarity, problem.ranking, settings)

    def classes(self, uniform: np.ndarray) -> np.ndarray:
        return by_probability(uniform, self.probability, self.problem.ranking)


def probabilities(similarity: np.ndarray, ranking: np.ndarray, settings: SoftmaxStart) -> np.ndarray:
    """Of the labels in the order of their ranking: float64 [..., classes] of similarities by class index of that shape
    and rankings int64 of a shape that goes with it."""
    ranked = np.take_along_axis(similarity, np.broadcast_to(ranking, similarity.shape), axis=-1)
    return softmax(ranked / settings.temperature)
