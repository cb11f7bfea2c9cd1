"""What a search for one's own sentence leaves: pictures, and the numbers in a JSON file."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot.errors import EnvironmentFailure
from zeroshot.storage.files import set_aside, sha256
from zeroshot.storage.locks import locked

if TYPE_CHECKING:
    from zeroshot.runs.imagine import SearchResult

FILES = ("best.png", "strip.png", "curve.png", "labels.csv", "imagine.json")


def labels(result: SearchResult) -> list[dict[str, Any]]:
    """The top k labels, most similar first: rank (from 1), label_index, label, similarity."""
    rows = zip(result.label_indices.tolist(), result.labels, result.similarities.tolist(), strict=True)
    return [
        {"rank": rank, "label_index": index, "label": label, "similarity": round(similarity, 6)}
        for rank, (index, label, similarity) in enumerate(rows, start=1)
    ]


def summary(result: SearchResult, settings: dict[str, Any], provenance: dict[str, Any]) -> dict[str, Any]:
    """What imagine.json holds."""
    return {
        "prompts": [{"text": text, "weight": weight} for text, weight in result.prompts],
        "world": settings["world"]["name"],
        "generator": settings["generator"]["name"],
        "k": settings["k"],
        "b_max": settings["b_max"],
        "seed": settings["seed"],
        "best": {"b": result.b, "score": result.score, "label": result.label},
        "labels": labels(result),
        "steps": [{"b": step.b, "score": step.score, "label": step.label} for step in result.steps],
        "strategy": result.strategy,
        "scores": [float(f"{score:.9g}") for score in result.scores],
        "paid": result.paid.tolist(),
        "files": {name.partition(".")[0]: name for name in FILES if name != "imagine.json"},
        "settings": settings,
        "provenance": provenance,
    }


def read(folder: Path) -> dict[str, Any] | None:
    """imagine.json of a folder in which every file is as it was written; None where there is none.

    A folder with a missing or damaged file is set aside (suffix .damaged) first.
    """
    if not folder.exists():
        return None
    try:
        content = json.loads((folder / "imagine.json").read_text(encoding="utf-8"))
        stated = content.pop("sha256")
        sums = {name: sha256((folder / name).read_bytes()) for name in FILES if name != "imagine.json"}
        if stated == sha256(_canonical(content)) and sums == content["files_sha256"]:
            return content
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    set_aside(folder)
    return None


def write(result: SearchResult, folder: Path, settings: dict[str, Any], provenance: dict[str, Any]) -> dict[str, Any]:
    """Write all files of a search; the folder appears under its name only when they are whole.

    Args:
        result: from `zeroshot.search`.
        folder: where to; what is there already is replaced.
        settings: what was searched with (world, generator, k, b_max, seed, …), as nested dictionaries.
        provenance: where, when and with what.

    Returns:
        `summary`, as imagine.json holds it.

    Raises:
        EnvironmentFailure: the disk refuses; with the path and the bytes needed.
    """
    content = summary(result, settings, provenance)
    files = _files(result, settings, content)
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    try:
        with locked(_lock(folder), wait=True):
            partial.mkdir(parents=True)
            for name, file in files.items():
                (partial / name).write_bytes(file)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(partial, folder)
    except OSError as error:
        raise EnvironmentFailure(
            f"{folder} needs {sum(map(len, files.values())):,} bytes and cannot be written ({error.strerror}): make "
            "room, or give another folder with output=…"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return content


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def tidy(parent: Path) -> None:
    """Remove what killed processes left half written among the searches' folders."""
    for partial in parent.glob(".*.*.partial"):
        with locked(_lock(parent / partial.name.split(".")[1]), wait=False) as abandoned:
            if abandoned:
                shutil.rmtree(partial, ignore_errors=True)


def _files(result: SearchResult, settings: dict[str, Any], content: dict[str, Any]) -> dict[str, bytes]:
    """Name -> content of every file; imagine.json states the checksums of all, itself included."""
    from zeroshot.report.imagined_drawing import as_png, curve, strip

    world, generator = settings["world"]["name"], settings["generator"]["name"]
    setting = f"world: {world}, generator: {generator}, k = {settings['k']}, b_max = {settings['b_max']}, "
    setting += f"seed = {settings['seed']}"
    setting += f", strategy: {content['strategy']}" if content["strategy"] != "random" else ""
    best = io.BytesIO()
    result.image.save(best, "png")
    files = {
        "best.png": best.getvalue(),
        "strip.png": as_png(strip(result, setting)),
        "curve.png": as_png(curve(result, setting)),
        "labels.csv": _csv(labels(result)),
    }
    content = content | {"files_sha256": {name: sha256(file) for name, file in files.items()}}
    content["sha256"] = sha256(_canonical(content))
    return files | {"imagine.json": (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()}


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
