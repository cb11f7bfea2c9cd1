"""What every entry point shares: exit codes, signals, one line instead of a traceback."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from experiments.console import telling
from zeroshot.errors import EnvironmentFailure, Interrupted, UserError, one_line

HYDRA_REFUSES, USER_ERROR, ENVIRONMENT_FAILURE = 1, 2, 3
SCHEDULERS = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name))
FULL = "HYDRA_FULL_ERROR"  # 1: tracebacks, of our own refusals too
SIGNALS = (signal.SIGINT, signal.SIGTERM, *SCHEDULERS)


class JobFailed(Exception):
    """A sweep's job ended with an error: its line and its exit code. The other jobs go on."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message, code)
        self.message, self.code = message, code


class Refused(Exception):
    """Hydra refuses a group, a key or a value (exit code 1): its message, in a few lines."""


class StopRequest:
    """A signal that asks to stop: the first lets the block in hand finish, the second exits at once.

    SIGUSR1 and SIGUSR2 are what schedulers send ahead of a time limit. A SIGTERM that was ignored when the process
    began stays ignored: a Slurm job that exits at it is over, where Slurm meant to queue it again.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        """True once a signal has come."""
        return self.signal is not None

    def listen(self) -> None:
        """Install the handlers."""
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in self._before.items():
            if (number, handler) != (signal.SIGTERM, signal.SIG_IGN):
                signal.signal(number, self._note)

    def restore(self) -> None:
        """Put back the handlers that were there before, for whatever comes after the work."""
        for number, handler in self._before.items():
            if handler is not None:  # one that is not Python's cannot be put back
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            os._exit(128 + number)
        self.signal = number
        with contextlib.suppress(OSError):  # not by print: the signal may have come in the middle of another
            os.write(2, b"\nfinishing the block in hand; once more to stop at once\n")


def guarded(work: Callable[[StopRequest], None], in_sweep: bool = False) -> None:
    """Run `work` and leave with the contract's exit code: 0, 1 (Hydra refuses), 2 (user), 3 (surroundings), 130 or 143
    (signals).

    In a sweep an error raises JobFailed, so that the sweep's other jobs are not lost; a signal still ends it.
    """
    stop = StopRequest()
    stop.listen()
    try:
        work(stop)
        if stop.signal:  # it came when the last block was done: whoever sent it still means what calls this to stop
            leave("stopped, but everything was finished", 128 + stop.signal)
    except Refused as refused:
        _fail(str(refused), HYDRA_REFUSES, in_sweep)
    except UserError as error:
        _fail(f"error: {error}", USER_ERROR, in_sweep)
    except EnvironmentFailure as error:
        _fail(f"error: {error}", ENVIRONMENT_FAILURE, in_sweep)
    except OSError as error:
        if shows_all():
            raise
        _fail(f"error: {told(error)}", ENVIRONMENT_FAILURE, in_sweep)
    except Interrupted as error:
        leave(f"stopped; the same command goes on where {error} left off", 128 + (stop.signal or signal.SIGINT))
    finally:
        stop.restore()


def run_as_command(main: Callable[[], None], text: str | None = None) -> None:
    """What `python -m experiments.…` does: `main`, on streams that cannot fail it, or the text where help is asked."""
    with telling():
        if text is not None:
            help_if_asked(text)
        main()


def help_if_asked(text: str) -> None:
    """For entry points without Hydra or argparse: print what they say of themselves and leave, where -h or --help is
    among the arguments."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(text.strip())
        sys.exit(0)


def told(error: OSError) -> str:
    """In one line what the system refused, and of what."""
    name = "" if error.filename is None else f": {error.filename}"
    return one_line(f"{error.strerror or error}{name}")


def shows_all() -> bool:
    """Whether tracebacks are asked for, of refusals too."""
    return os.environ.get(FULL) == "1"


def leave(message: str, code: int) -> NoReturn:
    """Say why on standard error, each line of the message as `one_line` makes it, and exit."""
    # Hydra turns exceptions into tracebacks, but lets SystemExit pass.
    print("\n".join(map(one_line, message.splitlines())), file=sys.stderr)
    sys.exit(code)


def _fail(message: str, code: int, in_sweep: bool) -> None:
    if in_sweep:
        raise JobFailed(one_line(message), code) from None
    leave(message, code)


@contextmanager
def signals() -> Iterator[list[int]]:
    """The signals that come while the block runs, in their order."""
    received: list[int] = []
    before = {number: signal.signal(number, lambda n, _: received.append(n)) for number in SIGNALS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
