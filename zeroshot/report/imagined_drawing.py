"""The pictures of a search for one's own sentence: the best so far in a row, and the curve of its scores."""

from __future__ import annotations

import io
import textwrap
import warnings

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from zeroshot.report.style import k_style
from zeroshot.runs.imagine import SearchResult
from zeroshot.searching.prompts import sentence

COLUMNS = 6  # pictures in a row of the strip
# For prompts in scripts that matplotlib's own font lacks, whichever of these is installed.
FONTS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Noto Sans", "Unifont")


def strip(result: SearchResult, setting: str) -> Figure:
    """The best-so-far images in a row, b and score under each; `setting` names the world."""
    count = len(result.steps)
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    title = _wrapped(sentence(result.prompts), 18 * max(columns, 2))
    head = 0.2 * (title.count("\n") + 1) + 0.25  # inches above the pictures
    size = (1.7 * max(columns, 2) + 0.2, 2.3 * rows + head)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.08))
    panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for panel in panels[count:]:
        panel.axis("off")
    for panel, step in zip(panels, result.steps, strict=False):
        panel.imshow(step.image, interpolation="nearest")
        label = textwrap.shorten(step.label, 24, placeholder=" …")
        below = f"b = {step.b}\nscore {step.score:.4f}\n{label}"
        panel.set_xlabel(below, fontsize=7.5, linespacing=1.35, parse_math=False)
        panel.set(xticks=[], yticks=[], frame_on=False)
    _titled(figure, title, setting)
    return figure


def curve(result: SearchResult, setting: str) -> Figure:
    """The score of every evaluation, the running best, and the winner; `setting` names the world."""
    b = result.paid
    title = _wrapped(sentence(result.prompts), 80)
    figure = Figure(figsize=(6.4, 3.6 + 0.17 * title.count("\n")), layout="constrained")
    axes = figure.subplots()
    colour, best = k_style(len(result.labels)).colour, np.maximum.accumulate(result.scores)
    axes.plot(b, result.scores, ".", color="0.6", markersize=4, label="each image", zorder=1)
    axes.step(b, best, where="post", color=colour, linewidth=1.6, label="best so far", zorder=2)
    winner = f"b = {result.b}: {result.score:.4f}"
    axes.plot([result.b], [result.score], "*", color=colour, mec="black", markersize=11, label=winner, zorder=3)
    axes.set(
        xlabel="images drawn (b)" if result.strategy == "random" else "evaluations paid for (b)", ylabel="CLIP score"
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.02)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(fontsize=8, frameon=False, loc="lower right", ncols=3, bbox_to_anchor=(1, 1), borderaxespad=0.1)
    _titled(figure, title, setting)
    return figure


def as_png(figure: Figure) -> bytes:
    """The figure's file, in fonts that have the prompt's letters where the machine has one."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    families = ["DejaVu Sans", *(name for name in FONTS if name in known)]
    buffer = io.BytesIO()
    with matplotlib.rc_context({"font.family": families}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box is drawn; the JSON has the text
        for text in figure.findobj(matplotlib.text.Text):
            text.set_fontfamily(families)
        figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()


def _wrapped(text: str, width: int) -> str:
    """At most three lines."""
    return "\n".join(textwrap.wrap(" ".join(text.split()), width, max_lines=3, placeholder=" …"))


def _titled(figure: Figure, title: str, setting: str) -> None:
    figure.suptitle(title, fontsize=9.5, parse_math=False)
    figure.supxlabel(setting, fontsize=7, color="0.35", parse_math=False)
