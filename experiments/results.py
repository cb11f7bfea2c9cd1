"""What is written of a whole grid: Tables 1 to 3, Figure 2 in both versions, and the claims.

Each writer imports what it draws with: a table needs neither matplotlib nor a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from experiments.grid import GridPlan
from zeroshot.report import claims, tables
from zeroshot.report.collect import curve_table
from zeroshot.report.over_captions import with_standard_error
from zeroshot.report.terminal import folded
from zeroshot.report.thresholds import spread, table2_thresholds, with_images_of
from zeroshot.report.titles import left_out, setting_of
from zeroshot.storage.files import write_text
from zeroshot.worlds.world import World


@dataclass(frozen=True)
class Results:
    """A grid that has been run: its plan, its world, its runs as a collected table."""

    config: DictConfig
    plan: GridPlan
    world: World
    runs: pd.DataFrame

    @property
    def folder(self) -> Path:
        """Where everything is written."""
        return self.plan.folder

    @property
    def setting(self) -> str:
        """What every title ends with; names the world."""
        return f"{setting_of(self.plan.runs)}{left_out(self.world.photographs_missing())}"

    @property
    def curve(self) -> str:
        """`run` or `expected`: what Table 2 and Figure 2 are drawn from."""
        return self.config.curve

    def named(self, name: str) -> str:
        """A file's name: the contract's where it shows the runs' curves, another where it does not."""
        return name if self.curve == "run" else f"{name}_{self.curve}"


def write_table1(results: Results) -> str:
    """Table 1 as table1.csv, .md and .tex; returns what a person is told, as all writers do."""
    title = f"Table 1: best CLIP score and Fréchet distance ({results.setting}{tables.bias_of(results.runs)})"
    table = with_standard_error(tables.table1(results.runs), results.runs)
    return _write_table(results, "table1", table, title)


def write_table2(results: Results) -> str:
    """Table 2, and table2_thresholds.csv with other thresholds."""
    world = results.world
    runs = results.runs if results.curve == "run" else with_images_of(results.runs, results.curve)
    pairs, photographs = spread(world.train_scores, [len(captions) for captions in world.train.photographed_captions])
    what = "images needed" if results.curve == "run" else "images needed, by the expected best of b,"
    title = (
        f"Table 2: {what} to pass the train split's threshold of {world.threshold:.4f} ({results.setting}). The "
        f"threshold is the mean of {len(world.train_scores):,} photograph-caption pairs, standard deviation "
        f"{pairs:.4f}; {photographs:.4f} over the means of {len(world.train):,} photographs"
    )
    other = table2_thresholds(results.runs, world.train_scores, results.curve)
    told = _write_table(results, "table2", tables.table2(runs), title)
    path = results.folder / "tables" / f"{results.named('table2_thresholds')}.csv"
    write_text(path, other.to_csv(index=False))
    return f"{told}\n→ {path}"


def write_table3(results: Results) -> str:
    """Table 3 as table3.csv, .md and .tex."""
    what = "best CLIP score and Fréchet distance, seed by seed"
    title = f"Table 3: {what} ({results.setting}{tables.bias_of(results.runs)})"
    return _write_table(results, "table3", tables.table3(results.runs), title)


def write_figure2(results: Results) -> str:
    """Figure 2, and figure2_log with its fits, as PNG and PDF; its curves as figure2.csv."""
    from zeroshot.report import figures

    what = "mean best CLIP score" if results.curve == "run" else "mean expected best CLIP score"
    title = f"Figure 2: {what} against images drawn ({results.setting})"
    told = [title]
    for name, draw in (("figure2", figures.figure2), ("figure2_log", figures.figure2_log)):
        figure = draw(results.runs, title, results.curve, results.plan.runs[0].protocol.band_ddof)
        paths = figures.save(figure, results.folder / "figures", results.named(name))
        told.append(f"→ {', '.join(map(str, paths))}")
    path = results.folder / "figures" / f"{results.named('figure2')}.csv"
    write_text(path, curve_table(results.runs, results.curve).to_csv(index=False))
    return "\n".join([*told, f"→ {path}"])


def write_claims(results: Results) -> str:
    """The paper's claims as claims.csv and claims.md."""
    title = f"The paper's claims, tested on these numbers only ({results.setting}{tables.bias_of(results.runs)})"
    table = claims.claims(results.runs)
    paths = claims.write_claims(table, title, results.folder / "tables")
    return f"{title}\n\n{claims.in_words(table)}\n\n→ {', '.join(map(str, paths))}"


def write_page(results: Results) -> str:
    """The page, page/index.html: last, because it shows what the others have written."""
    from zeroshot.report import page

    shown = results.config.page
    path = page.write_page(results.world, results.runs, results.folder, shown.captions, shown.k, results.curve)
    return f"Page ({results.setting})\n→ {path}"


WRITERS: dict[str, Callable[[Results], str]] = {
    "table1": write_table1,
    "table2": write_table2,
    "table3": write_table3,
    "figure2": write_figure2,
    "claims": write_claims,
}


def _write_table(results: Results, name: str, table: pd.DataFrame, title: str) -> str:
    folder, own = results.folder / "tables", results.named(name) if name == "table2" else name
    shaped = tables.write_tables(name, table, title, folder, results.plan.runs[0].b_max, own)
    heads = sum(not column.startswith("k = ") for column in shaped.columns)
    return f"{title}\n\n{folded(shaped, heads)}\n\n→ {folder / own}.csv, .md, .tex"
