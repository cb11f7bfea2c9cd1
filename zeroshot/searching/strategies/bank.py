"""The images of a stored bank, those first whose CLIP vector is nearest to the text."""

from __future__ import annotations

from zeroshot.searching.strategies.base import Candidates, Problem, Strategy


class Bank(Strategy):
    """Goes down the list that `Problem.bank` holds."""

    def __init__(self, problem: Problem) -> None:
        assert problem.bank is not None
        self.bank, self.taken = problem.bank, 0

    def ask(self, most: int) -> Candidates:
        found = self.bank[self.taken : self.taken + most]
        self.taken += len(found)
        return found
