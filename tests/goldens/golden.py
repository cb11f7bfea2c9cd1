"""What a peer's own code gave for the formula's weights: written by `tests.goldens.make`, read by the tests."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
DIGITS = 8  # significant ones: float32 has 7


def read(name: str) -> dict[str, Any]:
    """A peer's cases: name -> numbers."""
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))["cases"]


def write(name: str, content: dict[str, Any]) -> Path:
    """Write a golden, each row of numbers on a line."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path = HERE / f"{name}.json"
    path.write_text(re.sub(r"\[[\s\d.,e+-]+\]", lambda row: " ".join(row[0].split()), text) + "\n", encoding="utf-8")
    return path


def sources(folder: Path) -> dict[str, str]:
    """sha256 of each file below a folder that this process has imported, by its path there."""
    files = {
        Path(file).resolve() for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))
    }
    own = sorted(file for file in files if file.is_relative_to(folder))
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in own}


def numbers(values: torch.Tensor) -> Any:
    """A tensor as lists of numbers for JSON."""
    if values.ndim:
        return [numbers(row) for row in values]
    digits = DIGITS if values.dtype == torch.float32 else 2 * DIGITS
    return float(f"{float(values):.{digits}g}")


def pixels(images: torch.Tensor) -> dict[str, Any]:
    """Of images [N, 3, S, S]: 8 x 8 of their pixels, a row for each channel, and what all pixels decide."""
    step = images.shape[-1] // 8
    grid = images[:, :, step // 2 :: step, step // 2 :: step].flatten(0, 1).flatten(1)  # [3 N, 64]
    return {"grid": numbers(grid), "mean": numbers(images.mean()), "std": numbers(images.std())}


def features(rows: torch.Tensor) -> dict[str, Any]:
    """Of features [1, 2048]: every 64th, and what all of them decide."""
    return {"some": numbers(rows[0, ::64]), "mean": numbers(rows.mean()), "std": numbers(rows.std())}


def assert_pixels(images: torch.Tensor, golden: dict[str, Any], atol: float) -> None:
    """Raise AssertionError where images are not the golden's. Pixels lie in [-1, 1], so `atol` is a part of 1."""
    ours = pixels(images)
    for part, expected in golden.items():
        torch.testing.assert_close(torch.tensor(ours[part]), torch.tensor(expected), atol=atol, rtol=0)
