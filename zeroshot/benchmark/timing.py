"""Timing in turn: A B A B …, so that whatever slows the machine down meets all that is compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from zeroshot.errors import Interrupted

StopAsked = Callable[[], bool]


def never() -> bool:
    """The answer of whoever cannot be asked to stop."""
    return False


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given; a CPU has already."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, with the device idle before and after."""
    synchronise(device)
    started = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - started


def interleaved(
    works: Mapping[str, Callable[[], object]],
    repetitions: int,
    device: torch.device,
    title: str,
    should_stop: StopAsked = never,
    warm: bool = True,
) -> dict[str, list[float]]:
    """Seconds of each work in each repetition; a first round that is not counted warms up.

    Raises Interrupted between two works where `should_stop` says so.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    rounds = repetitions + warm
    with tqdm(total=rounds * len(works), desc=title, unit="run", disable=None, leave=False) as bar:
        for turn in range(rounds):
            for name, work in works.items():
                if should_stop():
                    raise Interrupted(title)
                taken = seconds_of(work, device)
                if turn >= warm:
                    seconds[name].append(taken)
                bar.update()
    return seconds


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, least and greatest, and the values themselves in the order in which they were measured."""
    return {
        "median": float(np.median(values)),
        "min": float(np.min(values)),
        "max": float(np.max(values)),
        "values": [float(value) for value in values],
    }


def ratios(above: Sequence[float], below: Sequence[float]) -> dict[str, Any]:
    """Spread of the quotients of neighbouring measurements: the i-th of one by the i-th of the other."""
    return spread([a / b for a, b in zip(above, below, strict=True)])
