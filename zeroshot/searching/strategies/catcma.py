"""CatCMA on z and the label (Hamano et al. 2024), or CMA-ES on z alone (Hansen 2016); both of PyPI's cmaes."""

from __future__ import annotations

import cmaes
import numpy as np

from zeroshot.searching.strategies.base import Candidates, Evaluated, Problem, Strategy
from zeroshot.strategy_settings import CatCMARefinement


class CatCMA(Strategy):
    """Starts at the best z so far; labels that scored well in the start begin with a larger probability."""

    def __init__(self, problem: Problem, settings: CatCMARefinement, found: Evaluated) -> None:
        best = found.best(1)[0]
        mean, seed = found.candidates.z[best], int(problem.rng.integers(2**31))
        self.size = settings.population
        own = int(found.candidates.class_index[best])
        others = [int(label) for label in problem.ranking[: settings.labels] if label != own]
        self.labels = np.array([own, *others[: settings.labels - 1]])
        self.rounds: list[tuple[np.ndarray, np.ndarray | None]] = []
        if len(self.labels) == 1:
            self.search = cmaes.CMA(mean, settings.sigma, population_size=self.size, seed=seed)
            return
        chance = np.full((1, len(self.labels)), 0.5 / (len(self.labels) - 1))
        chance[0, 0] = 0.5  # of the best one's label
        self.search = cmaes.CatCMA(
            mean, settings.sigma, np.array([len(self.labels)]), population_size=self.size, seed=seed, cat_param=chance
        )

    def ask(self, most: int) -> Candidates:
        asked = [self.search.ask() for _ in range(min(most, self.size))]
        if isinstance(self.search, cmaes.CMA):
            self.asked = [(x, None) for x in asked]
            class_index = np.repeat(self.labels, len(asked))
        else:
            self.asked = asked
            class_index = np.array([self.labels[label[0].argmax()] for _, label in asked])
        return Candidates(np.stack([x for x, _ in self.asked]), class_index)

    def tell(self, evaluated: Evaluated, gradients: object = None) -> None:
        if len(evaluated.score) < self.size:  # the budget's last ones, no whole generation
            return
        losses = (-evaluated.score).tolist()
        if isinstance(self.search, cmaes.CMA):
            self.search.tell([(x, loss) for (x, _), loss in zip(self.asked, losses, strict=True)])
        else:
            self.search.tell(list(zip(self.asked, losses, strict=True)))
