"""Rows of Table 1 from Python: for any generator of a world, one of one's own included."""

from __future__ import annotations

import dataclasses
import html
import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from zeroshot.limits import check_values
from zeroshot.report.collect import collect
from zeroshot.report.tables import bias_of, markdown, paper_shape, table1
from zeroshot.report.titles import setting_of
from zeroshot.runs.run import run, run_path
from zeroshot.settings import RunSettings
from zeroshot.worlds.world import World

PAPER_K = (1, 10, 20, 50, 100, 1000)
PAPER_SEEDS = (42, 43, 44)


class Table1(pd.DataFrame):
    """Table 1 with its numbers in columns, which prints in the paper's shape: k across, under a title that names the
    world. What is taken from it is a plain table."""

    @property
    def shaped(self) -> pd.DataFrame:
        """In the paper's shape, as text."""
        return paper_shape("table1", pd.DataFrame(self), b_max=0)  # which Table 2 alone shows

    def __repr__(self) -> str:
        return f"{self.attrs['title']}\n\n{markdown(self.shaped)}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.attrs['title'])}</p>{self.shaped.to_html(index=False)}"


def evaluate(
    world: World,
    generators: str | Sequence[str],
    *,
    k: Sequence[int] = PAPER_K,
    seeds: Sequence[int] = PAPER_SEEDS,
    b_max: int = 100,
    captions: int | None = None,
    output: str | Path = "outputs",
) -> Table1:
    """Table 1's rows of one or several generators; what is missing is computed, finished runs are reused.

    Args:
        world: from `load_world`.
        generators: names among `world.generator_names`.
        k: labels kept; each of them a row.
        seeds: at least one; the mean and the sample standard deviation are over them.
        b_max: images drawn per caption.
        captions: test images searched for; None: the world's default.
        output: root of all outputs, where the runs lie.

    Returns:
        columns generator, k, best_clip_score, best_clip_score_std, frechet_distance, frechet_distance_std, seeds,
        kernel_distance and kernel_distance_std, and distinct_selected where captions share images; printed it has the
        paper's shape. A warning says where the images are too few for an unbiased Fréchet distance.

    Raises:
        UserError: unknown generator, empty grid, or a number out of range, before anything runs.
        EnvironmentFailure: as `zeroshot.runs.run.run`.

    Example:
        >>> world = load_world("miniature")  # doctest: +SKIP
        >>> evaluate(world, ["sagan", "biggan"], k=[1, 10], seeds=[42], b_max=10, captions=24)  # doctest: +SKIP
    """
    names = [generators] if isinstance(generators, str) else list(generators)
    for key, values in (("generators", names), ("k", list(k)), ("seeds", list(seeds))):
        check_values(key, values)
    base = world.settings if captions is None else dataclasses.replace(world.settings, captions=captions)
    grid: list[RunSettings] = [
        dataclasses.replace(base, generator=world.generator_settings(name), k=kept, seed=seed, b_max=b_max)
        for name, kept, seed in itertools.product(names, k, seeds)
    ]
    for settings in tqdm(grid, desc="evaluate", unit="run", disable=None):
        run(world, settings, Path(output))
    runs = collect(run_path(Path(output), settings) for settings in grid)
    if bias_of(runs):
        warnings.warn(f"few captions{bias_of(runs)}", stacklevel=2)
    table = Table1(table1(runs))
    table.attrs["title"] = f"Table 1: best CLIP score and Fréchet distance ({setting_of(grid)}{bias_of(runs)})"
    return table
