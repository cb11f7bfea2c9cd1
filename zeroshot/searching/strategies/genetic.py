"""Genetic algorithm on z and label, as CLIP-GLaSS searches (Galatolo, Cimino and Vaglini 2021)."""

from __future__ import annotations

import numpy as np

from zeroshot.searching.strategies.base import Candidates, Evaluated, Problem, Strategy
from zeroshot.strategy_settings import GeneticRefinement


class Genetic(Strategy):
    """Parents by binary tournament, each entry of z and the label from either of two, then mutation; the best of
    parents and children are the next parents."""

    def __init__(self, problem: Problem, settings: GeneticRefinement, found: Evaluated) -> None:
        self.problem, self.settings = problem, settings
        self.z, self.label, self.score = found.candidates.z, found.candidates.class_index, found.score
        self._select(found.best(settings.population))

    def _select(self, rows: np.ndarray) -> None:
        self.z, self.label, self.score = self.z[rows], self.label[rows], self.score[rows]

    def _parents(self, n: int) -> np.ndarray:
        """Rows of n winners of a tournament of two; the population is sorted, best first."""
        return self.problem.rng.integers(len(self.score), size=(n, 2)).min(axis=1)

    def ask(self, most: int) -> Candidates:
        rng, n = self.problem.rng, min(most, self.settings.population)
        mother, father = self._parents(n), self._parents(n)
        z = np.where(rng.random((n, self.problem.z_dim)) < 0.5, self.z[mother], self.z[father])
        kept = np.sqrt(1 - self.settings.mutation**2)
        z = kept * z + self.settings.mutation * rng.standard_normal(z.shape)
        label = np.where(rng.random(n) < 0.5, self.label[mother], self.label[father])
        fresh = self.problem.top[rng.integers(len(self.problem.top), size=n)]
        return Candidates(z, np.where(rng.random(n) < self.settings.label_mutation, fresh, label))

    def tell(self, evaluated: Evaluated, gradients: object = None) -> None:
        self.z = np.concatenate([self.z, evaluated.candidates.z])
        self.label = np.concatenate([self.label, evaluated.candidates.class_index])
        self.score = np.concatenate([self.score, evaluated.score])
        self._select(np.argsort(-self.score, kind="stable")[: self.settings.population])
