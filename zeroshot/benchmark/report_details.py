"""What stands below a benchmark's headlines: where the time goes, and every point that was measured."""

from __future__ import annotations

from typing import Any

import pandas as pd

from zeroshot.benchmark.words import number, percent, with_spread
from zeroshot.metrics.bias import bias_note
from zeroshot.report.tables import markdown

MEBIBYTE = 2**20


def _table(rows: list[dict[str, str]]) -> str:
    return "\n\n" + markdown(pd.DataFrame(rows))


def _engine(part: dict[str, Any]) -> str:
    rows = [
        {"models": r["generator"]} | {stage: percent(share) for stage, share in r["shares"].items()}
        for r in part["results"]
    ]
    lines = "".join(
        f"\n\nOperators of {r['generator']}: "
        + ", ".join(f"{o['operator']} {percent(o['share'])}" for o in r["operators"])
        + "."
        for r in part["results"]
    )
    return f"Where the engine's time goes:{_table(rows)}{lines}"


def _released(part: dict[str, Any]) -> str:
    rows = [
        {"models": r["generator"]} | {stage: percent(share) for stage, share in r["shares"].items()}
        for r in part["results"]
    ]
    first = part["results"][0]
    most = max(r["largest_score_difference"] for r in part["results"])
    labels = number(part["labels_once_seconds"])
    return (
        f"{first['captions']} captions, k = {first['k']}, b = {first['b_max']}; the scores of the two loops differ by "
        f"at most {most:.1e}; the engine's side encodes the labels once, in {labels} s, which are not counted. "
        f"Where the released loop's time goes:{_table(rows)}"
    )


def _pool(part: dict[str, Any]) -> str:
    grid = part["grid"]
    rows = [
        {
            "generator": r["generator"],
            "k": str(r["k"]),
            "best score, fresh": f"{r['best_fresh']:.4f}",
            "pool": f"{r['best_pool']:.4f}",
            "difference in spreads": number(r["best_difference"]),
            "along Figure 2": number(r["curve_difference"]),
            "images to threshold, fresh": _images(r["images_fresh"], grid["b_max"]),
            "pool ": _images(r["images_pool"], grid["b_max"]),
            "difference in spreads ": number(r["images_difference"]),
        }
        for r in part["results"]
    ]
    return (
        f"{grid['captions']} captions, b = {grid['b_max']}, {len(grid['seeds'])} seeds, share {part['share']}: "
        f"{part['images']['fresh']:,} images fresh, {part['images']['pool']:,} with the pool; "
        f"{part['total_seconds']['fresh']:.1f} s and {part['total_seconds']['pool']:.1f} s.{_table(rows)}"
    )


def _images(value: float | None, b_max: int) -> str:
    return f"> {b_max} in some" if value is None else f"{value:.1f}"


def _growth(part: dict[str, Any]) -> str:
    rows = [
        {
            "captions": str(r["captions"]),
            "k": str(r["k"]),
            "b_max": str(r["b_max"]),
            "images": f"{r['images']:,}",
            "seconds": with_spread(r["seconds"]),
            "peak memory, MiB": with_spread(_mebibytes(r["peak_bytes"])),
            "of it before the run": number(r["before_bytes"]["median"] / MEBIBYTE),
        }
        for r in part["results"]
    ]
    return f"{part['generator']}, fresh images, one process per run.{_table(rows)}"


def _mebibytes(measured: dict[str, Any]) -> dict[str, float]:
    return {key: measured[key] / MEBIBYTE for key in ("median", "min", "max")}


def _frechet(part: dict[str, Any]) -> str:
    rows = [
        {
            "features": f"{r['features']}, {r['dim']:,}",
            "samples": " and ".join(f"{n:,}" for n in r["samples"]),
            "seconds": with_spread(r["seconds"]["ours"]),
            "scipy, seconds": with_spread(r["seconds"]["scipy"]),
            "distance": f"{r['distance']['ours']:.6f}",
            "scipy, distance": f"{r['distance']['scipy']:.6f}",
        }
        for r in part["results"]
    ]
    notes = {note for r in part["results"] if (note := bias_note(min(r["samples"]), r["dim"]))}
    return f"One distance, from features{''.join(f' ({note})' for note in sorted(notes))}:{_table(rows)}"


def _true_size(part: dict[str, Any]) -> str:
    known = part["published"] or {}
    rows = []
    for r in part["results"]:
        row = {
            "generator": r["generator"],
            "stage": r["stage"],
            "images/s": with_spread(r["images_per_second"]),
            "GFLOP/image": number(r["flops"] / 1e9),
            "GB/image, unfused": number(r["bytes"] / 1e9),
            "of the matrix peak": percent(r["of_peak"]),
            "of the bandwidth": percent(r["of_bandwidth"]),
        }
        row |= {f"of the published {name}": percent(r[f"of_published_{name}"]) for name in known}
        rows.append(row)
    said = "".join(f"; published {name} {value:.3g}" for name, value in known.items())
    return (
        f"Random weights, batch {part['batch_size']}, {part['precision']}. Measured: "
        f"{number(part['matrix_flops']['median'] / 1e12)} TFLOP/s (product of matrices of side {part['matrix']:,}), "
        f"{number(part['bandwidth_bytes']['median'] / 1e9)} GB/s (copy){said}.{_table(rows)}"
    )


def _start(part: dict[str, Any]) -> str:
    rows = [{"command": r["command"], "seconds": with_spread(r["seconds"])} for r in part["results"]]
    return f"Each in a process of its own; `{part['libraries']}` took {with_spread(part['seconds'])} s.{_table(rows)}"


def _strategies(part: dict[str, Any]) -> str:
    return (
        f"{part['b_max']} evaluations of as many captions as a batch holds; a strategy's own time is that of its "
        "questions and answers with random numbers in the models' place."
    )


DETAILS = {
    "a": _engine,
    "b": _released,
    "c": _pool,
    "d": _growth,
    "e": _frechet,
    "f": _true_size,
    "g": _start,
    "h": _strategies,
}
