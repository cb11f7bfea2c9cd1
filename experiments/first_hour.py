"""What somebody with a GPU does before spending hours on it: a few captions against the published numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from omegaconf import DictConfig

from experiments.cli import StopRequest
from experiments.grid import grid_plan, run_grid
from zeroshot.errors import UserError
from zeroshot.report.first_hour import BY_CHANCE, deviations, in_words, published_points, reasons
from zeroshot.report.tables import markdown
from zeroshot.report.titles import setting_of
from zeroshot.settings import RunSettings
from zeroshot.storage.files import write_text
from zeroshot.worlds.parts import PROTOCOLS

RELEASED = "released"  # the published digits are those of this protocol


def first_hour(config: DictConfig, stop: StopRequest) -> None:
    """Run the configured grid in world=paper and print how far it is from the published best CLIP scores.

    Writes tables/first_hour.csv and .md. Raises UserError for another world, and for a grid of which nothing was
    published.
    """
    plan = grid_plan(config)
    check(plan.runs)
    runs = run_grid(plan.runs, config, stop)[1]
    table, first = deviations(runs), plan.runs[0]
    title = f"First hour: best CLIP score against the published ({setting_of(plan.runs)})"
    lines = [searched(first, int(runs["captions"].iloc[0])), *departed(first), *in_words(table)]
    lines.append(f"Chance explains up to {BY_CHANCE:g} standard errors over captions, to either side.")
    if table["by_chance"].all():
        lines.append("Go on: make reproduce-table1 WORLD=paper PROTOCOL=released DEVICE=cuda")
    else:
        lines += [*reasons(table), "More: docs/running-the-paper.md, docs/protocols.md."]
    folder = plan.folder / "tables"
    write_text(folder / "first_hour.csv", table.to_csv(index=False))
    write_text(folder / "first_hour.md", f"**{title}**\n\n{markdown(table)}\n\n" + "\n".join(lines) + "\n")
    print("\n".join([title, "", *lines, "", f"→ {folder / 'first_hour'}.csv, .md"]))


def check(runs: Sequence[RunSettings]) -> None:
    """Raises UserError where there is nothing published to compare with."""
    world = runs[0].world.name
    if world != "paper":
        raise UserError(
            f"first_hour compares with the paper's published numbers, but world = {world}, and they belong to "
            "world=paper only: give world=paper (make first-hour WORLD=paper DEVICE=cuda)"
        )
    points = {(run.generator.name, run.k) for run in runs}
    if not points & published_points():
        generators, k = (", ".join(map(str, sorted(set(values)))) for values in zip(*published_points(), strict=True))
        raise UserError(
            f"nothing of this grid was published: give grid.generators and grid.k among {generators} and {k}"
        )


def searched(settings: RunSettings, captions: int) -> str:
    """How many captions the numbers are of."""
    batches = settings.protocol.batches_of
    why = f", of {settings.captions:,} asked for: this protocol scores whole batches of {batches} only"
    return f"Searched: {captions:,} captions{why if captions < settings.captions else ''}."


def departed(settings: RunSettings) -> list[str]:
    """A line on the switches in which the runs depart from the protocol of the published numbers, if they do."""
    ours, theirs = dataclasses.asdict(settings.protocol), dataclasses.asdict(PROTOCOLS[RELEASED])
    changed = [f"{key}={value}" for key, value in ours.items() if value != theirs[key] and key != "name"]
    return [f"Not as the released code, whose numbers were published: {', '.join(changed)}."] if changed else []
