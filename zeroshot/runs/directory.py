"""A run is a directory that is either finished or resumable; files appear in it by atomic rename only."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import pandas as pd
import yaml

from zeroshot.errors import EnvironmentFailure
from zeroshot.settings import RunSettings
from zeroshot.storage.files import Damaged, set_aside, sha256, write_text
from zeroshot.storage.locks import give_back, holder_of, take
from zeroshot.storage.shard import WHOLE, Shard
from zeroshot.storage.tables import read_table, write_table
from zeroshot.worlds.parts import variant

TABLES = ("scores.parquet", "selected.parquet")
RESULTS = (*TABLES, "metrics.json")
NAMED = 3  # differences told in a message; the rest are counted
PATIENCE = 0.2  # seconds: a lock that somebody only looks at, or is just giving back, is free again by then

# libyaml's, where PyYAML was built with it: a grid has 36 configurations to be read.
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def run_path(output: Path, settings: RunSettings) -> Path:
    """The run's place: <output>/<world>/<variant>/runs/<generator>/k=0010/seed=42."""
    folder = output / settings.world.name / variant(settings) / "runs" / settings.generator.name
    return folder / f"k={settings.k:04d}" / f"seed={settings.seed}"


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
                own = self._take(self.path / ".lock")
            else:
                own = self._take(self.path / f".lock-{self.shard.index}of{self.shard.count}")
                self._take(self.path / ".lock", shared=True).truncate(0)
            _sign(own)
        except OSError as error:
            self._release()
            raise EnvironmentFailure(
                f"output folder {self.path} cannot be written ({error.strerror}): make room, or give another one with "
                "output=…"
            ) from None
        except Held:
            self._release()
            raise
        return self

    def _take(self, path: Path, shared: bool = False) -> TextIO:
        """A lock file, locked. Raises Held."""
        file = take(path, shared, PATIENCE)
        if file is None:
            holders = "; ".join(holders_of(self.path)) or "another process"
            raise Held(f"{self.path} is being computed by {holders}: wait for it or stop it")
        self._locks.append((path, file))
        return file

    def _release(self) -> None:
        for path, file in reversed(self._locks):
            give_back(file, path)
        self._locks = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def claim(self, identity: dict[str, Any]) -> None:
        """Write config.yaml, or check that the one there is the same.

        Where it is missing or damaged, what else lies there is kept only if provenance.json says that it belongs to
        this configuration.

        Raises EnvironmentFailure with what differs.
        """
        text = yaml.safe_dump(identity, sort_keys=False)
        theirs = self._config()
        if theirs is None:
            if self._stated("config.yaml") != sha256(text.encode()):
                self._disown()
            self.write("config.yaml", text)
            return
        changed = differences(theirs, identity)
        if changed:
            more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
            raise EnvironmentFailure(
                f"{self.path} belongs to another configuration ({'; '.join(changed[:NAMED])}{more}): "
                "give another folder with output=…, or delete this one"
            )

    def _config(self) -> dict[str, Any] | None:
        path = self.path / "config.yaml"
        try:
            theirs = yaml.load(path.read_text(encoding="utf-8"), Loader=SAFE_LOADER)
        except FileNotFoundError:
            return None
        except (ValueError, yaml.YAMLError):
            theirs = None
        if not isinstance(theirs, dict) or not theirs:
            set_aside(path)
            return None
        return theirs

    def _disown(self) -> None:
        """Set aside results whose configuration is not known any more."""
        for name in RESULTS:
            if (self.path / name).exists():
                set_aside(self.path / name)
        self.drop_blocks()

    def whole(self) -> bool:
        """Whether every file of a finished run is what was written; damaged ones are set aside, to be made again."""
        found = [self.read_table(name) is not None for name in TABLES]
        path = self.path / "metrics.json"
        if path.exists() and self._stated("metrics.json") != sha256(path.read_bytes()):
            set_aside(path)
        return all(found) and path.exists()

    def _stated(self, name: str) -> str | None:
        """The sha256 that provenance.json states for a file."""
        return stated_sha256(self.path).get(name)

    def write(self, name: str, text: str) -> None:
        """Write a text file that appears under its name only when it is whole.

        Raises EnvironmentFailure where the disk refuses, naming the path and the bytes needed.
        """
        write_text(self.path / name, text)

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a parquet file that says whether it is whole."""
        write_table(self.path / name, table)

    def read_table(self, name: str) -> pd.DataFrame | None:
        """Read a parquet file; None where it is missing. A damaged one is set aside (suffix .damaged) first."""
        try:
            return read_table(self.path / name)
        except FileNotFoundError:
            return None
        except Damaged:
            set_aside(self.path / name)
            return None

    def finish(self, provenance: dict[str, Any], metrics: dict[str, Any]) -> None:
        """Write provenance.json, which holds the checksums of the files that have none inside, then metrics.json."""
        text = as_json(metrics)
        sums = {
            "config.yaml": sha256((self.path / "config.yaml").read_bytes()),
            "metrics.json": sha256(text.encode()),
        }
        self.write("provenance.json", as_json(provenance | {"files_sha256": sums}))
        self.write("metrics.json", text)
        self.tidy()

    def tidy(self) -> None:
        """Remove from a finished run its blocks and what killed processes left half written."""
        self.drop_blocks()
        for partial in self.path.glob(".*.partial"):
            partial.unlink(missing_ok=True)

    def drop_blocks(self) -> None:
        """Remove the finished blocks, once everything made of them is written."""
        shutil.rmtree(self.path / "blocks", ignore_errors=True)


def holders_of(path: Path) -> list[str]:
    """Who holds a run's folder: what stands in those of its lock files that somebody holds, with the shard if any."""
    found = []
    for lock in sorted(path.glob(".lock*")):
        if holder := holder_of(lock):
            shard = lock.name.removeprefix(".lock").removeprefix("-").replace("of", "/")
            found.append(f"shard {shard} on {holder}" if shard else holder)
    return found


def _sign(lock: TextIO) -> None:
    """Write into a lock file who holds it."""
    holder = f"host {socket.gethostname()}, pid {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}"
    lock.truncate(0)
    os.write(lock.fileno(), holder.encode())  # unbuffered: where the disk is full, nothing is left to fail at closing


def stated_sha256(run: Path) -> dict[str, str]:
    """File name -> sha256 in a run's provenance.json; empty where it is missing or damaged."""
    try:
        found = json.loads((run / "provenance.json").read_text(encoding="utf-8"))["files_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def read_metrics(run: Path) -> dict[str, Any]:
    """metrics.json of a finished run. Raises EnvironmentFailure where it is missing or damaged."""
    file = run / "metrics.json"
    try:
        content = file.read_bytes()
        metrics = json.loads(content)
    except (OSError, ValueError) as error:
        raise _unusable(file, error) from None
    if sha256(content) != stated_sha256(run).get(file.name, sha256(content)):
        raise _unusable(file, Damaged())
    return metrics


def read_run_table(run: Path, name: str) -> pd.DataFrame:
    """scores.parquet or selected.parquet of a finished run. Raises EnvironmentFailure: it is missing or damaged."""
    try:
        return read_table(run / name, signed=False)
    except (OSError, Damaged) as error:
        raise _unusable(run / name, error) from None


def _unusable(file: Path, reason: Exception) -> EnvironmentFailure:
    what = "is missing" if isinstance(reason, FileNotFoundError) else "is damaged"
    return EnvironmentFailure(f"{file} {what}: give the run's command again, which makes it anew")


def as_json(content: dict[str, Any]) -> str:
    """The text of a run's JSON files."""
    return json.dumps(content, indent=2) + "\n"


def differences(theirs: dict[str, Any], ours: dict[str, Any], prefix: str = "") -> list[str]:
    """Where two nested dictionaries differ, as `key: theirs there, ours asked for`; another version first: it explains
    the others."""
    found = []
    for key in sorted(theirs.keys() | ours.keys(), key=lambda key: (key != "version", key)):
        a, b = theirs.get(key), ours.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key}: {a} there, {b} asked for")
    return found
