"""What has been run: python -m experiments.show [output=outputs].

Lists every run under the folder, finished, unfinished, in work or damaged, as a table; changes nothing.

  python -m experiments.show
  python -m experiments.show output=/scratch/outputs
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from experiments.cli import StopRequest, guarded, run_as_command
from zeroshot.errors import UserError
from zeroshot.report.runs_table import runs_table, shaped
from zeroshot.report.terminal import folded, hanging
from zeroshot.storage.paths import at_home

MEANINGS = {
    "  score     ": "mean best CLIP score",
    "  distinct  ": "different images among the selected",
    "  images    ": "drawn until the mean best score passes the threshold",
}
POOLED = (
    "of the run itself; of runs with a shared pool the first of a generator and seed also makes the pool's images, "
    "which the others find made"
)


def options(arguments: list[str]) -> Path:
    """The folder to look into. Raises UserError for anything but output=…"""
    folder = Path("outputs")
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key != "output" or not equals or not value:
            raise UserError(f"{argument!r} is unknown: give output=FOLDER, or nothing for output=outputs")
        folder = at_home(value)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"output = {folder} is a file: give the folder that runs were written to")
    return folder


def report(table: pd.DataFrame, folder: Path) -> str:
    """The table, what its variants differ in, how many runs of each kind there are, and what can be done next."""
    if table.empty:
        where = folder if folder.exists() else f"{folder} (there is no such folder)"
        return (
            f"No run under {where} yet. Start with:\n"
            "  python -m experiments.reproduce table1 experiment=quick    # make reproduce-table1 EXPERIMENT=quick\n"
            "  python -m experiments.run generator=sagan k=10 seed=42"
        )
    lines = []
    for (world, variant), rows in table.groupby(["world", "variant"], sort=True):
        lines += [*_variant(f"{world}/{variant}", rows), ""]
    finished = table[table["kind"] == "finished"]
    lines += [hanging(head, text) for head, text in MEANINGS.items() if not finished.empty]
    lines += [hanging("  seconds   ", POOLED)] * bool(finished["pooled"].any()) + [""]
    counts = table["kind"].value_counts()
    kinds = [kind for kind in ("finished", "unfinished", "held", "damaged") if kind in counts]
    lines.append(f"{folder}: {', '.join(f'{counts[kind]} {kind}' for kind in kinds)}")
    if "unfinished" in counts:
        lines.append("An unfinished run goes on when its command is given again.")
    if "damaged" in counts:
        lines += [f"damaged: {path}: delete it to run it again" for path in table["path"][table["kind"] == "damaged"]]
    return "\n".join(lines)


def _variant(name: str, rows: pd.DataFrame) -> list[str]:
    """The runs of a folder outputs/<world>/<variant>, below its name and the settings that the name's digits stand
    for."""
    departures = next((d for d in rows["departures"] if d), None)
    told = ", ".join(f"{key}={value}" for key, value in departures.items()) if departures else ""
    lines = [hanging(f"{name}: ", told) if told else name]
    finished = rows[rows["kind"] == "finished"]
    if not finished.empty:
        lines += ["", folded(shaped(finished), heads=3)]
    biases = dict.fromkeys(bias for bias in finished["bias"] if bias)
    lines += [hanging("* ", f"Fréchet distance {bias}") for bias in biases]
    others = rows[rows["kind"] != "finished"]
    return [
        *lines,
        *(hanging(f"{row.generator} k={row.k} seed={row.seed}: ", row.state) for row in others.itertuples()),
    ]


def main(stop: StopRequest) -> None:
    """Look and print."""
    folder = options(sys.argv[1:])
    print(report(runs_table(folder), folder))


if __name__ == "__main__":
    run_as_command(lambda: guarded(main), __doc__)
