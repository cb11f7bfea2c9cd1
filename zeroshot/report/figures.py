"""Figure 2: mean best CLIP score against the number of images drawn."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from zeroshot.report.collect import curves

# Okabe and Ito's palette: told apart by colour-blind readers; line styles tell them apart in grey print.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00")
STYLES = ("-", "-", "--", "-.", ":", "-")
NAMES = {"sagan": "SAGAN", "biggan": "BigGAN"}


def figure2(runs: pd.DataFrame, title: str) -> Figure:
    """A panel per generator, a curve per k, band = ± sample standard deviation over seeds, the threshold as a line.

    Args:
        runs: a collected table (`zeroshot.report.collect.collect`).
        title: what the figure's numbers belong to; names the world.
    """
    found = curves(runs)
    generators = sorted({generator for generator, _ in found}, key=lambda g: (g != "sagan", g))
    all_k = sorted({k for _, k in found})
    threshold = float(runs["threshold"].iloc[0])
    figure = Figure(figsize=(4.2 * len(generators), 3.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(generators), sharey=True))
    for panel, generator in zip(panels, generators, strict=True):
        for number, k in enumerate(all_k):
            if (generator, k) in found:
                _draw_curve(panel, found[generator, k], k, number)
        panel.axhline(threshold, color="0.35", linewidth=1, linestyle=(0, (5, 2)), label="train threshold")
        panel.set(title=NAMES.get(generator, generator), xlabel="images drawn (b)", xlim=(1, None))
        panel.grid(alpha=0.25, linewidth=0.5)
    panels[0].set_ylabel("mean best CLIP score")
    panels[-1].legend(fontsize=8, frameon=False, loc="lower right", ncols=2)
    figure.suptitle(title, fontsize=9)
    return figure


def _draw_curve(panel: matplotlib.axes.Axes, values: np.ndarray, k: int, number: int) -> None:
    b = np.arange(1, values.shape[1] + 1)
    mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
    colour = COLOURS[number % len(COLOURS)]
    panel.plot(b, mean, color=colour, linestyle=STYLES[number % len(STYLES)], linewidth=1.4, label=f"k = {k}")
    panel.fill_between(b, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)


def save(figure: Figure, folder: Path, name: str, dpi: int = 200) -> list[Path]:
    """Write <folder>/<name>.png and .pdf (fonts embedded); returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        for suffix in ("png", "pdf"):
            path = folder / f"{name}.{suffix}"
            partial = folder / f".{name}.partial.{suffix}"
            figure.savefig(partial, dpi=dpi)
            os.replace(partial, path)
            paths.append(path)
    return paths
