"""Shared by the tests of faults: small disks that can be full, and what a run's files say."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PAGE = 4096


class Disk:
    """A tmpfs of so many pages."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remount(self, options: str) -> None:
        """Change its size or make it read-only."""
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Disk]]:
    """Mounts a tmpfs of some pages: a real full disk, for whoever may mount."""
    mounted: list[Path] = []

    def mount(pages: int) -> Disk:
        path = tmp_path / f"disk{len(mounted)}"
        path.mkdir()
        size = f"size={pages * PAGE}"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", path], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here (root needed): {done.stderr.strip()}")
        mounted.append(path)
        return Disk(path)

    if os.name != "posix":
        pytest.skip("mounts are POSIX's")
    try:
        yield mount
    finally:
        for path in mounted:
            subprocess.run(["umount", "-l", path], check=True)
