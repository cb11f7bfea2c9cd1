"""A benchmark as Markdown: one block for docs/benchmarks.md, in the order headline, targets, where the time goes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from zeroshot.benchmark.machine import in_words
from zeroshot.benchmark.report_details import DETAILS
from zeroshot.benchmark.settings import PARTS
from zeroshot.benchmark.words import number, verdict, with_spread
from zeroshot.report.tables import markdown

Row = tuple[str, str, str, str]  # what is measured, result, target, whether it holds


def as_markdown(document: dict[str, Any]) -> str:
    """The block of one benchmark's document (`driver.benchmark`)."""
    settings, machine, parts = document["settings"], document["machine"], document["parts"]
    rows = [(part, *row) for part in parts for row in HEADLINES[part](parts[part])]
    table = pd.DataFrame(rows, columns=["part", "measured", "median (least – greatest)", "target", ""])
    blocks = [
        f"### {document['started'][:10]}, {document['git_commit'][:10]}",
        f"{in_words(machine)}; load average before {machine['load_average']}; batch {settings['batch_size']}, "
        f"{settings['precision']}, {settings['repetitions']} repetitions in turn.",
        markdown(table),
        *(
            f"**{part}: {PARTS[part]}** ({parts[part]['took_seconds']:.0f} s). {DETAILS[part](parts[part])}"
            for part in parts
        ),
    ]
    return "\n\n".join(blocks) + "\n"


def history_row(document: dict[str, Any]) -> str:
    """One line of the history table of docs/benchmarks.md: date, commit, machine, parts a to e, g and h."""
    parts = document["parts"]
    cells = [document["started"][:10], document["git_commit"][:10], in_words(document["machine"])]
    cells += [HISTORY[part](parts[part]) if part in parts else "" for part in HISTORY]
    return f"| {' | '.join(cells)} |"


def _engine(part: dict[str, Any]) -> list[Row]:
    return [
        (
            f"{r['generator']} ({part['models']}): engine's share of the bare models' images/s",
            f"{with_spread(r['ratio'])}; {r['engine_images_per_second']['median']:,.0f} of "
            f"{r['bare_images_per_second']['median']:,.0f} images/s",
            f"≥ {part['target']}",
            verdict(r["holds"]),
        )
        for r in part["results"]
    ]


def _released(part: dict[str, Any]) -> list[Row]:
    return [
        (
            f"{r['generator']} ({part['models']}): times faster than the released loop",
            f"{with_spread(r['times_faster'])}; without its label prompts "
            f"{with_spread(r['times_faster_without_labels'])}",
            "",
            "",
        )
        for r in part["results"]
    ]


def _pool(part: dict[str, Any]) -> list[Row]:
    names = {"table1": "Table 1, upper", "figure2": "Figure 2", "table2": "Table 2"}
    apart = [
        f"{title} {number(part['differences'][name]['rms'])} (largest {number(part['differences'][name]['largest'])})"
        for name, title in names.items()
    ]
    return [
        ("pool: times fewer images than fresh", f"{part['times_fewer_images']:.2f}", "", ""),
        ("pool: times faster than fresh", with_spread(part["times_faster"]), "", ""),
        (
            "difference in the seeds' spread, root mean square",
            "; ".join(apart),
            f"chance alone: {part['by_chance']:.2f}",
            "",
        ),
    ]


def _growth(part: dict[str, Any]) -> list[Row]:
    rows = []
    for name, along in part["along"].items():
        values = f"{name} {along['values'][0]} → {along['values'][-1]}"
        if along["exponent"] is None:
            rows.append((f"{values}: times as long", f"{along['times_seconds']:.2f}", "", ""))
            continue
        rows.append(
            (
                f"{values} ({along['times_images']:.0f}x the images): times as long",
                f"{along['times_seconds']:.2f}, exponent {along['exponent']:.2f}",
                "",
                "",
            )
        )
        rows.append(
            (
                f"{name}, {along['peak_from_images']:,} images and more: peak memory per further image, of an image's "
                f"{part['image_bytes']:,} bytes",
                f"{along['peak_per_image']:.3f}",
                f"≤ {part['target']}",
                verdict(along["peak_per_image"] <= part["target"]),
            )
        )
    return rows


def _frechet(part: dict[str, Any]) -> list[Row]:
    rows = [
        (
            f"{r['features']} features ({r['dim']:,}): seconds per 1,000 images",
            with_spread(r["seconds_per_1000"]),
            "",
            "",
        )
        for r in part["extraction"]
    ]
    for r in part["results"]:
        title = f"{r['features']}, {r['dim']:,} features"
        rows.append((f"{title}: seconds for a distance", with_spread(r["seconds"]["ours"]), "", ""))
        rows.append((f"{title}: times faster than scipy's sqrtm", with_spread(r["times_faster"]), "", ""))
        rows.append(
            (
                f"{title}: relative difference from scipy's",
                f"{r['relative_difference']:.1e}",
                f"≤ {part['target']:.0e}",
                verdict(r["holds"]),
            )
        )
    return rows


def _true_size(part: dict[str, Any]) -> list[Row]:
    return [
        (
            f"{r['generator']}, all stages: images/s at batch {part['batch_size']}",
            f"{with_spread(r['images_per_second'])}; {100 * r['of_peak']:.0f} % of the matrix peak, "
            f"{100 * r['of_bandwidth']:.0f} % of the bandwidth",
            "",
            "",
        )
        for r in part["results"]
        if r["stage"] == "whole"
    ]


def _start(part: dict[str, Any]) -> list[Row]:
    return [
        (
            f"{r['command']}: times `{part['libraries']}`",
            f"{with_spread(r['ratio'])}; {r['seconds']['median']:.1f} s",
            f"≤ {r['target']}",
            verdict(r["holds"]),
        )
        for r in part["results"]
    ]


def _strategies(part: dict[str, Any]) -> list[Row]:
    return [
        (
            f"{r['generator']} ({part['models']}), {r['strategy']}: its own time as a share of the models'",
            f"{with_spread(r['share'])}; {r['milliseconds']['median']:.3f} ms an evaluation",
            f"≤ {part['target']}" if r["aimed"] else "",
            verdict(r["holds"]) if r["aimed"] else "",
        )
        for r in part["results"]
    ]


HEADLINES = {
    "a": _engine,
    "b": _released,
    "c": _pool,
    "d": _growth,
    "e": _frechet,
    "f": _true_size,
    "g": _start,
    "h": _strategies,
}


def _both(part: dict[str, Any], key: str) -> str:
    return ", ".join(f"{r['generator']} {r[key]['median']:.2f}" for r in part["results"])


HISTORY = {
    "a": lambda part: _both(part, "ratio"),
    "b": lambda part: _both(part, "times_faster"),
    "c": lambda part: f"{part['times_fewer_images']:.2f}, {part['times_faster']['median']:.2f}",
    "d": lambda part: ", ".join(
        f"{a['peak_per_image']:.3f}" for a in part["along"].values() if a["exponent"] is not None
    ),
    "e": lambda part: ", ".join(f"{r['dim']:,}: {r['times_faster']['median']:.2f}" for r in part["results"]),
    "g": lambda part: ", ".join(f"{r['ratio']['median']:.2f}" for r in part["results"]),
    "h": lambda part: ", ".join(f"{r['share']['median']:.2f}" for r in part["results"]),
}
