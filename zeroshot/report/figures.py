"""Figure 2: mean best CLIP score against the number of images drawn, with a linear and a logarithmic axis."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter

from zeroshot.report.close_up import close_up
from zeroshot.report.collect import curves, mean_and_band
from zeroshot.report.logfit import fit_log
from zeroshot.report.style import NAMES, by_name, k_style
from zeroshot.runs.imagine import checkpoints
from zeroshot.storage.files import write_bytes

TITLE_CHARACTERS = 66  # of a title, above each panel
FITTED = "thin lines: least-squares fits a + c·log b, natural logarithm"
SMALL: dict[str, Any] = {"fontsize": 7.5, "title_fontsize": 7.5, "frameon": False}
SCORE_AXES = {"run": "mean best CLIP score", "expected": "mean expected best CLIP score"}


def figure2(runs: pd.DataFrame, title: str, curve: str = "run", ddof: int = 1) -> Figure:
    """A panel per generator, a curve per k, band = ± standard deviation over seeds, the threshold as a line.

    Below each panel stands a close-up of where its best curves end; not where there are fewer than three k's.

    Args:
        runs: a collected table (`zeroshot.report.collect.collect`).
        title: what the figure's numbers belong to; names the world.
        curve: `run`, the running maximum of the draws in their order, or `expected`, the expected best of b of them.
        ddof: 1, the band is the sample's standard deviation, or 0, the population's (the protocol's `band_ddof`).
    """
    found = curves(runs, curve)
    near = close_up({point: values.mean(axis=0) for point, values in found.items()})
    figure, rows = _panels(runs, title, curve, heights=(3.3, 2.5) if near else (3.6,))
    for panels in rows:
        for (generator, k), values in found.items():
            _draw_curve(panels[generator], values, k, f"k = {k}", ddof)
        for panel in panels.values():
            _draw_threshold(panel, runs)
            panel.set(xlim=(1, max(panel.dataLim.x1, 2)))
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if near:
        for panel in rows[-1].values():
            panel.set(ylim=near)
    lines, labels = next(iter(rows[0].values())).get_legend_handles_labels()
    figure.legend(lines, labels, fontsize=8, frameon=False, loc="outside lower center", ncols=min(7, 4 * len(rows[0])))
    return figure


def figure2_log(runs: pd.DataFrame, title: str, curve: str = "run", ddof: int = 1) -> Figure:
    """Figure 2 with a logarithmic x axis and the least-squares fit a + c·log b of each curve, as a thin line; each
    panel's legend gives a, c and R². Arguments as `figure2`.
    """
    found = curves(runs, curve)
    figure, (panels,) = _panels(runs, title, curve, heights=(5.2,))
    for (generator, k), values in found.items():
        mean = values.mean(axis=0)
        fit = fit_log(mean)
        words = "too few images for a fit" if fit is None else f"{fit.formula}, R² = {fit.r2:.4f}"
        _draw_curve(panels[generator], values, k, f"k = {k}: {words}", ddof)
        if fit is not None:
            b = np.array([1, len(mean)])
            panels[generator].plot(b, fit.at(b), color=k_style(k).colour, linewidth=0.7)
    for panel in panels.values():
        b_max = int(panel.dataLim.x1)
        _draw_threshold(panel, runs)
        panel.set(xscale="log", xlim=(1, max(b_max, 2)))
        panel.set_xticks(list(checkpoints(b_max)))
        panel.xaxis.set_major_formatter(ScalarFormatter())
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.legend(title=FITTED, loc="upper center", bbox_to_anchor=(0.5, -0.14), **SMALL)
    return figure


def _panels(
    runs: pd.DataFrame, title: str, curve: str, heights: tuple[float, ...]
) -> tuple[Figure, list[dict[str, Axes]]]:
    """A figure with rows of empty panels, `heights` inches high, one per generator in the paper's order. The first row
    names the generators, a second is their close-up."""
    generators = sorted(runs["generator"].unique(), key=by_name)
    figure = Figure(figsize=(4.2 * len(generators), sum(heights)), layout="constrained")
    drawn = figure.subplots(len(heights), len(generators), sharey="row", squeeze=False, height_ratios=heights)
    for panel, generator in zip(drawn[0], generators, strict=True):
        panel.set(title=NAMES.get(generator, generator))
    for panel in drawn[-1]:
        panel.set(xlabel="images drawn (b)")
    for panel in drawn.flat:
        panel.grid(alpha=0.25, linewidth=0.5)
    for row, words in zip(drawn, (SCORE_AXES[curve], "the same, close-up"), strict=False):
        row[0].set_ylabel(words)
    figure.suptitle(textwrap.fill(title, TITLE_CHARACTERS * len(generators)), fontsize=8.5)
    return figure, [dict(zip(generators, row, strict=True)) for row in drawn]


def _draw_curve(panel: Axes, values: np.ndarray, k: int, label: str, ddof: int) -> None:
    """Mean and spread of the seeds' curves [seeds, b_max]."""
    b = np.arange(1, values.shape[1] + 1)
    mean, spread = mean_and_band(values, ddof)
    style = k_style(k)
    panel.plot(b, mean, color=style.colour, linestyle=style.line, linewidth=1.4, label=label)
    panel.fill_between(b, mean - spread, mean + spread, color=style.colour, alpha=0.2, linewidth=0)


def _draw_threshold(panel: Axes, runs: pd.DataFrame) -> None:
    height = float(runs["threshold"].iloc[0])
    panel.axhline(height, color="0.35", linewidth=1, linestyle=(0, (4, 3)), label="train threshold")


def save(figure: Figure, folder: Path, name: str, dpi: int = 200) -> list[Path]:
    """Write <folder>/<name>.png and .pdf (fonts embedded); returns their paths."""
    paths = []
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        for suffix in ("png", "pdf"):
            path = folder / f"{name}.{suffix}"
            content = io.BytesIO()
            figure.savefig(content, format=suffix, dpi=dpi)
            write_bytes(path, content.getvalue())
            paths.append(path)
    return paths
