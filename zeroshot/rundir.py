"""A run is a directory that is either finished or resumable; files appear in it by atomic rename only."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from zeroshot.errors import EnvironmentFailure


class RunDirectory:
    """One run's folder, held by one process at a time.

    config.yaml comes first, blocks/ holds finished blocks of work, metrics.json comes last and makes the run finished.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: TextIO | None = None

    @property
    def finished(self) -> bool:
        """True once metrics.json is there."""
        return (self.path / "metrics.json").is_file()

    def __enter__(self) -> RunDirectory:
        """Make the folder and take its lock; raises EnvironmentFailure where it cannot be written or is held."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = self._take()
        except OSError as error:
            raise EnvironmentFailure(
                f"output folder {self.path} cannot be written ({error.strerror}): give another one with output=…"
            ) from None
        self._lock.truncate(0)
        self._lock.write(f"host {socket.gethostname()}, pid {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        self._lock.flush()
        return self

    def _take(self) -> TextIO:
        """The lock file, locked. The kernel frees the lock of a process that died, so its run is simply taken over."""
        path = self.path / ".lock"
        while True:
            file = path.open("a+", encoding="utf-8")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "another process"
                file.close()
                raise EnvironmentFailure(f"{self.path} is being computed by {holder}: wait for it or stop it") from None
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
            file.close()  # its owner finished and removed it between our open and our lock

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            (self.path / ".lock").unlink(missing_ok=True)
            self._lock.close()

    def claim(self, identity: dict[str, Any]) -> None:
        """Write config.yaml, or check that the one there is the same. Raises EnvironmentFailure with what differs."""
        path = self.path / "config.yaml"
        if path.exists():
            theirs = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            changed = list(differences(theirs, identity))
            if changed:
                raise EnvironmentFailure(
                    f"{self.path} belongs to another configuration ({'; '.join(changed[:3])}): "
                    "give another folder with output=…, or delete this one"
                )
            return
        self.write("config.yaml", lambda p: p.write_text(yaml.safe_dump(identity, sort_keys=False), encoding="utf-8"))

    def write(self, name: str, writer: Callable[[Path], Any]) -> None:
        """Let `writer` write a file that appears under its name only when it is whole.

        Raises EnvironmentFailure where the disk refuses, naming the path.
        """
        write_file(self.path / name, writer)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a JSON file."""
        self.write(name, lambda p: p.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8"))

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a parquet file with a checksum on each page."""
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        self.write(name, lambda p: pq.write_table(arrow, p, write_page_checksum=True))

    def read_table(self, name: str) -> pd.DataFrame | None:
        """Read a parquet file; None where it is missing. A damaged one is set aside (suffix .damaged) first."""
        path = self.path / name
        if not path.exists():
            return None
        try:
            return pq.read_table(path, page_checksum_verification=True).to_pandas()
        except (OSError, pa.ArrowException):
            os.replace(path, path.with_suffix(".damaged"))
            return None

    def drop_blocks(self) -> None:
        """Remove the finished blocks, once everything made of them is written."""
        shutil.rmtree(self.path / "blocks", ignore_errors=True)


def write_file(final: Path, writer: Callable[[Path], Any]) -> None:
    """Let `writer` write a file that appears under its name only when it is whole.

    Raises EnvironmentFailure where the disk refuses, naming the path.
    """
    partial = final.with_name(f".{final.name}.{os.getpid()}.partial")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        writer(partial)
        os.replace(partial, final)
    except OSError as error:
        size = partial.stat().st_size if partial.exists() else 0
        partial.unlink(missing_ok=True)
        raise EnvironmentFailure(
            f"{final} cannot be written after {size:,} bytes ({error.strerror}): make room and start again, "
            "finished blocks are kept"
        ) from None


def differences(theirs: dict[str, Any], ours: dict[str, Any], prefix: str = "") -> list[str]:
    """Where two nested dictionaries differ, as `key: theirs -> ours`."""
    found = []
    for key in sorted(theirs.keys() | ours.keys()):
        a, b = theirs.get(key), ours.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key}: {a} there, {b} asked for")
    return found
