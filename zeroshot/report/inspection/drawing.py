"""A check's picture: samples, the worst classes, labels, distances, and the search's curves."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from zeroshot.report.inspection.rows import PERMUTED, in_print
from zeroshot.report.style import k_style
from zeroshot.runs.inspection.measured import Measured
from zeroshot.runs.inspection.references import GREY, NOISE, PHOTOGRAPHS
from zeroshot.runs.inspection.whole import SHOWN, Check, spaced, worst

OWN, OTHER = "#0072B2", "0.6"
LINES = {NOISE: ("0.35", (0, (1, 1.5))), GREY: ("0.6", (0, (1, 1.5))), PHOTOGRAPHS: ("#000000", (0, (6, 2)))}
ACROSS = 10  # classes in a row of the worst
CHARACTERS = 15  # of a label above its pictures


def draw(check: Check, measured: Measured, numbers: pd.DataFrame, labels: Sequence[str], title: str) -> Figure:
    """The figure of one of a check's generators; `title` says its verdict, and what the numbers belong to."""
    figure = Figure(figsize=(11, 10.6), layout="constrained")
    figure.suptitle("\n".join(textwrap.fill(line, 125) for line in title.splitlines()), fontsize=10, parse_math=False)
    top, middle, bottom = figure.subfigures(3, 1, squeeze=False, height_ratios=[1.65, 3.0, 5.2])[:, 0]
    pictures = check.pictures[measured.name]
    bad = worst(measured)
    _classes(top, "Classes evenly spaced", spaced(measured), pictures, labels, across=ACROSS)
    _classes(middle, "The 20 classes whose labels CLIP finds last", bad, pictures, labels, across=ACROSS)
    left, right = bottom.subfigures(1, 2, width_ratios=[1.15, 1])
    _bars(left, numbers, measured)
    _curves(right.subplots(), check, measured)
    return figure


def _classes(
    figure: SubFigure,
    title: str,
    classes: Sequence[int],
    pictures: dict[int, np.ndarray],
    labels: Sequence[str],
    across: int,
) -> None:
    figure.suptitle(title, fontsize=10)
    rows = -(-len(classes) // across)
    panels = np.atleast_1d(figure.subplots(rows, across)).ravel()
    for panel in panels:
        panel.axis("off")
    for panel, c in zip(panels, classes, strict=False):
        some = pictures[c]
        half = SHOWN // 2  # two beside two
        panel.imshow(np.concatenate([np.concatenate(list(some[:half]), 1), np.concatenate(list(some[half:]), 1)]))
        panel.set_title(
            textwrap.shorten(labels[c], CHARACTERS, placeholder="…") or labels[c][:CHARACTERS], fontsize=7.5
        )


def _bars(figure: SubFigure, numbers: pd.DataFrame, measured: Measured) -> None:
    """Label accuracy and Fréchet distance of every row, the generator's own in colour."""
    upper, lower = figure.subplots(2, 1)
    for panel, key, what, scale in (
        (upper, "top5", "label accuracy, top 5", 100),
        (lower, "frechet_distance", "Fréchet distance (logarithmic)", 1),
    ):
        rows = numbers[numbers[key].notna()]
        values = [scale * float(value) for value in rows[key]]
        names = [str(name) for name in rows["generator"]]
        own = (measured.name, f"{measured.name}{PERMUTED}")
        colours = [OWN if name in own else OTHER for name in names]
        places = np.arange(len(rows))[::-1]
        panel.barh(places, values, color=colours)
        for place, value in zip(places, values, strict=True):
            text = f" {value:.1f} %" if scale == 100 else f" {value:,.0f}"
            panel.text(value, place, text, va="center", fontsize=7.5)
        panel.set_yticks(places, [in_print(name) for name in names], fontsize=7.5)
        panel.set_title(what, fontsize=9)
        panel.tick_params(axis="x", labelsize=7.5)
        panel.spines[["top", "right"]].set_visible(False)
        if scale == 1:
            panel.set_xscale("log")
        panel.margins(x=0.12)
        if scale == 100:
            panel.set_xlim(0, 112)


def _curves(panel: Axes, check: Check, measured: Measured) -> None:
    """Mean best score after b images, by k, between noise, grey and photographs."""
    assert measured.search is not None and measured.permuted_search is not None
    for k, curve in measured.search.curves.items():
        style = k_style(k)
        b = np.arange(1, len(curve) + 1)
        panel.plot(b, curve, color=style.colour, linestyle=style.line, linewidth=1.7, label=f"k = {k:,}")
    permuted = measured.permuted_search.curves[10]
    b = np.arange(1, len(permuted) + 1)
    panel.plot(b, permuted, color=k_style(10).colour, linewidth=0.9, label="k = 10, classes permuted")
    for one in [*check.floors, *check.ceiling]:
        if one.search:
            colour, line = LINES[one.name]
            curve = one.search.curves[0]
            panel.plot(np.arange(1, len(curve) + 1), curve, color=colour, linestyle=line, linewidth=1.3, label=one.name)
    panel.axhline(check.surroundings.threshold, color="0.4", linewidth=0.8, label="threshold")
    panel.set(xscale="log", xlabel="images drawn (b)", ylabel="mean best CLIP score")
    panel.set_xlim(1, len(permuted))
    ticks = [mark for mark in (1, 2, 4, 8, 16, 32, 64, 128) if mark <= len(permuted)]
    panel.set_xticks(ticks, [str(mark) for mark in ticks])
    panel.minorticks_off()
    panel.grid(alpha=0.25, linewidth=0.5)
    panel.set_title("search", fontsize=9)
    panel.legend(fontsize=7.5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3)
