"""What a generator of the user's does wrong in a search: seen on the device, and told with the address of its image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from zeroshot.errors import UserError
from zeroshot.models.generators.own import out_of_range


class Watch:
    """The smallest and the largest value of a call's images, NaN where one is NaN. It stays on the device until asked
    for, so that nothing waits."""

    def __init__(self) -> None:
        self._extremes: tuple[torch.Tensor, torch.Tensor] | None = None

    def add(self, images: torch.Tensor) -> None:
        """Take a batch into account."""
        low, high = torch.aminmax(images)
        if self._extremes:
            low, high = torch.minimum(self._extremes[0], low), torch.maximum(self._extremes[1], high)
        self._extremes = low, high

    def fault(self) -> str | None:
        """What is wrong with the images, in words; None where nothing is. Waits for the device."""
        return out_of_range(*map(float, self._extremes)) if self._extremes else None


class FaultAt(UserError):
    """A fault of a generator, at one of a call's addresses.

    Args:
        who, what: the generator, and what it did.
        row: the place of the address in the call.
        class_index: its class.
        others: how many addresses behind it may be meant as well, because the fault shows only with them.
    """

    def __init__(self, who: str, what: str, row: int, class_index: int, others: int = 0) -> None:
        self.who, self.what, self.row, self.class_index, self.others = who, what, row, class_index, others
        super().__init__(self._line(f"image {row + 1} of a call"))

    def at(self, address: str) -> UserError:
        """The same for people, who know the image by its address."""
        return UserError(self._line(address))

    def behind(self, rows: int) -> FaultAt:
        """The same where the call is a part of a longer one, with so many addresses before it."""
        return FaultAt(self.who, self.what, rows + self.row, self.class_index, self.others)

    def _line(self, address: str) -> str:
        more = f" (or one of the {self.others:,} images behind it)" if self.others else ""
        return f"{self.who} at {address}, class {self.class_index}{more} {self.what}"


@contextmanager
def addressed(address: Callable[[int], str]) -> Iterator[None]:
    """Name the image of a fault inside the block: `address` is given its place in the call."""
    try:
        yield
    except FaultAt as fault:
        raise fault.at(address(fault.row)) from None
