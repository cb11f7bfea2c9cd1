"""A shard of a run: the part of its blocks that one of several processes computes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from zeroshot.errors import UserError


@dataclass(frozen=True)
class Shard:
    """The `index`-th of `count` parts, counted from 1. Part of no run's identity: it says who computes, not what."""

    index: int
    count: int

    @staticmethod
    def parse(text: str) -> Shard:
        """Read "2/8". Raises UserError with what was given and what is allowed."""
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        if found is None:
            raise UserError(f"shard = {text!r}, but allowed is i/n, such as 2/8 for the second of eight")
        index, count = int(found[1]), int(found[2])
        if not 1 <= index <= count:
            raise UserError(
                f"shard = {text}, but shards are counted from 1: give 1/{count or 1} to {count or 1}/{count or 1}"
            )
        return Shard(index, count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def takes(self, block: int) -> bool:
        """Whether the block of this number, counted from 0, is its own: block modulo count."""
        return block % self.count == self.index - 1


WHOLE = Shard(1, 1)
