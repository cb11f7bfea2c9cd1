"""Code of the user's: whatever it changes of the process is as before, whatever it raises is one line that names it."""

from __future__ import annotations

import io
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zeroshot.models.generators.guest import ARITHMETIC, EVERYTHING, GuestFault, guest, put_back

KEPT: list[Any] = []  # what a generator would keep in itself


def enter(context: Any) -> None:
    """Enter a context and never leave it."""
    KEPT.append(context)
    context.__enter__()


def precision(owner: Any, value: str) -> None:
    """PyTorch's newer way of saying how float32 is computed."""
    if not hasattr(owner, "fp32_precision"):
        pytest.skip("this PyTorch has the older way only")
    owner.fp32_precision = value


COMPUTING: dict[str, Callable[[], object]] = {
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "default device": lambda: torch.set_default_device("meta"),
    "threads": lambda: torch.set_num_threads(torch.get_num_threads() + 2),
    "gradients": lambda: torch.set_grad_enabled(False),
    "inference mode": lambda: enter(torch.inference_mode()),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "autocast": lambda: enter(torch.autocast("cpu", torch.bfloat16)),
    "autocast's type": lambda: torch.set_autocast_dtype("cpu", torch.float16),
    "matmul precision": lambda: torch.set_float32_matmul_precision("medium"),
    "TF32 of matmul": lambda: setattr(torch.backends.cuda.matmul, "allow_tf32", True),
    "TF32 of convolutions": lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
    "all precisions": lambda: precision(torch.backends, "tf32"),
    "precision of matmul": lambda: precision(torch.backends.cuda.matmul, "tf32"),
    "precision of convolutions": lambda: precision(getattr(torch.backends.cudnn, "conv", None), "ieee"),
    "precision of oneDNN": lambda: precision(torch.backends.mkldnn, "bf16"),
    "cuDNN's choice": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "cuDNN's determinism": lambda: setattr(torch.backends.cudnn, "deterministic", True),
    "denormals": lambda: torch.set_flush_denormal(True),
}
SHARED: dict[str, Callable[[], object]] = {
    "PyTorch's seed": lambda: torch.manual_seed(1),
    "PyTorch's random numbers": lambda: torch.rand(3),
    "NumPy's seed": lambda: np.random.seed(1),
    "NumPy's random numbers": lambda: np.random.rand(3),
    "Python's seed": lambda: random.seed(1),
    "NumPy's errors": lambda: np.seterr(all="raise"),
    "warnings": lambda: warnings.simplefilter("error"),
    "warnings' list": lambda: setattr(warnings, "filters", []),
    "folder": lambda: os.chdir("/"),
    "standard output": lambda: setattr(sys, "stdout", io.StringIO()),
    "recursion": lambda: sys.setrecursionlimit(7000),
    "Ctrl-C": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    "termination": lambda: signal.signal(signal.SIGTERM, lambda number, frame: None),
}


def process() -> dict[str, Any]:
    """What all code of a process shares, told without the code that is tested; it draws random numbers."""
    precisions = [
        getattr(owner, "fp32_precision", None)
        for owner in (
            *(torch.backends, torch.backends.cuda.matmul, torch.backends.cudnn, torch.backends.mkldnn),
            *(getattr(torch.backends.cudnn, name, None) for name in ("conv", "rnn")),
            *(getattr(torch.backends.mkldnn, name, None) for name in ("conv", "matmul", "rnn")),
        )
    ]
    return {
        "dtype": torch.tensor(1.0).dtype,
        "device": torch.empty(0).device,
        "threads": torch.get_num_threads(),
        "mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        "matmul": (torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32),
        "cudnn": [getattr(torch.backends.cudnn, key) for key in ("allow_tf32", "benchmark", "deterministic")],
        "precisions": precisions,
        "denormal": float(torch.tensor(1e-310, dtype=torch.float64, device="cpu") * 1),
        "numpy's errors": np.geterr(),
        "filters": list(warnings.filters),
        "folder": Path.cwd(),
        "streams": (sys.stdout, sys.stderr),
        "recursion": sys.getrecursionlimit(),
        "signals": (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)),
    }


def random_numbers() -> tuple[float, float, float]:
    return float(torch.rand((), device="cpu")), float(np.random.rand()), random.random()


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Whatever a test that fails leaves, the next ones start as this one did."""
    with put_back(EVERYTHING):
        yield


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("change", COMPUTING | SHARED)
def test_what_code_of_the_users_changes_is_as_before(change: str, raises: bool) -> None:
    before = process()
    with put_back(EVERYTHING):
        expected = random_numbers()
    try:
        with guest("generator 'mine'", "failed"):
            (COMPUTING | SHARED)[change]()
            if raises:
                raise ValueError("no")
    except GuestFault:
        assert raises
    assert process() == before and random_numbers() == expected
    KEPT.clear()
    assert process() == before  # nor does what the generator lets go later change anything


@pytest.mark.parametrize("change", COMPUTING)
def test_between_an_image_and_its_embedding_what_computes_is_as_before(change: str) -> None:
    before = process()
    with put_back(ARITHMETIC):
        COMPUTING[change]()
    assert process() == before
    KEPT.clear()


def test_what_was_set_before_stays_set() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with torch.inference_mode(), guest("generator 'mine'", "failed"):
        torch.set_default_dtype(torch.float32)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert torch.is_inference_mode_enabled()
    assert torch.get_default_dtype() == torch.float64 and not torch.is_grad_enabled()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def overflow() -> None:
    overflow()


def leave(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (leave(ValueError("a\nb\n  c")), r"\(ValueError: a b c\)"),
        (leave(ValueError()), r"\(ValueError\)"),
        (leave(Silent()), r"\(Silent\)"),
        (leave(ValueError("x" * 10_000)), r"\(ValueError: x{79}…\)"),
        (lambda: sys.exit(0), r"\(SystemExit: 0\)"),
        (lambda: sys.exit(), r"\(SystemExit\)"),
        (leave(StopIteration(1)), r"\(StopIteration: 1\)"),
        (leave(GeneratorExit()), r"\(GeneratorExit\)"),
        (leave(MemoryError()), r"\(MemoryError\)"),
        (leave(UserWarning("old")), r"\(UserWarning: old\)"),
        (overflow, r"\(RecursionError: maximum recursion depth exceeded.*\)"),
    ],
)
def test_whatever_it_raises_is_one_line_that_names_it(work: Callable[[], None], told: str) -> None:
    with (
        pytest.raises(GuestFault, match=rf"^generator 'mine' failed {told}: mend it$") as fault,
        guest("generator 'mine'", "failed", mend=": mend it"),
    ):
        work()
    assert "\n" not in str(fault.value) and len(str(fault.value)) < 300


def test_an_interrupt_of_its_own_is_its_fault_and_the_users_still_stops() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt), guest("generator 'mine'", "failed"):
        signal.raise_signal(signal.SIGINT)  # Ctrl-C in a notebook
    asked = []
    signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))  # as all commands do
    with guest("generator 'mine'", "failed"):
        signal.raise_signal(signal.SIGINT)
    assert asked == [signal.SIGINT]
    with pytest.raises(GuestFault, match="KeyboardInterrupt"), guest("generator 'mine'", "failed"):
        raise KeyboardInterrupt
