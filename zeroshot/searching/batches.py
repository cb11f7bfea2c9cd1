"""The physical batch: found by trying, and what to do where memory ends."""

from __future__ import annotations

from collections.abc import Callable

import torch

from zeroshot.errors import EnvironmentFailure
from zeroshot.models.devices import device_name, is_out_of_memory

AUTO = "auto"
GROWTH = 1.05  # a doubled batch must be this much faster to be worth its memory
# Where trying starts and ends. A CPU gains nothing from large batches, and there too large a one may get the process
# killed instead of an error.
RANGE = {"cpu": (8, 64), "cuda": (32, 1024)}


def find_batch(device: torch.device, rate: Callable[[int], float]) -> int:
    """The batch size beyond which doubling no longer pays or no longer fits.

    Args:
        device: where it is tried.
        rate: images per second at a batch size; raises where that does not fit into memory.

    Raises EnvironmentFailure where not even the smallest fits.
    """
    size, limit = RANGE["cuda" if device.type == "cuda" else "cpu"]
    found, best = 0, 0.0
    while size <= limit:
        try:
            now = rate(size)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if found or size == 1:
                break
            limit, size = size // 2, size // 2  # not even the first fits: down instead of up
            continue
        if now < GROWTH * best:
            break
        found, best, size = size, now, 2 * size
    if not found:
        raise EnvironmentFailure(f"batch_size = auto: not even one image fits into the memory of {device_name(device)}")
    return found
