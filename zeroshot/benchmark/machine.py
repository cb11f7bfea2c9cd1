"""The machine that a measurement belongs to: no time means anything without it."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

import torch


def machine(device: torch.device) -> dict[str, Any]:
    """Processor, cores, threads, memory and torch's version; on a GPU its name, memory and driver."""
    found: dict[str, Any] = {
        "processor": processor(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(memory_bytes() / 1e9, 1),
        "load_average": round(os.getloadavg()[0], 2),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": str(device),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found["gpu"] = properties.name
        found["gpu_memory_gb"] = round(properties.total_memory / 1e9, 1)
        found["gpu_driver"] = gpu_driver()
        found["cuda"] = torch.version.cuda
    return found


def in_words(machine: dict[str, Any]) -> str:
    """One line for people."""
    words = f"{machine['processor']}, {machine['cores']} cores (torch uses {machine['threads']})"
    if "gpu" in machine:
        words = f"{machine['gpu']} (driver {machine['gpu_driver']}, CUDA {machine['cuda']}); {words}"
    return f"{words}, torch {machine['torch']}"


def processor() -> str:
    """The processor's model: Linux tells it in /proc/cpuinfo, other systems through Python."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    match = re.search(r"^(?:model name|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    """The machine's main memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def gpu_driver() -> str:
    """Version of NVIDIA's driver, as its kernel module tells it."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    match = re.search(r"\b(\d+\.\d+(?:\.\d+)?)\b", text)
    return match[1] if match else "unknown"
