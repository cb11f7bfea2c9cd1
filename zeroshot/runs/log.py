"""run.log: what happened in a run's folder and when, for whoever looks at it later or on another machine."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from zeroshot.errors import Interrupted

FORMAT = "%(asctime)s %(levelname)s %(message)s"


class _Appender(logging.FileHandler):
    """Appends to a file that appears with its first line; a log that cannot be written does not stop a run."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say nothing."""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


@contextlib.contextmanager
def run_log(folder: Path) -> Iterator[logging.Logger]:
    """Append to <folder>/run.log: the steps given to the logger that this yields, and this package's warnings.

    Steps go to the file only; warnings also go where they would without it. How the run ended is its last line. Where
    nothing was logged, nothing is written.
    """
    appender = _Appender(folder / "run.log", encoding="utf-8", delay=True)
    appender.setFormatter(logging.Formatter(FORMAT))
    steps = logging.Logger("zeroshot.steps", logging.INFO)  # of its own: no other logger and no level is changed
    appender.addFilter(lambda record: record.name == steps.name or record.levelno >= logging.WARNING)
    steps.addHandler(appender)
    package = logging.getLogger("zeroshot")
    package.addHandler(appender)
    try:
        yield steps
    except BaseException as error:
        if appender.stream is not None:
            if isinstance(error, Interrupted | KeyboardInterrupt):
                steps.info("stopped; the next run of the same settings goes on from here")
            else:
                steps.error("failed: %s: %s", type(error).__name__, " ".join(str(error).split()))
        raise
    finally:
        package.removeHandler(appender)
        appender.close()
