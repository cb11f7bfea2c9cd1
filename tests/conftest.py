"""Shared by all tests: the embedded world, loaded once, and a way to run a command as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import zeroshot

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def world() -> zeroshot.World:
    """The miniature on the CPU; nothing of it is written to disk."""
    return zeroshot.load_world("miniature", device="cpu")


@pytest.fixture(autouse=True)
def _two_threads() -> None:
    torch.set_num_threads(2)


def command(*arguments: str, timeout: float = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    """python -m <arguments> from the repository's root."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
