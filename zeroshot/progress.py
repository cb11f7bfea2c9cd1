"""What is being done, for whoever waits at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Show `<what> …` while the block runs, where standard error is a terminal; nothing stays behind."""
    with tqdm(total=0, desc=f"{what} …", bar_format="{desc}", leave=False, disable=None):
        yield
