"""Number types of the models, and whether this machine can compute with them."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from zeroshot.errors import UserError

# Weights and activations take the type, instead of autocast: element-wise work, which bounds BigGAN at true size, then
# moves half the bytes too. Images, embeddings and scores leave the models in float32 and float64 whatever it is.
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def check_device(precision: str, compiled: bool, device: torch.device) -> None:
    """Refuse what a device cannot do. Raises UserError."""
    if precision not in DTYPES:
        raise UserError(f"precision = {precision!r}, but allowed is {', '.join(DTYPES)}")
    if precision in ("tf32", "fp16") and device.type != "cuda":
        raise UserError(
            f"precision = {precision}, but {device.type} has no {precision}: give fp32 or bf16, or device=cuda"
        )
    if precision in ("tf32", "bf16") and device.type == "cuda" and torch.cuda.get_device_capability(device)[0] < 8:
        name = torch.cuda.get_device_name(device)
        raise UserError(f"precision = {precision}, but {name} is older than Ampere and has none: give fp32 or fp16")
    if compiled and device.type == "cpu":
        header = Path(sysconfig.get_paths()["include"]) / "Python.h"
        missing = [
            what
            for what, there in (("a C++ compiler (g++)", shutil.which("g++")), (f"{header}", header.exists()))
            if not there
        ]
        if missing:
            raise UserError(
                f"compile = true, but torch.compile needs {' and '.join(missing)}: install it, or give compile=false"
            )


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """fp32 means IEEE single precision on CUDA too, where PyTorch's own default rounds convolutions' inputs to TF32."""
    wanted = precision == "tf32"
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = wanted
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
