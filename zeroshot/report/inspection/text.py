"""A check's report as Markdown: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from zeroshot.report.inspection.rows import in_print, in_words
from zeroshot.report.inspection.verdicts import CAUTION, FAULT, NOTE, Finding, headline
from zeroshot.report.inspection.words import classes_in_words, number, per_cent
from zeroshot.report.tables import markdown
from zeroshot.runs.inspection.measured import Measured
from zeroshot.runs.inspection.whole import Check, worst

SIGNS = {FAULT: "✗", CAUTION: "!", NOTE: "–"}
SHOWN = ("images", "label top-1", "label top-5", "between classes", "collapsed")
GROUPS = {
    "Does it follow its label, and does it vary?": ("", *SHOWN),
    "How good are its images?": ("", "Fréchet distance", "kernel distance", "precision", "recall"),
    "How efficient is the search with it?": (
        *("", "best, k = 1", "best, k = 10", "best, k = 100", "best, k = 1000"),
        *("best k", "images to threshold (k)"),
    ),
}
SMALL = 1000  # images of the smaller side, below which a caution stands beside the distances


def verdict(measured: Measured, found: Sequence[Finding]) -> str:
    """The verdict as Markdown, a line for each finding."""
    lines = [f"**{in_print(measured.name)}: {headline(list(found))}**", ""]
    return "\n".join([*lines, *(f"- {SIGNS.get(one.level, '✓')} {one.said} *({one.criterion})*" for one in found)])


def setting(check: Check) -> str:
    """What the numbers belong to, in a line."""
    around, sizes = check.surroundings, check.surroundings.sizes
    return (
        f"world: {around.world}, protocol: {around.protocol}, CLIP: {around.clip}, {around.precision}; "
        f"{sizes.classes:,} classes × {sizes.per_class} images; {sizes.captions} captions, b = {sizes.b_max}, "
        f"threshold {around.threshold:.4f}"
    )


def report(
    check: Check, measured: Measured, found: Sequence[Finding], numbers: pd.DataFrame, labels: Sequence[str]
) -> str:
    """report.md of one of a check's generators; `labels` are the world's."""
    words = in_words(numbers)
    parts = [
        f"# Sanity check of {in_print(measured.name)}",
        f"{setting(check)}. Architecture: `{measured.architecture}`, {measured.image_size} pixels. The numbers are "
        "this world's only.",
        "## Verdict",
        verdict(measured, found),
        "![samples, worst classes and curves](report.png)",
    ]
    for title, columns in GROUPS.items():
        rows = words[list(columns)]
        kept = rows[(rows.drop(columns=["", "images"], errors="ignore") != "").any(axis=1)]
        parts += [f"## {title}", markdown(kept.rename(columns={"": "generator"})), _notes(check, title)]
    parts += ["## Its worst classes", _worst(measured, labels), "## What else was tried", _tried(measured)]
    return "\n\n".join(parts) + "\n"


def _notes(check: Check, title: str) -> str:
    around = check.surroundings
    if title.startswith("Does"):
        renderer = any(one.name == "renderer" for one in check.ceiling)
        ceiling = (
            "the renderer, which draws the labels themselves, is the ceiling"
            if renderer
            else "there is no ceiling in this world: nothing draws its labels themselves"
        )
        return (
            "Label accuracy: whether CLIP finds an image's own label nearest, or among the five nearest, of all 1,000; "
            f"noise and one grey image are the floor, {ceiling}. Between classes: share of the variance of CLIP's "
            "vectors that lies between classes. Collapsed: classes whose images are nearly one."
        )
    if title.startswith("How good"):
        quality = next(one.quality for one in check.measured)
        assert quality is not None
        few = min(quality.images, quality.photographs)
        caution = (
            f" Caution: {few:,} are few for any of them; differences within their errors say nothing."
            if few < SMALL
            else ""
        )
        bias = f" The Fréchet distance is {around.bias}." if around.bias else ""
        return (
            f"{quality.images:,} images drawn at k = 10 for the captions, against {quality.photographs:,} test "
            "photographs; the row of photographs are those of the train split. Kernel distance: KID ± its standard "
            "error over images, unbiased by their number, about 0 for photographs. It and precision are no measure for "
            "images that are all alike: one grey image may lie among the photographs." + caution + bias
        )
    own = "" if around.own_photograph is None else f" The captions' own photographs score {around.own_photograph:.4f}."
    return (
        "Mean best CLIP score over captions after b images, by k. Noise, the grey image and photographs have no "
        "classes: their scores are the expected best of b of them drawn at random, the photographs' those of the test "
        f"split. The threshold is the train photographs' mean score, {around.threshold:.4f}.{own}"
    )


def _worst(measured: Measured, labels: Sequence[str]) -> str:
    assert measured.labels is not None
    rows = [
        {"class": c, "label": labels[c], "labels nearer than its own (mean)": number(measured.labels.by_class[c])}
        for c in worst(measured)
    ]
    return markdown(pd.DataFrame(rows))


def _tried(measured: Measured) -> str:
    mends, orders, variety, seen = measured.mends, measured.orders, measured.variety, measured.mechanics
    assert mends is not None and orders is not None and variety is not None and seen is not None
    tried = ", ".join(f"{name} {per_cent(value)}" for name, value in mends.top5.items())
    named = ", ".join(f"{name} {per_cent(value)}" for name, value in orders.named.items())
    collapsed = classes_in_words(variety.collapsed) or "none"
    return "\n".join(
        [
            f"- Values: {seen.low:.4g} to {seen.high:.4g}; between two calls they differ by {seen.repeat:.2g}, beside "
            f"other images by {seen.neighbours:.2g}.",
            f"- Images put right (top-5 accuracy){f', taken as {mends.range}' if mends.range else ''}: {tried}.",
            f"- Orders of the classes (top-5 accuracy): as it is {per_cent(orders.top5)}; {named}; the best one-to-one "
            f"order, found on half of the images and tested on the others, {per_cent(orders.matched)}.",
            f"- Pixels vary by {variety.contrast:.3g} grey levels; {per_cent(variety.by_class)} of their variance goes "
            f"with the class, {per_cent(variety.by_z)} with z.",
            f"- Collapsed classes: {collapsed}; classes that give another's images: {len(variety.twins):,}.",
        ]
    )
