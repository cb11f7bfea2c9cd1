"""Which code this is: the version that belongs to every run's identity, and the commit that its provenance names."""

from __future__ import annotations

import subprocess
from pathlib import Path

__version__ = "0.3.0"


def git_commit() -> str:
    """Commit of the source tree, with `-dirty` where it has changes; `unknown` outside a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
