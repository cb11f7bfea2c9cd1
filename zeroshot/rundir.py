"""A run is a directory that is either finished or resumable; files appear in it by atomic rename only."""

from __future__ import annotations

import contextlib
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
from zeroshot.shard import WHOLE, Shard

PATIENCE = 0.2  # seconds: a lock that somebody only looks at, or is just giving back, is free again by then


class Held(EnvironmentFailure):
    """Another process computes the run, or the same shard of it; says who."""


class RunDirectory:
    """One run's folder, held by one process at a time, or by several that each hold another shard of it.

    config.yaml comes first, blocks/ holds finished blocks of work, metrics.json comes last and makes the run finished.
    Whoever holds the whole run has `.lock` to himself; a shard's process shares it and has `.lock-2of8` to itself. The
    kernel frees the locks of a process that died, so its part is simply taken over.
    """

    def __init__(self, path: Path, shard: Shard = WHOLE) -> None:
        self.path, self.shard = path, shard
        self._locks: list[tuple[Path, TextIO]] = []

    @property
    def finished(self) -> bool:
        """True once metrics.json is there."""
        return (self.path / "metrics.json").is_file()

    def __enter__(self) -> RunDirectory:
        """Make the folder and take its lock. Raises Held, or EnvironmentFailure where it cannot be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if self.shard == WHOLE:
                own = self._take(self.path / ".lock", fcntl.LOCK_EX)
            else:
                own = self._take(self.path / f".lock-{self.shard.index}of{self.shard.count}", fcntl.LOCK_EX)
                self._take(self.path / ".lock", fcntl.LOCK_SH).truncate(0)
        except OSError as error:
            self._release()
            raise EnvironmentFailure(
                f"output folder {self.path} cannot be written ({error.strerror}): give another one with output=…"
            ) from None
        except Held:
            self._release()
            raise
        own.truncate(0)
        own.write(f"host {socket.gethostname()}, pid {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        own.flush()
        return self

    def _take(self, path: Path, kind: int) -> TextIO:
        """A lock file, locked. Raises Held."""
        patience = time.monotonic() + PATIENCE
        while True:
            file = path.open("a+", encoding="utf-8")
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                if time.monotonic() < patience:
                    time.sleep(0.02)
                    continue
                holders = "; ".join(holders_of(self.path)) or "another process"
                raise Held(f"{self.path} is being computed by {holders}: wait for it or stop it") from None
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                self._locks.append((path, file))
                return file
            file.close()  # its owner finished and removed it between our open and our lock

    def _release(self) -> None:
        for path, file in reversed(self._locks):
            with contextlib.suppress(OSError):  # where other shards hold it too, the last of them removes it
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
            file.close()
        self._locks = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

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


def holders_of(path: Path) -> list[str]:
    """Who holds a run's folder: what stands in those of its lock files that somebody holds, with the shard if any."""
    holders = []
    for lock in sorted(path.glob(".lock*")):
        with contextlib.suppress(OSError), lock.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                shard = lock.name.removeprefix(".lock").removeprefix("-").replace("of", "/")
                holders.append(f"shard {shard} on {file.read().strip()}" if shard else file.read().strip())
    return [holder for holder in holders if holder]


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
