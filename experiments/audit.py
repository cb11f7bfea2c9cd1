"""One change at a time from protocol=paper to protocol=released: how much each departure of the released code moves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig

from experiments.cli import StopRequest
from experiments.grid import GridPlan, checked_world, grid_plan, run_grid
from zeroshot.report.tables import DISTINCT, bias_of, markdown
from zeroshot.report.terminal import folded
from zeroshot.report.titles import seeds_of, what_of
from zeroshot.settings import ProtocolSettings, RunSettings
from zeroshot.storage.files import write_text
from zeroshot.worlds.parts import PROTOCOLS

MEASURES = ("best_clip_score", "frechet_distance", "threshold")


def switches() -> dict[str, Any]:
    """The fields in which the released protocol differs from the paper's, with their released values."""
    paper, released = (dataclasses.asdict(PROTOCOLS[name]) for name in ("paper", "released"))
    return {key: value for key, value in released.items() if value != paper[key] and key != "name"}


def protocols() -> dict[str, ProtocolSettings]:
    """What is compared: the paper's protocol, it with each switch alone, and the released one."""
    paper = PROTOCOLS["paper"]
    single = {f"{key} = {value}": dataclasses.replace(paper, **{key: value}) for key, value in switches().items()}
    return {"paper": paper} | single | {"released": PROTOCOLS["released"]}


def audit(config: DictConfig, stop: StopRequest) -> None:
    """Run both generators at the configured k under each protocol; print and write tables/audit.csv and .md."""
    plan = grid_plan(config)
    base = [dataclasses.replace(point, k=config.k) for point in plan.runs if point.k == config.grid.k[0]]
    grids: dict[str, list[RunSettings]] = {
        name: [dataclasses.replace(settings, protocol=protocol) for settings in base]
        for name, protocol in protocols().items()
    }
    for grid in grids.values():  # whatever is wrong with one is said before any runs
        checked_world(grid, config)
    rows, all_runs = [], []
    for name, grid in grids.items():
        runs = run_grid(grid, config, stop)[1]
        all_runs.append(runs)
        rows.append(
            runs.groupby("generator", sort=False)[[*MEASURES, DISTINCT]].mean().assign(protocol=name).reset_index()
        )
    table = differences(pd.concat(rows, ignore_index=True))
    folder, first = audit_folder(plan, config.k), base[0]
    title = (
        f"Audit: each departure of the released code alone (world: {first.world.name}, {what_of(base)}, "
        f"{first.captions} captions, b = {first.b_max}, {seeds_of(base)}, {first.search.in_words}"
        f"{bias_of(pd.concat(all_runs, ignore_index=True))})"
    )
    shown = shaped(table)
    write_text(folder / "audit.csv", table.to_csv(index=False))
    write_text(folder / "audit.md", f"**{title}**\n\n{markdown(shown)}\n")
    print(f"{title}\n\n{folded(shown, heads=2)}\n\n→ {folder / 'audit'}.csv, .md\n")


def audit_folder(plan: GridPlan, k: int) -> Path:
    """outputs/<world>/audit, or below it a folder that says in what this one's settings, grid or k differ."""
    place = plan.folder.relative_to(plan.output / plan.runs[0].world.name)  # <variant>, or <variant>/grids/<name>
    told = [part for part in (place.parts[0], *place.parts[2:]) if part != plan.runs[0].protocol.name]
    told += [] if k == RunSettings.k else [f"k-{k}"]
    return plan.output / plan.runs[0].world.name / "audit" / "_".join(told)


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Add to each measure its difference from the paper's protocol, as <measure>_moved."""
    paper = table[table.protocol == "paper"].set_index("generator")
    for measure in MEASURES:
        table[f"{measure}_moved"] = table[measure] - table.generator.map(paper[measure])
    return table[["generator", "protocol", *MEASURES, *(f"{m}_moved" for m in MEASURES), DISTINCT]]


def shaped(table: pd.DataFrame) -> pd.DataFrame:
    """The table as text, one row per generator and protocol."""
    text = table[["generator", "protocol"]].copy()
    for measure, name, digits in zip(
        MEASURES, ("best CLIP score", "Fréchet distance", "threshold"), (4, 2, 4), strict=True
    ):
        text[name] = table[measure].map(f"{{:.{digits}f}}".format)
        text[f"{name}, moved by"] = table[f"{measure}_moved"].map(f"{{:+.{digits}f}}".format)
    text["distinct selected"] = table[DISTINCT].map("{:.1f}".format)
    return text.sort_values("generator", key=lambda c: c != "sagan", kind="stable", ignore_index=True)
