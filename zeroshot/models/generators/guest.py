"""Code of the user's as a guest: what it changes of the process is put back, what it raises becomes one line."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from zeroshot.errors import UserError

_ONE_AT_A_TIME = threading.RLock()  # two threads would take each other's changes for the state before


class GuestFault(UserError):
    """What a generator of the user's did wrong; the engine adds which image it was."""

    def __init__(self, who: str, what: str) -> None:
        super().__init__(f"{who} {what}")
        self.who, self.what = who, what


@contextlib.contextmanager
def guest(who: str, what: str, mend: str = "") -> Iterator[None]:
    """Run code of the user's: nothing of EVERYTHING stays changed, and nothing that it raises goes further as it is.

    Args:
        who: whose code it is.
        what: said of whatever it raises, exits and interrupts included.
        mend: what helps, said at the end.

    Raises GuestFault.
    """
    with named(who, what, mend=mend), put_back(EVERYTHING):
        yield


@contextlib.contextmanager
def named(
    who: str, what: str, ours: Callable[[BaseException], bool] = lambda error: False, mend: str = ""
) -> Iterator[None]:
    """Raise GuestFault for whatever is raised, as `guest` does; `ours` tells which errors are not its and pass."""
    try:
        yield
    except BaseException as error:
        # Where Ctrl-C raises KeyboardInterrupt it may be the user's; commands have a handler of their own.
        real = isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if isinstance(error, GuestFault) or real or ours(error):
            raise
        raise GuestFault(who, f"{what} ({_in_words(error)}){mend}") from error


def _in_words(error: BaseException) -> str:
    """An exception's kind and message on one line."""
    try:
        said = " ".join(str(error).split())
    except BaseException:  # the user's, too
        said = ""
    return f"{type(error).__name__}: {said:.200}" if said else type(error).__name__


class Setting(NamedTuple):
    """Something that a whole process shares; None is a value that cannot be told and is left alone."""

    read: Callable[[], Any]
    write: Callable[[Any], object]


@contextlib.contextmanager
def put_back(settings: Sequence[Setting]) -> Iterator[None]:
    """Leave settings, gradients and inference mode as they were. Some microseconds, for EVERYTHING some hundred."""
    with _ONE_AT_A_TIME:
        before = [setting.read() for setting in settings]
        inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        try:
            with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
                yield
        finally:
            for setting, value in zip(settings, before, strict=True):
                if value is not None and not _same(setting.read(), value):
                    setting.write(value)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return one is other or bool(one == other)


def _told(read: Callable[[], Any]) -> Any:
    """None where PyTorch does not say, because its older and newer ways of setting a precision were mixed; or for a
    working folder that is gone."""
    try:
        return read()
    except (RuntimeError, OSError):
        return None


def _attribute(owner: Any, name: str) -> Setting:
    return Setting(lambda: _told(lambda: getattr(owner, name)), lambda value: setattr(owner, name, value))


def _autocast(kind: str) -> Setting:
    def write(state: tuple[bool, torch.dtype]) -> None:
        torch.set_autocast_enabled(kind, state[0])
        torch.set_autocast_dtype(kind, state[1])

    return Setting(lambda: (torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)), write)


def _set_default_device(device: torch.device) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)  # none set is the CPU, and costs no dispatch


def _flushes_denormals() -> bool:
    return sys.float_info.min * 0.5 == 0.0  # told by this thread's own arithmetic: PyTorch has no question for it


def _backends() -> list[Setting]:
    """How PyTorch computes; float32 by its older names, and where it has them by the newer ones of each operation."""
    matmul, cudnn, mkldnn = torch.backends.cuda.matmul, torch.backends.cudnn, torch.backends.mkldnn
    names = ("allow_tf32", "allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction")
    older = [
        *(_attribute(matmul, name) for name in names),
        *(_attribute(cudnn, name) for name in ("enabled", "allow_tf32", "benchmark", "deterministic")),
        Setting(lambda: _told(torch.get_float32_matmul_precision), torch.set_float32_matmul_precision),
    ]
    operations = [getattr(owner, name, None) for owner in (cudnn, mkldnn) for name in ("matmul", "conv", "rnn")]
    owners: list[Any] = [torch.backends, matmul, cudnn, mkldnn, *operations]  # what is inherited before what inherits
    return older + [_attribute(owner, "fp32_precision") for owner in owners if hasattr(owner, "fp32_precision")]


# What decides how images and embeddings are computed: CLIP comes right behind a batch of images.
ARITHMETIC = (
    Setting(torch.get_default_dtype, torch.set_default_dtype),
    Setting(torch.get_default_device, _set_default_device),
    Setting(torch.get_num_threads, torch.set_num_threads),
    Setting(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    Setting(_flushes_denormals, torch.set_flush_denormal),
    _autocast("cpu"),
    _autocast("cuda"),
    *_backends(),
)


def _on_gpus(read: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: read() if torch.cuda.is_initialized() else None


def _set_filters(filters: list[Any]) -> None:
    warnings.resetwarnings()  # the public way of having Python forget what it made of the filters
    warnings.filters[:] = filters  # type: ignore[index]


def _set_streams(streams: tuple[Any, Any]) -> None:
    sys.stdout, sys.stderr = streams


def _set_folder(folder: str) -> None:
    with contextlib.suppress(OSError):  # where it is gone, whatever writes to it says so
        os.chdir(folder)


_SIGNALS = [getattr(signal, f"SIG{name}", None) for name in ("INT", "TERM", "HUP", "USR1", "USR2", "ALRM", "PIPE")]


def _handler(number: signal.Signals) -> Setting:
    def read() -> Any:  # None also where it is not Python's
        here = threading.current_thread() is threading.main_thread()  # no other thread can set one
        return signal.getsignal(number) if here else None

    return Setting(read, lambda handler: signal.signal(number, handler))


# What does not touch the numbers of a batch is put back at the end of a call of many batches.
EVERYTHING = (
    *ARITHMETIC,
    Setting(torch.get_rng_state, torch.set_rng_state),
    Setting(_on_gpus(torch.cuda.get_rng_state_all), torch.cuda.set_rng_state_all),
    Setting(_on_gpus(torch.cuda.current_device), torch.cuda.set_device),
    Setting(np.random.get_state, np.random.set_state),
    Setting(random.getstate, random.setstate),
    Setting(np.geterr, lambda state: np.seterr(**state)),
    Setting(lambda: list(warnings.filters), _set_filters),
    Setting(lambda: _told(os.getcwd), _set_folder),
    Setting(lambda: (sys.stdout, sys.stderr), _set_streams),
    Setting(sys.getrecursionlimit, sys.setrecursionlimit),
    *(_handler(number) for number in _SIGNALS if number is not None),
)
