"""A check's numbers as one table: the generators asked for, the same with permuted classes, and what stands beside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from zeroshot.report.inspection.words import number, per_cent, plus_minus
from zeroshot.report.style import NAMES
from zeroshot.runs.inspection.measured import Labels, Measured, Quality, Search
from zeroshot.runs.inspection.sizes import K
from zeroshot.runs.inspection.whole import Check

PERMUTED = ", classes permuted"
HEADS = {
    "images": "images",
    "top1": "label top-1",
    "top5": "label top-5",
    "class_share": "between classes",
    "collapsed": "collapsed",
    "frechet_distance": "Fréchet distance",
    "kernel_distance": "kernel distance",
    "precision": "precision",
    "recall": "recall",
    **{f"k={k}": f"best, k = {k}" for k in K},
    "best_k": "best k",
    "images_to_threshold": "images to threshold (k)",
}


def table(check: Check) -> pd.DataFrame:
    """A row for each; empty where a measure has no meaning. Numbers, for programs; `in_words` has them for people.

    Returns:
        columns generator, images, top1, top5 (shares), class_share, collapsed (classes), frechet_distance,
        kernel_distance, kernel_distance_se, precision, recall, k=1 … k=1000 (best scores; of what has no classes the
        same for all), best_k, images_to_threshold (of the k that reaches it first) and threshold_k.
    """
    rows = []
    for one in check.measured:
        rows.append(_row(one.name, one.labels, one, one.quality, one.search))
        assert one.labels is not None and one.search is not None and one.permuted_search is not None
        shown = Labels(one.labels.images, one.labels.permuted_top1, one.labels.permuted_top5, 0.0, 0.0, {})
        search = Search(
            one.permuted_search.curves | {1000: one.search.curves[1000]},  # any class is drawn: permuting moves nothing
            one.permuted_search.to_threshold | {1000: one.search.to_threshold[1000]},
        )
        rows.append(_row(f"{one.name}{PERMUTED}", shown, None, one.permuted_quality, search))
    for one in [*check.generators, *check.floors, *check.ceiling]:
        rows.append(_row(one.name, one.labels, one, one.quality, one.search))
    return pd.DataFrame(rows)


def _row(
    name: str, labels: Labels | None, whole: Measured | None, quality: Quality | None, search: Search | None
) -> dict[str, Any]:
    variety = whole.variety if whole else None
    row: dict[str, Any] = {
        "generator": name,
        "images": labels.images if labels else quality.images if quality else None,
        "top1": labels.top1 if labels else None,
        "top5": labels.top5 if labels else None,
        "class_share": variety.class_share if variety else None,
        "collapsed": len(variety.collapsed) if variety else None,
        "frechet_distance": quality.frechet if quality else None,
        "kernel_distance": quality.kernel if quality else None,
        "kernel_distance_se": quality.kernel_error if quality else None,
        "precision": quality.precision if quality else None,
        "recall": quality.recall if quality else None,
    }
    best, passed = scores(search), first_to_threshold(search)
    row |= {f"k={k}": best.get(k) for k in K}
    row["best_k"] = max(best, key=lambda k: best[k]) if best and len(set(best.values())) > 1 else None
    return row | {"images_to_threshold": passed[0] if passed else None, "threshold_k": passed[1] if passed else None}


def scores(search: Search | None) -> dict[int, float]:
    """Best score by k after all images; what has no classes has the same at every k."""
    if search is None:
        return {}
    return {k: search.curves[k if k in search.curves else 0][-1] for k in K}


def first_to_threshold(search: Search | None) -> tuple[int, int] | None:
    """The fewest images to the threshold, and their k (0 where there are no classes); None where none reaches it."""
    reached = [(count, k) for k, count in (search.to_threshold if search else {}).items() if count is not None]
    return min(reached) if reached else None


def in_words(numbers: pd.DataFrame) -> pd.DataFrame:
    """The table with its numbers as text, for people."""

    def cell(key: str, row: Any) -> str:
        value = row[key]
        if value is None or (isinstance(value, float) and np.isnan(value)):
            return ""
        if key in ("top1", "top5", "class_share", "precision", "recall"):
            return per_cent(max(0.0, value))
        if key == "kernel_distance":
            return plus_minus(value, row["kernel_distance_se"])
        if key == "images_to_threshold":
            return f"{int(value)} ({int(row['threshold_k'])})" if row["threshold_k"] else f"{int(value)}"
        if key.startswith("k="):
            return f"{value:.4f}"
        return number(value) if key == "frechet_distance" else f"{int(value):,}"

    shaped = {"": [in_print(str(name)) for name in numbers["generator"]]}
    records = numbers.to_dict("records")
    return pd.DataFrame(shaped | {head: [cell(key, row) for row in records] for key, head in HEADS.items()})


def in_print(name: str) -> str:
    """A generator's name as the paper writes it."""
    bare = name.removesuffix(PERMUTED)
    return NAMES.get(bare, bare) + name[len(bare) :]
