"""What the page says of where its numbers come from: world, settings, cost and provenance of its runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from zeroshot.report.collect import images_made
from zeroshot.report.redraw import read_settings
from zeroshot.report.style import NAMES, by_name
from zeroshot.report.thresholds import spread
from zeroshot.report.titles import left_out, listed, setting_of
from zeroshot.settings import RunSettings
from zeroshot.worlds.parts import departures
from zeroshot.worlds.world import World

TITLES = {
    "table1": "Table 1: best CLIP score and Fréchet distance",
    "table2": "Table 2: images needed to pass the train split's threshold",
    "table3": "Table 3: best CLIP score and Fréchet distance, seed by seed",
}
WORLDS = {
    "miniature": "miniature, the world embedded in this repository: drawn birds and things, small models of them",
    "paper": "paper, the real one: photographs of birds, OpenAI's CLIP, StudioGAN's SAGAN, BigGAN-deep-256",
}


def facts(world: World, runs: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Names and values as text, in the groups `what was run`, `what it cost` and `made with`.

    Args:
        world: the world of the runs.
        runs: a collected table (`zeroshot.report.collect.collect`).
    """
    settings = [read_settings(path) for path in runs["path"]]
    return {
        "What was run": what(runs, settings) | {"Threshold": threshold(world, runs)},
        "What it cost": cost(runs, settings),
        "Made with": provenance(runs["path"]),
    }


def setting(world: World, runs: pd.DataFrame) -> str:
    """What every title of the page's tables and figures says, as the files' titles do."""
    said = setting_of([read_settings(path) for path in runs["path"]])
    return f"{said[:1].upper()}{said[1:]}{left_out(world.photographs_missing())}"


def summary(groups: dict[str, dict[str, str]]) -> str:
    """The experiment in a sentence or two."""
    run, cost, made = groups.values()
    seeds = "seeds" if "," in run["Seeds"] else "seed"
    return (
        f"Protocol {run['Protocol']}: captions {run['Captions']}, b = {run['Images per caption (b)']}, "
        f"{seeds} {run['Seeds']}, {run['Precision']}; images from {run['Images come from']}. "
        f"{cost['Runs']} runs scored {cost['Images scored']} images and generated {cost['Images generated']}, in "
        f"{cost['Time']}, on {made['Device']}."
    )


def what(runs: pd.DataFrame, settings: list[RunSettings]) -> dict[str, str]:
    """The experiment."""
    first, protocol = settings[0], settings[0].protocol
    changed = {key: value for s in settings for key, value in departures(s).items()}
    each = "one caption each" if protocol.caption == "fixed" else "another of its captions at every image"
    return {
        "World": WORLDS.get(first.world.name, first.world.name),
        "Protocol": protocol.name,
        "Generators": listed(NAMES.get(name, name) for name in sorted(set(runs["generator"]), key=by_name)),
        "Labels kept (k)": listed(f"{k:,}" for k in sorted(set(runs["k"]))),
        "Captions": f"of {runs['captions'].iloc[0]:,} test images, {each}",
        "Images per caption (b)": f"{first.b_max:,}",
        "Seeds": listed(sorted(set(runs["seed"]))),
        "Images come from": source(settings),
        "Precision": first.precision,
        "CLIP": first.clip.model.removeprefix("package:"),
        "Settings other than the world's own": listed(f"{k} = {v}" for k, v in changed.items()) or "none",
    }


def threshold(world: World, runs: pd.DataFrame) -> str:
    """The threshold and the spread of the scores whose mean it is."""
    pairs, photographs = spread(world.train_scores, [len(captions) for captions in world.train.photographed_captions])
    return (
        f"{runs['threshold'].iloc[0]:.4f}, the mean of {len(world.train_scores):,} pairs of a photograph and a caption "
        f"of the train split; standard deviation {pairs:.4f}, "
        f"{photographs:.4f} over the means of {len(world.train):,} photographs"
    )


def source(settings: list[RunSettings]) -> str:
    """Fresh or pooled images, in words."""
    said = {
        "fresh": "fresh draws: each caption has images of its own",
        "pool": "a shared pool: captions share images, {share:.0%} as many as there are draws",
    }
    return listed(said[s.search.images].format(share=s.search.share) for s in settings)


def cost(runs: pd.DataFrame, settings: list[RunSettings]) -> dict[str, str]:
    """Runs, images and time."""
    pooled = all(s.search.images == "pool" for s in settings)
    return {
        "Runs": f"{len(runs):,}",
        "Images scored": f"{int(runs['images'].sum()):,}",
        "Images generated": f"{images_made(runs, pooled):,}",
        "Time": f"{duration(runs['seconds'].sum())}, all runs together",
    }


def provenance(paths: pd.Series) -> dict[str, str]:
    """Every different value that the runs' provenance.json hold."""
    found = [_provenance(path) for path in paths]
    packages = dict.fromkeys(package for one in found for package in one["versions"])
    ends = sorted(one["finished"] for one in found)
    return {
        "Source (git commit)": listed(one["git_commit"] for one in found),
        "Package": listed(f"zeroshot {one['zeroshot']}" for one in found),
        "Device": listed(f"{one['device']}, threads: {one['threads']}" for one in found),
        "Python": listed(one["python"] for one in found),
        "Libraries": ", ".join(f"{p} {listed(one['versions'].get(p, '?') for one in found)}" for p in packages),
        "Finished": listed([ends[0], ends[-1]]).replace(", ", " to ").replace("T", " "),
    }


def _provenance(path: Path) -> dict[str, Any]:
    return json.loads((path / "provenance.json").read_text(encoding="utf-8"))


def duration(seconds: float) -> str:
    """Hours, minutes and seconds as people say them."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"
