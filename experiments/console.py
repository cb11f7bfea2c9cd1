"""Output that never fails the work: what a console lacks becomes `?`, and one that went away is left alone."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Telling(io.TextIOBase):
    """A standard stream from which no error comes.

    Characters outside its encoding are written as `?`. Once it refuses (a closed pipe, a full device) what follows is
    dropped; `refused` says why, and stays None where a reader only had enough.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._gone = stream, False
        self.refused: str | None = None
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's own."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Whether somebody watches."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write, or drop what cannot be written."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, or drop what cannot be written."""
        self._try(self._stream.flush)

    def _try(self, work: Callable[[], object]) -> None:
        if self._gone:
            return
        try:
            work()
        except (OSError, ValueError) as error:
            self._gone = True
            self.refused = None if isinstance(error, BrokenPipeError) else str(error)
            with suppress(OSError, ValueError):  # what Python still holds for it goes nowhere when the process ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


@contextmanager
def telling() -> Iterator[None]:
    """Standard output and error are Telling while the block runs; a refusal of the first is said on the second.

    A standard input that was closed is an empty one.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # a standard stream that was closed: no file of the work may take its number
    os.close(descriptor)
    before = sys.stdin, sys.stdout, sys.stderr
    output, errors = (Telling(stream or open(os.devnull, "w", encoding="utf-8")) for stream in before[1:])  # noqa: SIM115
    sys.stdin, sys.stdout, sys.stderr = before[0] or io.TextIOWrapper(io.BytesIO()), output, errors
    try:
        yield
    finally:
        output.flush()
        if output.refused:
            errors.write(f"the report could not be written ({output.refused}); what was computed is kept\n")
        errors.flush()
        sys.stdin, sys.stdout, sys.stderr = before
