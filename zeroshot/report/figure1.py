"""Figure 1: the method as a drawing, around one search that was really made in a world."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from zeroshot.report.figure3 import search_texts
from zeroshot.report.redraw import redraw
from zeroshot.report.style import NAMES
from zeroshot.settings import RunSettings
from zeroshot.worlds.world import World

CAPTION = "a small blue bird with a white belly"
FIRST_DRAWS = 4  # shown beside the winner and the last draw

WIDTH, HEIGHT = 900, 452  # in hundredths of an inch: pixels where the README shows it
CLIP_FILL, GAN_FILL, PLAIN, LINE, GREY, BEST = "#DCEBF7", "#FBE6CC", "#F4F4F4", "#333333", "#5A5A5A", "#D55E00"


@dataclass(frozen=True)
class Draw:
    """One draw of the search: its image uint8 [S, S, 3]."""

    b: int
    label: str
    score: float
    image: np.ndarray


@dataclass(frozen=True)
class Illustration:
    """A search as Figure 1 shows it: all labels in their ranking with their cosine, some draws, and which b won."""

    caption: str
    world: str
    generator: str
    k: int
    b_max: int
    labels: list[str]
    similarity: np.ndarray  # float64 [1000], descending
    draws: list[Draw]
    best_b: int


def illustrate(world: World, settings: RunSettings, caption: str = CAPTION) -> Illustration:
    """Search for a caption with a run's settings, by Algorithm 1; keeps the first draws, the winner and the last."""
    (task,), scores = search_texts(world, settings, [caption])
    ranking = task.ranking[0]
    best = int(scores.best_b[0])
    shown = sorted({*range(1, min(FIRST_DRAWS, settings.b_max) + 1), best, settings.b_max})
    rows = pd.DataFrame({"image_id": caption, "b": shown, "label_index": scores.class_index[0, np.array(shown) - 1]})
    draws = [
        Draw(b, world.labels[int(scores.class_index[0, b - 1])], float(scores.score[0, b - 1]), picture)
        for b, picture in zip(shown, redraw(world, settings, rows), strict=True)
    ]
    similarity = world.label_embeddings[ranking].astype(np.float64) @ task.text[0].astype(np.float64)
    labels = [world.labels[int(i)] for i in ranking]
    name = NAMES.get(settings.generator.name, settings.generator.name)
    return Illustration(caption, world.name, name, settings.k, settings.b_max, labels, similarity, draws, best)


def draw_method(shown: Illustration) -> Figure:
    """The drawing: what is done once per caption at the left, the loop over b at the right."""
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), facecolor="white")
    canvas = figure.add_axes((0, 0, 1, 1))
    canvas.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    canvas.axis("off")
    _draw_caption(canvas, shown)
    _draw_ranking(canvas, shown)
    _draw_loop(figure, canvas, shown)
    _draw_strip(figure, canvas, shown)
    whose = "the embedded miniature world, not of the paper’s models" if shown.world == "miniature" else shown.world
    footer = f"The numbers and images are of one search with {shown.generator} of {whose}."
    _text(canvas, WIDTH - 10, HEIGHT - 11, footer, 8, color=GREY, ha="right")
    return figure


def _draw_caption(canvas: Axes, shown: Illustration) -> None:
    _box(canvas, 10, 10, 280, 44, PLAIN)
    _text(canvas, 150, 24, "caption", 8, color=GREY)
    _text(canvas, 150, 41, f"“{textwrap.shorten(shown.caption, 44, placeholder=' …')}”", 9.5, parse_math=False)
    _arrow(canvas, (150, 54), (150, 78))
    _box(canvas, 75, 78, 150, 36, CLIP_FILL, "CLIP text tower")
    _arrow(canvas, (150, 114), (150, 146))
    # The caption's embedding also goes to the score, past the ranking.
    canvas.plot([225, 826], [96, 96], color=LINE, linewidth=1.1)
    _arrow(canvas, (826, 96), (826, 170))
    _text(canvas, 252, 86, r"$h_\mathrm{txt}$, the caption’s embedding", 9, ha="left")


def _draw_ranking(canvas: Axes, shown: Illustration) -> None:
    """Some ranks of the 1,000 labels with bars for their cosine; the top k framed."""
    _box(canvas, 10, 146, 280, 282, PLAIN)
    _text(canvas, 150, 164, f"rank the {len(shown.labels):,} labels by the cosine of", 9)
    _text(canvas, 150, 181, r"“An image of {label}” with $h_\mathrm{txt}$", 9)
    ranks = shown_ranks(shown.k, len(shown.labels))
    step, top = 25, 208
    kept = ranks.index(shown.k) + 1
    frame = FancyBboxPatch((16, top - 13), 268, kept * step, boxstyle="round,pad=0,rounding_size=5")
    frame.set(facecolor="white", edgecolor=BEST, linewidth=1.4)
    canvas.add_patch(frame)
    longest = float(np.abs(shown.similarity).max())
    for place, rank in enumerate(ranks):
        y = top + place * step
        if rank is None:
            _text(canvas, 38, y, "⋮", 10, color=GREY)
            continue
        cosine = float(shown.similarity[rank - 1])
        _text(canvas, 54, y, f"{rank:,}", 8.5, ha="right", color=GREY)
        _text(canvas, 62, y, textwrap.shorten(shown.labels[rank - 1], 20, placeholder=" …"), 9, ha="left")
        canvas.barh(y, 52 * max(0.0, cosine) / longest, height=9, left=192, color="#8FB8DE")
        _text(canvas, 280, y, f"{cosine:.2f}".replace("-", "−"), 8.5, ha="right")
    _arrow(canvas, (284, 205), (348, 205))
    _text(canvas, 313, 222, "top k", 9, color=BEST, weight="bold")


def shown_ranks(k: int, count: int) -> list[int | None]:
    """At most nine ranks that are listed, among them k, the one after it and the last; None: some are left out."""
    wanted = sorted({1, 2, 3, 4, k, min(k + 1, count), count} if k >= 4 else {*range(1, k + 4), count})
    ranks: list[int | None] = []
    for before, rank in zip([0, *wanted], wanted, strict=False):
        ranks += [rank] if rank == before + 1 else [None, rank]
    return ranks


def _draw_loop(figure: Figure, canvas: Axes, shown: Illustration) -> None:
    frame = FancyBboxPatch((339, 130), 553, 298, boxstyle="round,pad=0,rounding_size=9")
    frame.set(facecolor="none", edgecolor=GREY, linewidth=1.2, linestyle=(0, (5, 3)))
    canvas.add_patch(frame)
    title = f"for b = 1 … {shown.b_max:,}     (here k = {shown.k:,})"
    _text(canvas, 350, 149, title, 9.5, ha="left", weight="bold")
    _box(canvas, 348, 170, 122, 70, "white", "y ~ Uniform(top k)\nz ~ N(0, I)")
    _box(canvas, 488, 170, 114, 70, GAN_FILL, "class-conditional\nGAN\nx = G(z, y)")
    _picture(figure, shown.draws[0].image, 621, 177, 56)
    _box(canvas, 696, 170, 60, 70, CLIP_FILL, "CLIP\nimage\ntower")
    _box(canvas, 774, 170, 110, 70, "white", "score $s_b =$\n$\\cos(h_\\mathrm{txt}, h_\\mathrm{img})$")
    for start, stop in ((470, 488), (602, 620), (678, 696), (756, 774)):
        _arrow(canvas, (start, 205), (stop, 205))


def _draw_strip(figure: Figure, canvas: Axes, shown: Illustration) -> None:
    """The draws with their scores; the winner framed."""
    canvas.plot([826, 826], [240, 268], color=LINE, linewidth=1.1)
    _arrow(canvas, (826, 268), (626, 268))
    _text(canvas, 350, 268, "keep the image of the highest score", 9.5, ha="left", weight="bold")
    side, gap, between = 70, 13, 22
    x, previous = 354, 0
    for draw in shown.draws:
        if draw.b > previous + 1:
            _text(canvas, x + (between - gap) / 2, 322, "…", 12, color=GREY)
            x += between
        style = {"color": BEST, "weight": "bold"} if draw.b == shown.best_b else {}
        _picture(figure, draw.image, x, 286, side, style.get("color"))
        middle = x + side / 2
        _text(canvas, middle, 368, f"b = {draw.b}", 8.5, **style)
        _text(canvas, middle, 384, f"{draw.score:.3f}", 9, **style)
        for number, line in enumerate(textwrap.wrap(draw.label, 13, max_lines=2, placeholder=" …")):
            _text(canvas, middle, 400 + 14 * number, line, 8, color=GREY)
        x, previous = x + side + gap, draw.b


def _text(canvas: Axes, x: float, y: float, text: str, points: float, **style: Any) -> None:
    canvas.text(x, y, text, fontsize=points, **{"ha": "center", "va": "center"} | style)


def _box(canvas: Axes, x: float, y: float, width: float, height: float, fill: str, text: str = "") -> None:
    box = FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=6")
    box.set(facecolor=fill, edgecolor=LINE, linewidth=1)
    canvas.add_patch(box)
    _text(canvas, x + width / 2, y + height / 2, text, 8.8, linespacing=1.35)


def _arrow(canvas: Axes, start: tuple[float, float], stop: tuple[float, float]) -> None:
    canvas.add_patch(
        FancyArrowPatch(
            start, stop, arrowstyle="-|>", mutation_scale=9, color=LINE, linewidth=1.1, shrinkA=0, shrinkB=0
        )
    )


def _picture(figure: Figure, image: np.ndarray, x: float, y: float, side: float, frame: str | None = None) -> None:
    place = figure.add_axes((x / WIDTH, 1 - (y + side) / HEIGHT, side / WIDTH, side / HEIGHT))
    place.imshow(image, interpolation="nearest")
    place.set(xticks=[], yticks=[])
    for spine in place.spines.values():
        spine.set(visible=frame is not None, color=frame or "none", linewidth=2.5)
