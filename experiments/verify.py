"""Results held against their raw scores: python -m experiments.verify FOLDER.

Works Tables 1 to 3, Figure 2's curves and the images to the threshold out again from scores.parquet alone, by code of
its own, and compares them with tables/*.csv, figures/figure2*.csv and each run's metrics.json. Changes nothing.

  python -m experiments.verify outputs/miniature/paper
  python -m experiments.verify outputs/miniature/paper/grids/k-1-10_seeds-42        one grid and its runs
  python -m experiments.verify outputs/miniature/paper/runs/sagan/k=0010/seed=42    one run

Exit codes: 0 all agrees, 2 FOLDER holds no results, 3 the first difference, or a file that is missing or damaged.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from experiments import recomputed
from experiments.cli import StopRequest, guarded, run_as_command
from experiments.differences import compare_numbers, compare_table, number, read_rows
from experiments.recomputed import Recomputed, read_run
from zeroshot.errors import EnvironmentFailure, Interrupted, UserError
from zeroshot.runs.directory import stated_sha256
from zeroshot.storage.files import sha256
from zeroshot.storage.paths import at_home

NAMED = 3  # folders of results in a refusal
FILES = (
    "tables/table1.csv",
    "tables/table3.csv",
    *(f"tables/table2{name}{curve}.csv" for name in ("", "_thresholds") for curve in ("", "_expected")),
    *(f"figures/figure2{curve}.csv" for curve in ("", "_expected")),
)
# What a table's Markdown file says that it is made of: generators, k and seeds. Version 0.2 did not say it.
TITLE = re.compile(r"\(world: [^,]+, protocol: [^,]+, (.+), k = ([\d, ]+), \d+ captions, b = \d+, seeds? ([\d, ]+), ")
STANDARD_ERROR = "best_clip_score_se"  # of Table 1; version 0.2 did not write it
Point = tuple[str, int, int]  # generator, k, seed


@dataclass
class Verified:
    """What has been compared so far."""

    stop: StopRequest
    expected: bool = False  # whether a file shows the expected best of b
    runs: dict[Path, Recomputed] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)  # a line for each

    def run(self, path: Path) -> Recomputed:
        """A run's numbers, once they agree with its metrics.json. Raises EnvironmentFailure where they do not."""
        if self.stop():
            raise Interrupted(str(path))
        if path not in self.runs:
            run = read_run(path, self.expected)
            compare_metrics(run)
            self.runs[path] = run
        return self.runs[path]


def verify(folder: Path, stop: StopRequest) -> str:
    """Compare all that a folder holds; returns the report.

    Raises UserError where there is nothing to compare, EnvironmentFailure with the first difference.
    """
    runs, places = results_in(folder)
    verified = Verified(stop, any("_expected" in file.stem for place in places for file in files_of(place)))
    for path in runs:
        verified.run(path)
    for place in places:
        compare_place(place, verified)
    return report(folder, verified, places)


def results_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """The finished runs in a folder, and the folders that hold tables and figures of grids. Raises UserError."""
    allowed = "give outputs/<world>/<protocol>, a grid under its grids/, or a run's folder"
    if not folder.is_dir():
        raise UserError(f"{folder} is {'a file' if folder.exists() else 'not there'}: {allowed}")
    if (folder / "metrics.json").exists() or (folder / "scores.parquet").exists():
        return [folder], []
    if (folder / "runs").is_dir():
        runs = [file.parent for file in sorted(folder.glob("runs/*/k=*/seed=*/metrics.json"))]
        places = [place for place in (folder, *sorted(folder.glob("grids/*"))) if any(files_of(place))]
        if not runs and not places:
            raise UserError(f"{folder} has no finished run yet: experiments.show lists what there is")
        return runs, places
    here = folder.resolve()
    if here.parent.name == "grids" and (here.parents[1] / "runs").is_dir() and any(files_of(here)):
        return [], [here]
    above = [parent for parent in here.parents if (parent / "runs").is_dir()][:1]
    below = (
        file.parents[4] for depth in ("*", "*/*", "*/*/*") for file in folder.glob(f"{depth}/runs/*/*/*/metrics.json")
    )
    found = [*above, *sorted(set(below))]
    instead = f" (there is {', '.join(map(str, found[:NAMED]))})" if found else ""
    raise UserError(f"{folder} holds no results{instead}: {allowed}")


def compare_metrics(run: Recomputed) -> None:
    """Hold a run's metrics.json against its scores. Raises EnvironmentFailure with the first difference."""
    file, images = run.path / "metrics.json", run.images_to(run.metrics["threshold"])
    wanted = {
        "generator": run.generator,
        "k": run.k,
        "seed": run.seed,
        "b_max": len(run.curves["run"]),
        "captions": len(run.best),
        "images": run.scores,
        "best_clip_score": float(run.best.mean()),
        "images_to_threshold": None if pd.isna(images) else int(images),
    }
    compare_numbers(file, run.metrics, wanted)
    stated = stated_sha256(run.path).get(file.name)
    if stated and sha256(file.read_bytes()) != stated:
        raise EnvironmentFailure(f"{file} is not what the run wrote: provenance.json states another sha256 of it")


def compare_place(place: Path, verified: Verified) -> None:
    """Hold the tables and curves of one grid against its runs. Raises EnvironmentFailure with the first difference."""
    base = place if (place / "runs").is_dir() else place.parents[1]
    runs = [verified.run(run_of(base, place.name, *point)) for point in points_of(place, base)]
    for file in files_of(place):
        name, ending, _ = file.stem.partition("_expected")
        kind = "expected" if ending else "run"
        match name:
            case "table1":
                wanted = recomputed.table1(runs)
            case "table2":
                wanted = recomputed.table2(runs, kind)
            case "table2_thresholds":
                wanted = _table2_thresholds(file, runs, kind)
            case "table3":
                wanted = recomputed.table3(runs)
            case _:
                wanted = recomputed.figure2(runs, kind)
        count = compare_table(file, wanted, optional=[STANDARD_ERROR])
        verified.tables.append(f"{file.relative_to(base)}: {len(wanted):,} rows, {count:,} numbers")


def files_of(place: Path) -> list[Path]:
    """The files of a grid that follow from scores."""
    return [place / name for name in FILES if (place / name).exists()]


def points_of(place: Path, base: Path) -> list[Point]:
    """The runs that a grid's files are made of: what a title says, or else the rows; a grid is a product.

    Raises EnvironmentFailure where neither says it.
    """
    if not files_of(place):
        return []
    for text in sorted(place.glob("tables/table*.md")):
        if found := TITLE.search(text.read_text(encoding="utf-8", errors="replace").partition("\n")[0]):
            return _product(*(words.split(", ") for words in found.groups()))
    rows = [row for file in files_of(place) for row in read_rows(file, ["generator", "k"])]
    generators, k, seeds = ({row[key] for row in rows if key in row} for key in ("generator", "k", "seed"))
    seeds = seeds - {"AVG", "STD"} or {p.name.partition("=")[2] for p in base.glob("runs/*/k=*/seed=*")}
    return _product(generators, k, seeds)


def _product(*axes: Iterable[str]) -> list[Point]:
    """Raises EnvironmentFailure where k or a seed is no number."""
    try:
        return [(generator, int(k), int(seed)) for generator, k, seed in itertools.product(*map(sorted, axes))]
    except ValueError as error:
        raise EnvironmentFailure(f"a table's k and seeds must be numbers ({error}): write it again") from None


def run_of(base: Path, grid: str, generator: str, k: int, seed: int) -> Path:
    """A run's folder below outputs/<world>/<variant>, or beside it where the grid's name gives the generator a variant.

    Raises EnvironmentFailure where it has not been finished.
    """
    if own := re.search(rf"(?:^|-){re.escape(generator)}\+([0-9a-z]+)", grid):
        beside = [base.parent / own[1], *base.parent.glob(f"*+{own[1]}")]
        base = next((folder for folder in beside if folder.is_dir()), base)
    path = base / "runs" / generator / f"k={k:04d}" / f"seed={seed}"
    if not (path / "metrics.json").exists():
        raise EnvironmentFailure(f"{path} is not there or not finished, but a table or figure is said to be made of it")
    return path


def _table2_thresholds(file: Path, runs: list[Recomputed], kind: str) -> pd.DataFrame:
    """Table 2 for each of the thresholds that the file names; that of the name `mean` is the runs' own."""
    rows = pd.DataFrame(read_rows(file, ["threshold_name", "threshold"]))
    parts = []
    for name, texts in rows.groupby("threshold_name")["threshold"]:
        text = texts.mode()[0]  # that of most rows of the name: the row that differs is the one to be named
        threshold = runs[0].metrics["threshold"] if name == "mean" else number(text)
        if threshold is None:
            raise EnvironmentFailure(f"{file}, threshold of {name}: {text!r:.40} is no number")
        table = recomputed.table2(runs, kind, threshold).assign(threshold=threshold, threshold_name=name)
        parts.append(table.set_index("threshold_name", append=True))
    return pd.concat(parts)


def report(folder: Path, verified: Verified, places: list[Path]) -> str:
    """What was compared, and what cannot be."""
    runs = verified.runs.values()
    lines = [
        f"{folder}: every number agrees with the scores, to nine digits",
        f"  {len(runs):,} metrics.json: best CLIP score, images to threshold and counts, from "
        f"{sum(run.scores for run in runs):,} scores",
        *(f"  {line}" for line in verified.tables),
        "Not in the scores, so taken from metrics.json: Fréchet distances and the threshold.",
    ]
    others = {file.name for place in places for file in place.glob("tables/*.csv")} - {Path(f).name for f in FILES}
    if verified.tables:
        lines.append(
            f"Not compared: {', '.join([*sorted(others), 'what .md, .tex, pictures and the page show of these'])}."
        )
    started, finished = (len(list(folder.glob(f"runs/*/k=*/seed=*{name}"))) for name in ("", "/metrics.json"))
    if started > finished:
        lines.append(f"Not finished, so left out: {started - finished} of {started} runs.")
    if unsigned := sum(not run.signed for run in runs):
        lines.append(f"Scores that state no checksum of their own: {unsigned} of {len(runs)} runs.")
    return "\n".join(lines)


def options(arguments: list[str]) -> Path:
    """The folder to verify. Raises UserError for anything but one."""
    if len(arguments) != 1:
        given = " ".join(map(repr, arguments)) or "nothing"
        raise UserError(f"{given} was given, but one FOLDER is verified: give one, such as outputs/miniature/paper")
    (text,) = arguments
    if not text or text.startswith("-") or (re.match(r"[a-z_.]+=", text) and not Path(text).exists()):
        raise UserError(f"{text!r} is unknown: give a FOLDER alone, such as outputs/miniature/paper")
    return at_home(text)


def main(stop: StopRequest) -> None:
    """Verify and print."""
    print(verify(options(sys.argv[1:]), stop))


if __name__ == "__main__":
    run_as_command(lambda: guarded(main), __doc__)
