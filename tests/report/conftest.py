"""A small grid of finished runs, shared by what is drawn from it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

import zeroshot
from zeroshot.report import figures
from zeroshot.report.collect import collect
from zeroshot.report.figure3 import figure3_rows
from zeroshot.report.figure3_drawing import draw_figure3_rows
from zeroshot.report.page import write_page
from zeroshot.runs.run import run, run_path
from zeroshot.settings import RunSettings
from zeroshot.worlds.parts import default_run

CLAIMS = """claim,generator,measured,holds
The best score grows like log b,sagan,R² 0.99,yes
"k = 1,000 is <worse> than k = 10",biggan,0.22 < 0.58,no
"k = 50 is the best",sagan,k = 50 was not run,not tested
"""


@dataclass(frozen=True)
class Made:
    """Finished runs, their settings, and the folder outputs/<world>/<variant>."""

    folder: Path
    runs: pd.DataFrame
    settings: tuple[RunSettings, ...]

    @property
    def page(self) -> Path:
        """Where the page lies."""
        return self.folder / "page" / "index.html"


@pytest.fixture(scope="session")
def made(world: zeroshot.World, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two generators, two k and two seeds on a few captions; claims, Figure 3 and the page."""
    output = tmp_path_factory.mktemp("made")
    settings = tuple(
        dataclasses.replace(default_run("miniature", generator), k=k, seed=seed, b_max=6, captions=5)
        for generator in ("sagan", "biggan")
        for k in (10, 1000)
        for seed in (42, 43)
    )
    for one in settings:
        run(world, one, output)
    paths = [run_path(output, one) for one in settings]
    folder = paths[0].parents[3]
    (folder / "tables").mkdir()
    (folder / "tables" / "claims.csv").write_text(CLAIMS, encoding="utf-8")
    columns = [one for one in settings if one.seed == 42]
    title = "Figure 3 (world: miniature)"
    figures.save(draw_figure3_rows(figure3_rows(world, columns, output), columns, title), folder / "figures", "figure3")
    runs = collect(paths)
    write_page(world, runs, folder, captions=3)
    return Made(folder, runs, settings)
