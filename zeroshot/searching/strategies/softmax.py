"""Labels by softmax(similarity / T) over all of them, z ~ N(0, I)."""

from __future__ import annotations

import dataclasses

import numpy as np

from zeroshot.searching.algorithm1 import Task, similarity
from zeroshot.searching.draws import by_probability, softmax
from zeroshot.searching.strategies.base import DrawnStart, Problem
from zeroshot.strategy_settings import SoftmaxStart, StartSettings


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


def drawn_by(tasks: list[Task], start: StartSettings | None, labels: np.ndarray) -> list[Task]:
    """The tasks for Algorithm 1, their labels drawn as a start says that has probabilities for them.

    `labels` are the labels' unit vectors, float32 [classes, D].
    """
    if not isinstance(start, SoftmaxStart):
        return tasks
    return [
        dataclasses.replace(task, probability=probabilities(similarity(task.text, labels), task.ranking, start))
        for task in tasks
    ]
