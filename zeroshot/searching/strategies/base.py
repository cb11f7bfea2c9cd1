"""What a search strategy is: it asks for images by z and class, and is told their scores."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from zeroshot.searching.draws import Draws


@dataclass(frozen=True)
class Candidates:
    """Images that a strategy wants evaluated.

    `z` is standard normal under the prior, float64 [n, z_dim], whatever the generator's own latent is: that one is made
    of Φ(z) as of the uniforms of an address. `class_index` is int64 [n]; `class_weights`, float64 [n, classes], are
    given instead of it for mixtures of classes.
    """

    z: np.ndarray
    class_index: np.ndarray
    class_weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, rows: slice | np.ndarray) -> Candidates:
        weights = None if self.class_weights is None else self.class_weights[rows]
        return Candidates(self.z[rows], self.class_index[rows], weights)


@dataclass(frozen=True)
class Gradients:
    """Of the scores: `z` float64 [n, z_dim]; `class_weights` float64 [n, classes] where candidates are mixtures."""

    z: np.ndarray
    class_weights: np.ndarray | None = None

    def __getitem__(self, rows: slice) -> Gradients:
        return Gradients(self.z[rows], None if self.class_weights is None else self.class_weights[rows])


@dataclass(frozen=True)
class Evaluated:
    """Candidates with their scores, float64 [n]."""

    candidates: Candidates
    score: np.ndarray

    def best(self, n: int) -> np.ndarray:
        """Rows of the n best, best first; of equal ones the earlier."""
        return np.argsort(-self.score, kind="stable")[:n]


@dataclass(frozen=True)
class Proposal:
    """What a network says of a text: label probabilities float64 [classes], mean and sd of z float64 [z_dim]."""

    label: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


@dataclass(frozen=True)
class Problem:
    """One search, as a strategy sees it."""

    top: np.ndarray  # class indices of the top k labels, most similar first, int64 [k]
    ranking: np.ndarray  # of all labels, int64 [classes]
    similarity: np.ndarray  # of each label to the text, by class index, float64 [classes]
    z_dim: int
    budget: int  # evaluations that this search may pay in all
    draws: Callable[[int, int], Draws]  # uniforms of draws b_start … b_stop - 1, by address
    rng: np.random.Generator  # this search's own
    proposal: Proposal | None = None  # start = amortised
    bank: Candidates | None = None  # start = bank: its images, nearest to the text first


class Strategy(abc.ABC):
    """Asks and is told, in turns. Whatever is random in it comes from `Problem.draws` and `Problem.rng`."""

    gradients = False  # whether each of its evaluations is a gradient step
    copies = 0  # augmented copies in each of them

    @abc.abstractmethod
    def ask(self, most: int) -> Candidates:
        """1 to `most` candidates."""

    def tell(self, evaluated: Evaluated, gradients: Gradients | None = None) -> None:  # noqa: B027
        """The scores of what was asked for last, in its order, with gradients where the strategy wants them."""


class DrawnStart(Strategy):
    """A start whose n-th candidate is made of the uniforms of the n-th draw."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.drawn = problem, 0

    def ask(self, most: int) -> Candidates:
        """The next draws."""
        draws = self.problem.draws(self.drawn + 1, self.drawn + most + 1)
        self.drawn += most
        return Candidates(ndtri(draws.latent), self.classes(draws.label))

    @abc.abstractmethod
    def classes(self, uniform: np.ndarray) -> np.ndarray:
        """Class indices int64 [n] of uniforms float64 [n]."""
