"""Arrays that are computed once and kept on disk under a key of everything they depend on, with a checksum."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zeroshot.errors import EnvironmentFailure

logger = logging.getLogger(__name__)


class Cache:
    """A folder of arrays; `directory=None` keeps nothing on disk."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory

    def get(self, name: str, key: dict[str, Any], compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The array called `name` that belongs to `key`, from disk or from `compute`.

        A file whose checksum is wrong is set aside (suffix .damaged) with a warning and computed again.
        """
        if self.directory is None:
            return compute()
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        path = self.directory / f"{name}-{digest}.npy"
        found = self._read(path)
        if found is None:
            found = compute()
            self._write(path, found)
        return found

    def _read(self, path: Path) -> np.ndarray | None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        checksum, _, payload = content.partition(b"\n")
        if hashlib.sha256(payload).hexdigest().encode() != checksum:
            aside = path.with_suffix(".damaged")
            os.replace(path, aside)
            logger.warning("checksum mismatch in cache file %s: set aside as %s and computed again", path, aside.name)
            return None
        return np.load(io.BytesIO(payload), allow_pickle=False)

    def _write(self, path: Path, array: np.ndarray) -> None:
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        payload = buffer.getvalue()
        partial = path.with_suffix(f".partial-{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
            os.replace(partial, path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise EnvironmentFailure(
                f"cache file {path} of {len(payload):,} bytes cannot be written ({error.strerror}): make room, "
                "or give another folder with output=…"
            ) from None
