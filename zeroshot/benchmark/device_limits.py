"""What a device can do: its matrix peak and memory bandwidth, measured, and what is published of it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from zeroshot.benchmark.timing import seconds_of

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# Dense matrix peak in TFLOP/s (bf16 and fp16 alike) and memory bandwidth in GB/s, from NVIDIA's data sheets. Where a
# name occurs in several forms, the longer one stands first.
PUBLISHED: dict[str, dict[str, float]] = {
    "H200": {"fp32": 67, "tf32": 494, "bf16": 989, "bandwidth": 4800},
    "H100 NVL": {"fp32": 60, "tf32": 418, "bf16": 835, "bandwidth": 3900},
    "H100 PCIe": {"fp32": 51, "tf32": 378, "bf16": 756, "bandwidth": 2000},
    "H100": {"fp32": 67, "tf32": 494, "bf16": 989, "bandwidth": 3350},
    "A100-SXM4-80GB": {"fp32": 19.5, "tf32": 156, "bf16": 312, "bandwidth": 2039},
    "A100 80GB": {"fp32": 19.5, "tf32": 156, "bf16": 312, "bandwidth": 1935},
    "A100": {"fp32": 19.5, "tf32": 156, "bf16": 312, "bandwidth": 1555},
    "V100": {"fp32": 15.7, "bandwidth": 900},
    "L40S": {"fp32": 91.6, "tf32": 183, "bf16": 362, "bandwidth": 864},
    "L4": {"fp32": 30.3, "tf32": 60, "bf16": 121, "bandwidth": 300},
    "T4": {"fp32": 8.1, "bandwidth": 320},
    "RTX 4090": {"fp32": 82.6, "tf32": 82.6, "bf16": 165.2, "bandwidth": 1008},
    "RTX 3090": {"fp32": 35.6, "tf32": 35.6, "bf16": 71, "bandwidth": 936},
}


def published(device: torch.device, precision: str) -> dict[str, float] | None:
    """Published matrix peak (FLOP/s, None for a precision not listed) and bandwidth (bytes/s); None for a device that
    is not in the table."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_properties(device).name
    numbers = next((numbers for part, numbers in PUBLISHED.items() if part in name), None)
    if numbers is None:
        return None
    peak = numbers.get("bf16" if precision == "fp16" else precision)
    found = {"bandwidth": numbers["bandwidth"] * 1e9}
    return found | ({"peak": peak * 1e12} if peak else {})


@torch.inference_mode()
def matrix_peak(device: torch.device, precision: str, side: int, repetitions: int) -> list[float]:
    """FLOP/s of a product of two square matrices of that side in that precision, after a first."""
    generator = torch.Generator(device).manual_seed(0)
    left, right = (torch.randn(side, side, generator=generator, device=device).to(DTYPES[precision]) for _ in range(2))
    out = torch.empty_like(left)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        return _rates(lambda: torch.mm(left, right, out=out), 2.0 * side**3, device, repetitions)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


@torch.inference_mode()
def bandwidth(device: torch.device, megabytes: int, repetitions: int) -> list[float]:
    """Bytes/s read and written by a copy of that size, after a first."""
    source = torch.ones(megabytes * 2**20 // 4, device=device)
    target = torch.empty_like(source)
    return _rates(lambda: target.copy_(source), 2.0 * source.numel() * 4, device, repetitions)


def _rates(work: Callable[[], object], amount: float, device: torch.device, repetitions: int) -> list[float]:
    seconds_of(work, device)
    return [amount / seconds_of(work, device) for _ in range(repetitions)]


class Traffic(TorchDispatchMode):
    """Counts the bytes that operators read and write, each by itself: what moves where nothing is fused or cached."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        written = [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
        read = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        there = {t.untyped_storage().data_ptr() for t in read}
        moves = func._schema.is_mutable or not all(t.untyped_storage().data_ptr() in there for t in written)
        if moves and not func.is_view:
            self.bytes += sum(t.numel() * t.element_size() for t in (*read, *written))
        return result


@torch.inference_mode()
def counted(work: Callable[[], object]) -> tuple[int, int]:
    """FLOPs of the matrix products and convolutions of one call (2 x multiply-add), and bytes moved unfused."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # in one piece, attention hides its matrix products from the counter
    try:
        with FlopCounterMode(display=False) as flops:
            work()
        with Traffic() as traffic:
            work()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return int(flops.get_total_flops()), traffic.bytes
