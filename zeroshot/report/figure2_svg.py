"""Figure 2 for the page: the same curves as `zeroshot.report.figures`, as shapes for an inline SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from zeroshot.report.close_up import close_up
from zeroshot.report.collect import curves, mean_and_band
from zeroshot.report.style import NAMES, by_name, k_style
from zeroshot.runs.imagine import checkpoints

# Of a panel, in SVG units.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 300, 52, 12, 10, 42
GEOMETRY = {
    "width": WIDTH,
    "height": HEIGHT,
    "left": LEFT,
    "right": WIDTH - RIGHT,
    "top": TOP,
    "bottom": HEIGHT - BOTTOM,
}
LINE = 1.8  # width of a curve
DARK = 0.05  # luminance below which a colour is not seen on a dark page


@dataclass(frozen=True)
class Line:
    """A k's curve in one panel: SVG path data of the mean and of the band around it."""

    k: int
    mean: str
    band: str


@dataclass(frozen=True)
class Panel:
    """A generator's curves: lines, ticks as (place, text), the scores at its foot and top, and the threshold's height,
    None where that is not between them."""

    generator: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    y_range: tuple[float, float]
    threshold: float | None


@dataclass(frozen=True)
class Style:
    """How a k is drawn everywhere: a colour, the one that takes its place on a dark page, and SVG's dashes."""

    k: int
    colour: str
    on_dark: str
    dashes: str


@dataclass(frozen=True)
class Figure2:
    """The figure as `linear`, `log` and `near` (a close-up, where there is one), and its numbers: {generator: {k: mean
    and spread, float64 [b_max]}}."""

    scales: dict[str, tuple[Panel, ...]]
    styles: tuple[Style, ...]
    means: dict[str, dict[int, np.ndarray]]
    spreads: dict[str, dict[int, np.ndarray]]
    threshold: float

    @property
    def b_max(self) -> int:
        """Images drawn."""
        return len(next(iter(next(iter(self.means.values())).values())))


def figure2_svg(runs: pd.DataFrame, curve: str = "run", ddof: int = 1) -> Figure2:
    """The shapes of Figure 2 with a linear and a logarithmic x axis, and a close-up of the first.

    Args:
        runs: a collected table (`zeroshot.report.collect.collect`).
        curve, ddof: as `zeroshot.report.figures.figure2`.
    """
    found = curves(runs, curve)
    generators = sorted({generator for generator, _ in found}, key=by_name)
    threshold = float(runs["threshold"].iloc[0])
    means: dict[str, dict[int, np.ndarray]] = {generator: {} for generator in generators}
    spreads: dict[str, dict[int, np.ndarray]] = {generator: {} for generator in generators}
    for (generator, k), values in sorted(found.items()):
        means[generator][k], spreads[generator][k] = mean_and_band(values, ddof)
    ends = [m + side * spreads[g][k] for g in generators for k, m in means[g].items() for side in (-1, 1)]
    low, high = (float(f([threshold, *(f(end) for end in ends)])) for f in (np.min, np.max))
    y_range = (low - 0.03 * (high - low), high + 0.03 * (high - low))
    b_max = len(ends[0])
    ranges = {"linear": y_range, "log": y_range}
    if near := close_up({(g, k): mean for g in generators for k, mean in means[g].items()}):
        ranges["near"] = near
    scales = {
        name: tuple(
            _panel(NAMES.get(g, g), means[g], spreads[g], threshold, x_axis(name == "log", b_max), shown)
            for g in generators
        )
        for name, shown in ranges.items()
    }
    return Figure2(scales, styles(sorted({k for _, k in found})), means, spreads, threshold)


def styles(all_k: Sequence[int]) -> tuple[Style, ...]:
    """The colours and dashes of Figure 2."""
    found = []
    for k in all_k:
        style = k_style(k)
        red, green, blue = (int(style.colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        dark = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 < DARK
        dashes = " ".join(f"{LINE * length:g}" for length in style.dashes)
        found.append(Style(k, style.colour, "#FFFFFF" if dark else style.colour, dashes))
    return tuple(found)


def x_axis(log: bool, b_max: int) -> tuple[Callable[[np.ndarray], np.ndarray], tuple[int, ...]]:
    """From b to its place in a panel, and the b that are named."""
    first, last = (0.0, float(np.log(max(b_max, 2)))) if log else (1.0, float(max(b_max, 2)))

    def place(b: np.ndarray) -> np.ndarray:
        return LEFT + ((np.log(b) if log else b) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    if log:
        return place, tuple(checkpoints(b_max))
    ticks = MaxNLocator(5, integer=True, min_n_ticks=2).tick_values(1, b_max)
    return place, tuple(int(b) for b in ticks if 1 <= b <= b_max)


def _panel(
    generator: str,
    means: dict[int, np.ndarray],
    spreads: dict[int, np.ndarray],
    threshold: float,
    axis: tuple[Callable[[np.ndarray], np.ndarray], tuple[int, ...]],
    y_range: tuple[float, float],
) -> Panel:
    place, ticks = axis

    def height(values: np.ndarray) -> np.ndarray:
        return TOP + (y_range[1] - values) / (y_range[1] - y_range[0]) * (HEIGHT - TOP - BOTTOM)

    lines = []
    for k, mean in means.items():
        b = np.arange(1, len(mean) + 1)
        x, low = place(b), y_range[0]
        upper, lower = (height(np.clip(mean + side * spreads[k], *y_range)) for side in (1, -1))
        band = _path(np.concatenate([x, x[::-1]]), np.concatenate([upper, lower[::-1]])) + "Z"
        seen = mean >= low  # the last of them: a mean best score never falls
        if 0 < (first := int((~seen).sum())) < len(mean):  # it comes in at the foot, between two draws
            enters = np.interp(low, mean[first - 1 : first + 1], b[first - 1 : first + 1])
            b, mean = np.append(enters, b[seen]), np.append(low, mean[seen])
        else:
            b, mean = b[seen], mean[seen]
        lines.append(Line(k, _path(place(b), height(mean)), band))
    steps = np.array(MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(*y_range))
    digits = max(0, -int(np.floor(np.log10(steps[1] - steps[0]) + 1e-9)))
    inside = steps[(steps >= y_range[0]) & (steps <= y_range[1])]
    return Panel(
        generator,
        tuple(lines),
        tuple((round(float(place(np.array(b))), 1), f"{b:,}") for b in ticks),
        tuple((round(float(height(y)), 1), f"{y:.{digits}f}") for y in inside),
        y_range,
        round(float(height(np.array(threshold))), 1) if y_range[0] <= threshold <= y_range[1] else None,
    )


def _path(x: np.ndarray, y: np.ndarray) -> str:
    return "M" + "L".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True)) if len(x) else ""
