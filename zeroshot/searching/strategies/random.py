"""Algorithm 1's own draws: a label uniformly from the top k, z ~ N(0, I)."""

from __future__ import annotations

import numpy as np

from zeroshot.searching.draws import choose_rank
from zeroshot.searching.strategies.base import DrawnStart


class Random(DrawnStart):
    """The very z and labels that Algorithm 1 draws first."""

    def classes(self, uniform: np.ndarray) -> np.ndarray:
        top = self.problem.top
        return top[choose_rank(uniform, len(top))]
