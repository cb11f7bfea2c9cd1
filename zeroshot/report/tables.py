"""The paper's three tables, as data frames and as CSV, Markdown and LaTeX files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from zeroshot.metrics.bias import bias_note
from zeroshot.report.published import beside_the_paper, published_table1, published_table2
from zeroshot.storage.files import write_text

MEASURES = ("best_clip_score", "frechet_distance")
KERNEL, KERNEL_IN_WORDS = "kernel_distance", "kernel distance"  # which runs before 0.3.0 have not
DISTINCT = "distinct_selected"  # beside the Fréchet distance, which sees it where captions share images
DISTINCT_IN_WORDS = "distinct selected images"
LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", "<": "$<$", ">": "$>$", "|": r"\textbar{}"}
    | {"[": "{[}", "*": "{*}"}  # a row's end would take them from the next row as its option
)


def table3(runs: pd.DataFrame) -> pd.DataFrame:
    """Table 3 (appendix A): both measures seed by seed; rows whose seed is AVG and STD close each generator.

    Args:
        runs: columns generator, k, seed, best_clip_score, frechet_distance, and captions and distinct_selected where
            known.

    Returns:
        columns generator, seed, k, best_clip_score, frechet_distance, kernel_distance where all runs have it, and
        distinct_selected where images are shared.
        STD is the sample standard deviation (ddof = 1), empty where there is one seed only.
    """
    parts, measures = [], measures_of(runs)
    for generator, rows in runs.groupby("generator", sort=True):
        seeds = rows.sort_values(["seed", "k"])[["generator", "seed", "k", *measures]].astype({"seed": str})
        groups = rows.groupby("k", sort=True)[measures]
        for name, values in (("AVG", groups.mean()), ("STD", groups.std(ddof=1))):
            summary = values.reset_index().assign(generator=generator, seed=name)
            seeds = pd.concat([seeds, summary[seeds.columns]])
        parts.append(seeds)
    return pd.concat(parts, ignore_index=True)


def table1(runs: pd.DataFrame) -> pd.DataFrame:
    """Table 1: mean and sample standard deviation over the seeds, one row per generator and k.

    Returns:
        columns generator, k, best_clip_score, best_clip_score_std, frechet_distance, frechet_distance_std, seeds; where
        all runs have it also kernel_distance and kernel_distance_std; where captions share images also
        distinct_selected, the mean number of different ones among the selected; in world=paper also the published
        values (paper_…) and the differences from them.
    """
    measures = measures_of(runs)
    groups = runs.groupby(["generator", "k"], sort=True)
    table = groups[measures].mean().join(groups[measures].std(ddof=1).add_suffix("_std"))
    table["seeds"] = groups["seed"].nunique()
    columns = [name for measure in MEASURES for name in (measure, f"{measure}_std")]
    more = [name for measure in measures if measure == KERNEL for name in (measure, f"{measure}_std")]
    more += [measure for measure in measures if measure == DISTINCT]
    table = table[[*columns, "seeds", *more]].reset_index()
    return beside_the_paper(table, published_table1()) if of_the_paper(runs) else table


def measures_of(runs: pd.DataFrame) -> list[str]:
    """What is averaged: both measures, the kernel distance where all runs have one, and how many of the selected images
    are different where some are shared."""
    shared = DISTINCT in runs and bool((runs[DISTINCT] < runs["captions"]).any())
    known = KERNEL in runs and bool(runs[KERNEL].notna().all())
    return [*MEASURES, *([KERNEL] if known else []), *([DISTINCT] if shared else [])]


def table2(runs: pd.DataFrame) -> pd.DataFrame:
    """Table 2: images until the mean best score exceeds the threshold, one row per generator and k.

    Returns:
        columns generator, k, images_mean, images_std (both empty unless all seeds reach it), reached, seeds; in
        world=paper also the published values (paper_…) and the difference.
    """
    table = images_needed(runs)
    return beside_the_paper(table, published_table2()) if of_the_paper(runs) else table


def images_needed(runs: pd.DataFrame) -> pd.DataFrame:
    """Table 2's own columns from the runs' images_to_threshold, which is missing where a run never reaches it."""
    rows = []
    for (generator, k), group in runs.groupby(["generator", "k"], sort=True):
        images = pd.to_numeric(group["images_to_threshold"])
        complete = bool(images.notna().all())
        rows.append(
            {
                "generator": generator,
                "k": k,
                "images_mean": images.mean() if complete else float("nan"),
                "images_std": images.std(ddof=1) if complete else float("nan"),
                "reached": int(images.notna().sum()),
                "seeds": len(group),
            }
        )
    return pd.DataFrame(rows)


def bias_of(runs: pd.DataFrame) -> str:
    """For titles: that the Fréchet distances of collected runs are of too few images, by the run with the fewest.

    Empty where they are enough, and for runs that do not say how many they were.
    """
    if "frechet_images" not in runs:
        return ""
    fewest = runs.loc[runs["frechet_images"].idxmin()]
    note = bias_note(int(fewest["frechet_images"]), int(fewest["feature_dim"]))
    return f", Fréchet distance {note}" if note else ""


def of_the_paper(runs: pd.DataFrame) -> bool:
    """Whether collected runs belong to world=paper, the only one beside which the published numbers stand."""
    return "world" in runs and bool((runs["world"] == "paper").all())


def paper_shape(name: str, table: pd.DataFrame, b_max: int) -> pd.DataFrame:
    """A table in the paper's shape, its numbers as text: k across, generators (and measures or seeds) down."""
    if name == "table1":
        parts = [
            table.assign(measure="best CLIP score", text=table.best_clip_score.map("{:.4f}".format)),
            table.assign(
                measure="Fréchet distance", text=_plus_minus(table.frechet_distance, table.frechet_distance_std)
            ),
        ]
        if "paper_best_clip_score" in table:
            for name, column, digits in (
                ("best CLIP score", "best_clip_score", 4),
                ("Fréchet distance", "frechet_distance", 2),
            ):
                published, moved = table[f"paper_{column}"], table[f"{column}_difference"]
                parts.append(table.assign(measure=f"{name}, paper", text=published.map(f"{{:.{digits}f}}".format)))
                parts.append(table.assign(measure=f"{name}, difference", text=moved.map(f"{{:+.{digits}f}}".format)))
        long = pd.concat([*parts, *_beside(table)])
        index = ["measure", "generator"]
    elif name == "table2":
        text = _plus_minus(table.images_mean, table.images_std)
        long = table.assign(text=text.where(table.reached == table.seeds, f"> {b_max}"))
        some = (table.reached > 0) & (table.reached < table.seeds)
        partly = table.reached.astype(str) + " of " + table.seeds.astype(str)
        long["text"] = long.text.where(~some, partly)
        index = ["generator"]
        if "paper_images_mean" in table:
            printed = _plus_minus(table.paper_images_mean, table.paper_images_std)
            printed = printed.where(table.paper_images_mean.notna(), "> 100")
            long = pd.concat([long.assign(source="ours"), table.assign(source="paper", text=printed)])
            index = ["generator", "source"]
    else:
        long = pd.concat(
            [
                table.assign(measure="best CLIP score", text=table.best_clip_score.map("{:.6f}".format)),
                table.assign(measure="Fréchet distance", text=table.frechet_distance.map("{:.4f}".format)),
                *_beside(table),
            ]
        )
        index = ["measure", "generator", "seed"]
    shaped = long.pivot(index=index, columns="k", values="text")
    shaped.columns = pd.Index([f"k = {k}" for k in shaped.columns])
    return shaped.replace("nan", "").reset_index().sort_values(index, key=_in_the_papers_order, ignore_index=True)


def _beside(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows to stand beside the Fréchet distance: the kernel distance, and the distinct images where captions share
    some, which the distances see."""
    parts = []
    if KERNEL in table:
        text = table[KERNEL].map(lambda value: f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}")
        if f"{KERNEL}_std" in table:
            digits = table[f"{KERNEL}_std"].map(lambda value: f" ± {value:.0f}" if value >= 100 else f" ± {value:.2g}")
            text += digits.where(table[f"{KERNEL}_std"].notna(), "")
        parts.append(table.assign(measure=KERNEL_IN_WORDS, text=text))
    if DISTINCT in table:
        parts.append(table.assign(measure=DISTINCT_IN_WORDS, text=table[DISTINCT].map("{:.1f}".format)))
    return parts


def _in_the_papers_order(column: pd.Series) -> pd.Series:
    """Scores before distances, SAGAN before BigGAN, seeds before AVG and STD."""
    measures = [
        f"{name}{row}" for name in ("best CLIP score", "Fréchet distance") for row in ("", ", paper", ", difference")
    ] + [KERNEL_IN_WORDS, DISTINCT_IN_WORDS]
    first = {measure: f"0{place}" for place, measure in enumerate(measures)}
    first |= {"sagan": "0", "SAGAN": "0", "AVG": "~1", "STD": "~2"}
    return column.map(lambda value: first.get(value, value))


def write_tables(
    name: str, table: pd.DataFrame, title: str, folder: Path, b_max: int, stem: str | None = None
) -> pd.DataFrame:
    """Write <folder>/<stem>.csv, .md and .tex; `title` names the world, `stem` is `name` where it is not given.

    How many selected images are distinct stands in .md and .tex only; for programs it is in each run's metrics.json.

    Returns the table in the paper's shape.
    """
    stem = stem or name
    shaped = paper_shape(name, table, b_max)
    write_text(folder / f"{stem}.csv", table.drop(columns=DISTINCT, errors="ignore").to_csv(index=False))
    write_text(folder / f"{stem}.md", f"**{title}**\n\n{markdown(shaped)}\n")
    write_text(folder / f"{stem}.tex", latex(shaped, title, stem))
    return shaped


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table, padded so that it also reads well as plain text."""

    def written(cell: object) -> str:  # a name's own backslash before its | is not taken for the escape
        return re.sub(r"(\\*)\|", r"\1\1\|", _one_line(cell))

    rows = [list(map(written, row)) for row in (table.columns, *table.itertuples(index=False))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def latex(table: pd.DataFrame, title: str, label: str) -> str:
    """A LaTeX table environment for a document with booktabs and graphicx, shrunk where it is wider than a line.

    LaTeX numbers it: a number that the title begins with is left out. Its name for \\ref is tab:<label>.
    """

    def written(text: object) -> str:
        return _one_line(text).translate(LATEX)

    def line(cells: Iterable[object]) -> str:
        return " & ".join(map(written, cells)) + r" \\"

    body = [line(row) for row in table.itertuples(index=False)]
    text_columns = sum(not column.startswith("k = ") for column in table.columns)
    alignment = "l" * text_columns + "r" * (table.shape[1] - text_columns)
    head = line(table.columns).replace("k = ", "$k$ = ")
    return "\n".join(
        [
            r"% \usepackage{booktabs,graphicx}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{written(re.sub('^Table [0-9]+: ', '', title))}}}",
            rf"\label{{tab:{label}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def _one_line(text: object) -> str:
    """Text without line breaks of any kind: in Markdown they end a table, in LaTeX two of them a caption."""
    return " ".join(str(text).splitlines())


def _plus_minus(mean: pd.Series, std: pd.Series) -> pd.Series:
    spread = std.map(lambda value: "" if pd.isna(value) else f" ± {value:.2f}")
    return mean.map("{:.2f}".format) + spread
