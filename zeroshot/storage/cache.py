"""Arrays that are computed once and kept on disk under a key of everything they depend on, with a checksum."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zeroshot.storage.files import Damaged, sealed, set_aside, unsealed, write_bytes
from zeroshot.storage.locks import locked


class Cache:
    """A folder of arrays; `directory=None` keeps nothing on disk."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory

    def get(self, name: str, key: dict[str, Any], compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The array called `name` that belongs to `key`, from disk or from `compute`.

        A file whose checksum is wrong is set aside (suffix .damaged) with a warning and computed again. Of several
        processes that want one array, the first computes it and the others wait.
        """
        if self.directory is None:
            return compute()
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        path = self.directory / f"{name}-{digest}.npy"
        found = self._read(path)
        if found is not None:
            return found
        with locked(path.with_name(f".{path.stem}.lock"), wait=True):
            found = self._read(path)  # another process may have been first
            if found is None:
                found = compute()
                self._write(path, found)
        return found

    def _read(self, path: Path) -> np.ndarray | None:
        try:
            return np.load(io.BytesIO(unsealed(path)), allow_pickle=False)
        except FileNotFoundError:
            return None
        except Damaged:
            set_aside(path)
            return None

    def _write(self, path: Path, array: np.ndarray) -> None:
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        write_bytes(path, sealed(buffer.getvalue()))
