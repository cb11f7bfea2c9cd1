"""Every run below a folder of outputs, finished or not, as a table."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from zeroshot.metrics.bias import bias_note
from zeroshot.storage.locks import holder_of

# Of a run, in the order of the table.
COLUMNS = (
    *("world", "variant", "generator", "k", "seed", "state", "best_clip_score", "frechet_distance"),
    *("distinct_selected", "images_to_threshold", "seconds", "when"),
)
# What a finished run holds (zeroshot/runs/run.py); run.log may be missing.
TABLES = ("scores.parquet", "selected.parquet")
FILES = ("config.yaml", *TABLES, "provenance.json", "metrics.json")
LARGEST = 1e12  # of any measure; NaN and infinity are beyond it
PLACE = re.compile(r"/k=\d+/seed=\d+$")
LOCK = re.compile(r"host (?P<host>\S+), pid (?P<pid>\d+)")


def runs_table(output: Path) -> pd.DataFrame:
    """One row per run below <output>/<world>/<variant>/runs; nothing is written.

    Returns:
        columns world, variant, generator, k, seed, kind (finished | unfinished | held | damaged), state (the same in
        words), best_clip_score, frechet_distance, distinct_selected, images_to_threshold, b_max, bias (that the
        Fréchet distance is of too few images, in words), seconds, when, departures, pooled (whether its images come
        from a shared pool), path. What is not known is None. Ordered by world, variant, generator, k, seed.
    """
    folders = [path for path in output.glob("*/*/runs/*/k=*/seed=*") if PLACE.search(path.as_posix()) and path.is_dir()]
    rows = [_row(path, output) for path in folders]
    table = pd.DataFrame(rows, columns=[*COLUMNS, "kind", "b_max", "bias", "departures", "pooled", "path"]).astype(
        object
    )
    return table.sort_values(["world", "variant", "generator", "k", "seed"], ignore_index=True)


def _row(path: Path, output: Path) -> dict[str, Any]:
    world, variant, _, generator, k, seed = path.relative_to(output).parts
    row: dict[str, Any] = (
        dict.fromkeys(COLUMNS) | dict.fromkeys(("b_max", "bias", "departures", "pooled")) | {"path": path}
    )
    row |= {"world": world, "variant": variant, "generator": generator}
    row |= {"k": int(k.removeprefix("k=")), "seed": int(seed.removeprefix("seed="))}
    try:
        row["when"] = _time(path)
        config = _mapping(path / "config.yaml") if (path / "config.yaml").exists() else None
        departures = (config or {}).get("departures")
        row["departures"] = departures if isinstance(departures, dict) else None
        row["pooled"] = _is_pooled(config)
        kind, state = _unfinished(path, config)
        if (path / "metrics.json").exists():
            row |= _finished(path)
            kind, state = "finished", "finished"
        elif holders := [holder for lock in sorted(path.glob(".lock*")) if (holder := _holder(lock)) is not None]:
            kind, state = "held", f"held by {', '.join(holders)} ({state.removeprefix('unfinished, ')})"
    except Damaged as damage:
        kind, state = "damaged", f"damaged: {damage}"
    except OSError as error:
        kind, state = "damaged", f"damaged: cannot be read ({error.strerror})"
    except Exception as error:  # whatever a file of another making leads to: the other runs are still to be seen
        kind, state = "damaged", f"damaged: cannot be read ({type(error).__name__})"
    return row | {"kind": kind, "state": state}


def _is_pooled(config: dict[str, Any] | None) -> bool:
    """By the settings of a config.yaml, of whatever version; False where it does not say."""
    settings = (config or {}).get("settings")
    search = settings.get("search") if isinstance(settings, dict) else None
    return isinstance(search, dict) and search.get("images") == "pool"


class Damaged(Exception):
    """A file of a run is missing or cannot be read; says which and why."""


def _finished(path: Path) -> dict[str, Any]:
    """What metrics.json says of a finished run. Raises Damaged, also where another of its files is missing."""
    missing = [name for name in FILES if not (path / name).is_file()]
    if missing:
        raise Damaged(f"{missing[0]} is missing")
    for name in TABLES:
        try:
            pq.read_metadata(path / name)
        except pa.ArrowException as error:
            raise Damaged(f"{name} cannot be read ({str(error).splitlines()[0]:.60})") from None
    metrics = _mapping(path / "metrics.json")
    kept = ("best_clip_score", "frechet_distance", "distinct_selected", "images_to_threshold", "b_max", "seconds")
    absent = [key for key in kept if key not in metrics]
    if absent:
        raise Damaged(f"metrics.json has no {absent[0]}")
    wrong = [key for key in kept if not _is_measure(metrics[key])]
    if wrong:
        raise Damaged(f"metrics.json: {wrong[0]} is {metrics[wrong[0]]!r:.40}")
    images, dim = metrics.get("frechet_images"), metrics.get("feature_dim")  # older versions did not say
    note = bias_note(images, dim) if isinstance(images, int) and isinstance(dim, int) else ""
    return {key: metrics[key] for key in kept} | {"bias": note, "when": _time(path / "metrics.json")}


def _is_measure(value: object) -> bool:
    """Whether a value may be one of a run's measures: a number that a run can have, or none."""
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _unfinished(path: Path, config: dict[str, Any] | None) -> tuple[str, str]:
    """How far an unfinished run is, by the blocks it has finished. Raises Damaged."""
    if config is None:
        if not all(child.name.startswith(".lock") for child in path.iterdir()):
            raise Damaged("config.yaml is missing")
        return "unfinished", "unfinished, nothing done yet"
    try:
        settings = config["settings"]
        b_max, captions = int(settings["b_max"]), int(settings["captions"])
        captions -= captions % (settings["protocol"]["batches_of"] or 1)
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"config.yaml lacks {error}") from None
    rows = sum(_rows(block) for block in (path / "blocks").glob("*.parquet"))
    return "unfinished", f"unfinished, {rows // max(b_max, 1)} of {captions} captions done"


def _rows(block: Path) -> int:
    """Rows of a finished block; a damaged one will be computed again and counts as nothing."""
    try:
        return pq.read_metadata(block).num_rows
    except (OSError, pa.ArrowException):
        return 0


def _holder(lock: Path) -> str | None:
    """Who computes a run or a shard, by its lock file; None where nobody does, as after a process that was killed."""
    try:
        found = LOCK.search(lock.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    if found is None:
        return None
    who = f"pid {found['pid']}"
    if lock.name != ".lock":  # .lock-2of8
        who += f" for shard {lock.name.removeprefix('.lock-').replace('of', '/')}"
    if found["host"] != socket.gethostname():
        return f"{who} on {found['host']}"  # whether it lives cannot always be seen from here
    return who if holder_of(lock) else None


def _mapping(path: Path) -> dict[str, Any]:
    """A JSON or YAML file that holds a mapping. Raises Damaged."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Damaged(f"{path.name} cannot be read ({type(error).__name__})") from None
    if not isinstance(content, dict):
        raise Damaged(f"{path.name} holds no mapping")
    return content


def _time(path: Path) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))


def shaped(table: pd.DataFrame) -> pd.DataFrame:
    """Finished runs as text for people: generator, k and seed, then what was measured; * marks a biased distance."""

    def text(column: str, form: str) -> list[str]:
        return ["" if pd.isna(value) else form.format(value) for value in table[column]]

    distances = zip(text("frechet_distance", "{:.2f}"), table["bias"], strict=True)
    images = zip(table["images_to_threshold"], table["b_max"], strict=True)
    return table[["generator", "k", "seed"]].assign(
        **{
            "score": text("best_clip_score", "{:.4f}"),
            "Fréchet": [f"{distance} *" if bias else distance for distance, bias in distances],
            "distinct": text("distinct_selected", "{:.0f}"),
            "images": [f"> {b_max:g}" if pd.isna(needed) else f"{needed:g}" for needed, b_max in images],
            "seconds": text("seconds", "{:.1f}"),
            "finished": list(table["when"]),
        }
    )
