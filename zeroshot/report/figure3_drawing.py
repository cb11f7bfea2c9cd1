"""Figure 3 as a drawing; its data: `zeroshot.report.figure3`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from zeroshot.report.figure3 import OF_THE_PAPER, PERCENTILES, Cell, Row
from zeroshot.report.style import NAMES
from zeroshot.settings import RunSettings

# Inches.
CAPTION, SIDE, GAP, BELOW, BELOW_TITLE, MARGIN = 2.25, 1.4, 0.14, 0.58, 0.46, 0.15
PER_INCH = 125  # characters of one point in an inch of text, bold ones included
CHARACTERS, LINES = 29, 7  # of a caption: what fits beside an image
NUMBERED_CHARACTERS = 39  # where each image of a row has a caption of its own
LABEL_CHARACTERS = 19
LINE_SPACING = 1.3
GREY, EMPTY = "0.35", "0.94"


def draw_figure3_rows(rows: Sequence[Row], columns: Sequence[RunSettings], title: str) -> Figure:
    """A row per caption: the photograph, then one image per column, with score and label below.

    Args:
        rows: from `figure3_rows`, for the same columns.
        columns: the settings of the columns, for their heads.
        title: names world, protocol, captions and b.
    """
    width = 2 * MARGIN + CAPTION + (1 + len(columns)) * (SIDE + GAP)
    above: list[tuple[str, dict[str, Any], float]] = [
        (line, {"fontsize": points} | style, points * LINE_SPACING / 72)  # its height in inches
        for text, points, style in ((title, 10, {"weight": "bold"}), (subtitle(rows), 8.5, {"color": GREY}))
        for line in textwrap.wrap(text, int((width - 2 * MARGIN) * PER_INCH / points))
    ]
    head = MARGIN + sum(down for _, _, down in above) + BELOW_TITLE
    height = head + max(1, len(rows)) * (SIDE + BELOW) + MARGIN
    figure = Figure(figsize=(width, height), facecolor="white")
    canvas = figure.add_axes((0, 0, 1, 1))  # in inches, y downwards
    canvas.set(xlim=(0, width), ylim=(height, 0))
    canvas.axis("off")
    y = MARGIN
    for line, style, down in above:
        canvas.text(MARGIN, y, line, va="top", parse_math=False, **style)
        y += down
    heads = [("", "photograph"), *((NAMES.get(c.generator.name, c.generator.name), f"k = {c.k:,}") for c in columns)]
    for number, lines in enumerate(heads):
        for line, up in zip(lines, (0.27, 0.1), strict=True):
            canvas.text(_left(number) + SIDE / 2, head - up, line, fontsize=9.5, ha="center", va="baseline")
    for place, row in enumerate(rows):
        top = head + place * (SIDE + BELOW)
        _draw_caption(canvas, row, top)
        for number, cell in enumerate((row.photograph, *row.cells)):
            _draw_cell(figure, canvas, cell, _left(number), top, None if row.caption else number)
    return figure


def subtitle(rows: Sequence[Row]) -> str:
    """How the captions were chosen."""
    parts = []
    if any("percentile" in row.note for row in rows):
        listed = ", ".join(f"{p}th" for p in PERCENTILES)
        parts.append(f"Test captions at the {listed} percentile of the best score (mean over the columns)")
    if any(row.note == OF_THE_PAPER for row in rows):
        parts.append("captions of the paper's Figure 3")
    return "; ".join(parts) + "." if parts else "Captions as given."


def _left(number: int) -> float:
    return MARGIN + CAPTION + GAP + number * (SIDE + GAP)


def _draw_lines(canvas: Axes, x: float, y: float, lines: Sequence[str], points: float, **style: Any) -> None:
    """Lines of text, the first with its baseline at y: matplotlib would put the last one there."""
    for number, line in enumerate(lines):
        down = number * points * LINE_SPACING / 72
        canvas.text(x, y + down, line, fontsize=points, va="baseline", parse_math=False, **style)


def _draw_caption(canvas: Axes, row: Row, top: float) -> None:
    _draw_lines(canvas, MARGIN, top + 0.11, [row.note], 7.5, color=GREY)
    top += 0.3 if row.note else 0.11
    if row.caption:
        lines = textwrap.wrap(row.caption, CHARACTERS, max_lines=LINES, placeholder=" …")
        _draw_lines(canvas, MARGIN, top, lines, 9)
        return
    numbered = [f"({n}) {cell.caption}" for n, cell in enumerate(row.cells, start=1) if cell.caption]
    wrapped = [textwrap.wrap(text, NUMBERED_CHARACTERS, max_lines=3, placeholder=" …") for text in numbered]
    _draw_lines(canvas, MARGIN, top, [line for lines in wrapped for line in lines], 6.8)


def _draw_cell(figure: Figure, canvas: Axes, cell: Cell, left: float, top: float, number: int | None) -> None:
    """`number`: of its caption among those at the left, where each image has one of its own."""
    middle = left + SIDE / 2
    if cell.image is None:
        canvas.add_patch(Rectangle((left, top), SIDE, SIDE, facecolor=EMPTY, edgecolor="none"))
        _draw_lines(canvas, middle, top + SIDE / 2, [cell.label], 8.5, ha="center", color=GREY)
        return
    width, height = figure.get_size_inches()
    place = figure.add_axes((left / width, 1 - (top + SIDE) / height, SIDE / width, SIDE / height))
    place.imshow(cell.image, interpolation="nearest")
    place.axis("off")
    lines = textwrap.wrap(cell.label, LABEL_CHARACTERS, max_lines=2, placeholder=" …")
    score = [] if cell.score is None else [f"{cell.score:.3f}" + (f" ({number})" if number else "")]
    _draw_lines(canvas, middle, top + SIDE + 0.15, score, 8.5, ha="center", weight="bold")
    _draw_lines(canvas, middle, top + SIDE + (0.29 if score else 0.15), lines, 8, ha="center")
