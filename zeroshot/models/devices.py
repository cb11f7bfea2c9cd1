"""Where the models run."""

from __future__ import annotations

import os
import platform

import torch

from zeroshot.errors import UserError
from zeroshot.limits import check_device_name

# PyTorch's allocator for the CPU raises a plain RuntimeError.
_MESSAGES = ("can't allocate memory", "DefaultCPUAllocator", "not enough memory", "std::bad_alloc", "ALLOC_FAILED")


def choose_device(name: str = "auto") -> torch.device:
    """auto: CUDA where there is one, else the CPU. Raises UserError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    check_device_name(name)
    if name.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = name.partition(":")[2] or "0"
        if int(index) >= count:
            raise UserError(
                f"device = {name}, but this machine has {count} CUDA devices: give device=cpu or device=auto"
            )
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """What the best batch size depends on: the GPU's name, or the CPU's kind, cores and threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ended, on a GPU or on the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES)
