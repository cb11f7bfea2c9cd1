"""What every entry point shares: exit codes, signals, one line instead of a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from zeroshot.errors import EnvironmentFailure, Interrupted, UserError

USER_ERROR, ENVIRONMENT_FAILURE = 2, 3


class StopRequest:
    """SIGINT or SIGTERM: the first lets the block in hand finish, the second exits at once."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """True once a signal has come."""
        return self.signal is not None

    def listen(self) -> None:
        """Install the handlers."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            os._exit(128 + number)
        self.signal = number
        print("\nfinishing the block in hand; once more to stop at once", file=sys.stderr)


def guarded(work: Callable[[StopRequest], None]) -> None:
    """Run `work` and leave with the contract's exit code: 0, 2 (user), 3 (surroundings), 130 or 143 (signals)."""
    stop = StopRequest()
    stop.listen()
    try:
        work(stop)
    except UserError as error:
        _leave(f"error: {error}", USER_ERROR)
    except EnvironmentFailure as error:
        _leave(f"error: {error}", ENVIRONMENT_FAILURE)
    except Interrupted as error:
        _leave(f"stopped; the same command goes on where {error} left off", 128 + (stop.signal or signal.SIGINT))


def help_if_asked(text: str) -> None:
    """For entry points without Hydra or argparse: print what they say of themselves and leave, where -h or --help is
    among the arguments."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(text.strip())
        sys.exit(0)


def _leave(message: str, code: int) -> None:
    # Hydra turns exceptions into tracebacks, but lets SystemExit pass.
    print(" ".join(message.split()), file=sys.stderr)
    sys.exit(code)
