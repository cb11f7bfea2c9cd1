"""One line that tells how something goes: on a terminal always the latest, else a line whenever it changes."""

from __future__ import annotations

import sys
from types import TracebackType


class Live:
    """The line, on standard error."""

    def __init__(self) -> None:
        self._shown, self._terminal = "", sys.stderr.isatty()

    def __enter__(self) -> Live:
        return self

    def show(self, line: str) -> None:
        """Say it, where it is another than the last."""
        if line != self._shown:
            self._shown = line
            print(f"\r\x1b[K{line}" if self._terminal else line, end="" if self._terminal else "\n", file=sys.stderr)
            sys.stderr.flush()

    def note(self, line: str) -> None:
        """Say what stays, on a line of its own."""
        print(f"\r\x1b[K{line}" if self._terminal else line, file=sys.stderr)
        self._shown = ""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal and self._shown:
            print(file=sys.stderr)
