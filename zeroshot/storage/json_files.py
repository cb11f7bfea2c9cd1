"""JSON files of other people's making: small, regular and not too deep, or refused."""

from __future__ import annotations

import errno
import json
import stat
from pathlib import Path
from typing import Any

LARGEST_JSON = 1_000_000  # bytes; configurations have some thousand


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises OSError where it cannot be read or is no regular file, ValueError where it is no JSON, larger than
    LARGEST_JSON, or nested more deeply than Python follows.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "no regular file", str(path))
    if status.st_size > LARGEST_JSON:
        raise ValueError(f"{status.st_size:,} bytes, but a configuration has at most {LARGEST_JSON:,}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
