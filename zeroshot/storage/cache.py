"""Arrays that are computed once and kept on disk under a key of everything they depend on, with a checksum."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zeroshot.errors import Interrupted
from zeroshot.storage.files import Damaged, sealed, set_aside, unsealed, write_bytes
from zeroshot.storage.locks import locked

# (name, count, size, compute) -> array [count, …] that compute(start, stop) makes in parts of `size` rows
Rows = Callable[[str, int, int, Callable[[int, int], np.ndarray]], np.ndarray]


def at_once(name: str, count: int, size: int, compute: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """`Rows` that keeps nothing."""
    return compute(0, count)


class Cache:
    """A folder of arrays; `directory=None` keeps nothing on disk.

    `should_stop` is asked between the parts of an array that takes long; where it says so, Interrupted is raised, and
    what was made is kept.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory
        self.should_stop: Callable[[], bool] = lambda: False

    def get(self, name: str, key: dict[str, Any], compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The array called `name` that belongs to `key`, from disk or from `compute`.

        A file whose checksum is wrong is set aside (suffix .damaged) with a warning and computed again. Of several
        processes that want one array, the first computes it and the others wait.
        """
        if self.directory is None:
            return compute()
        path = self._path(name, key)
        found = self._read(path)
        if found is not None:
            return found
        with locked(path.with_name(f".{path.stem}.lock"), wait=True):
            found = self._read(path)  # another process may have been first
            if found is None:
                found = compute()
                self._write(path, found)
        return found

    @contextlib.contextmanager
    def parts(self, key: dict[str, Any]) -> Iterator[Rows]:
        """What makes the arrays that belong to `key` in parts, which are kept until the block has come to its end.

        Raises Interrupted where `should_stop` says so.
        """
        made: list[Path] = []

        def rows(name: str, count: int, size: int, compute: Callable[[int, int], np.ndarray]) -> np.ndarray:
            def part(start: int, stop: int) -> np.ndarray:
                if self.should_stop():
                    raise Interrupted(str(self.directory))
                return compute(start, stop)

            found = []
            for start in range(0, max(count, 1), size):
                stop = min(start + size, count)
                own = key | {"part": [start, stop]}
                found.append(self.get(f"{name}-part", own, functools.partial(part, start, stop)))
                made.extend([self._path(f"{name}-part", own)] if self.directory else [])
            return np.concatenate(found)

        yield rows
        for path in made:
            path.unlink(missing_ok=True)

    def _path(self, name: str, key: dict[str, Any]) -> Path:
        assert self.directory is not None
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        return self.directory / f"{name}-{digest}.npy"

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
