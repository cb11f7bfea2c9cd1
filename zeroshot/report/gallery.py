"""The page's gallery: captions, their photograph, what each search selected, and how its best image changed with b.

Runs store scores, not images: every image shown is made again from its address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from zeroshot.errors import UserError
from zeroshot.report.figure3 import species
from zeroshot.report.percentiles import at_percentiles
from zeroshot.report.redraw import read_settings, redraw
from zeroshot.report.style import by_name
from zeroshot.runs.directory import read_run_table
from zeroshot.runs.imagine import checkpoints
from zeroshot.strategy_settings import draws_are_known
from zeroshot.worlds.protocols import cut
from zeroshot.worlds.world import World

HIGHEST, LOWEST = 90, 10  # percentiles of the score that are shown, and others evenly between them


@dataclass(frozen=True)
class Shot:
    """The best image so far at some moments of a search: its pixels uint8 [S, S, 3], and when it was the best."""

    image: np.ndarray
    b: int  # which draw it is, counted from 1
    marks: tuple[int, ...]  # of b = 1, 2, 5, 10, 20, 50 …: after so many images it was the best
    score: float
    label: str
    caption: str  # what it was scored with


@dataclass(frozen=True)
class Found:
    """One search: its best-so-far images in their order; the last is the image selected."""

    generator: str
    k: int
    path: tuple[Shot, ...]

    @property
    def selected(self) -> Shot:
        """The winner."""
        return self.path[-1]


@dataclass(frozen=True)
class Entry:
    """A test image, its photograph, and a search per setting.

    The caption is empty where images were scored with different ones of its captions (protocol=released).
    """

    caption: str
    image_id: str
    species: str
    percentile: int  # of the best score, mean over the settings
    photograph: np.ndarray
    searches: tuple[Found, ...]


def gallery(world: World, runs: pd.DataFrame, captions: int = 5, k: Sequence[int] = (10, 1000)) -> list[Entry]:
    """Entries at percentiles of the best score, evenly spaced from HIGHEST to LOWEST.

    Args:
        world: the world of the runs.
        runs: a collected table (`zeroshot.report.collect.collect`); each generator's first seed is shown.
        captions: how many, at least 1; fewer where the runs searched for few.
        k: which k are shown. Where none of them was run, the smallest and the largest that was.

    Raises:
        UserError: captions below 1.
    """
    if captions < 1:
        raise UserError(f"page.captions = {captions}, but a gallery shows at least one: give 1 or more")
    shown = shown_runs(runs, k)
    selected = [read_run_table(path, "selected.parquet").set_index("image_id") for path in shown["path"]]
    if world.test.missing:  # data.allow_missing: what has no photograph cannot be shown beside it
        there = [world.test.image_ids[row] for row in world.test.photographed]
        selected = [table[table.index.isin(there)] for table in selected]
    percentiles = np.linspace(HIGHEST, LOWEST, captions).tolist()
    chosen = at_percentiles([table["score"] for table in selected], percentiles)
    found: dict[str, list[Found]] = {image_id: [] for image_id in chosen}
    for row in tqdm(shown.itertuples(), total=len(shown), desc="gallery", unit="run", leave=False, disable=None):
        for image_id, path in paths(world, row.path, list(found)).items():
            found[image_id].append(Found(row.generator, row.k, path))
    return [_entry(world, image_id, round(chosen[image_id]), tuple(searches)) for image_id, searches in found.items()]


def shown_runs(runs: pd.DataFrame, k: Sequence[int]) -> pd.DataFrame:
    """The runs that a gallery shows: SAGAN's first, by k."""
    of_seed = runs[runs["seed"] == runs["seed"].min()]
    wanted = set(k) & set(of_seed["k"]) or {of_seed["k"].min(), of_seed["k"].max()}
    return of_seed[of_seed["k"].isin(wanted)].sort_values(
        ["generator", "k"], key=lambda c: c.map(by_name) if c.name == "generator" else c, ignore_index=True
    )


def paths(world: World, run: Path, image_ids: Sequence[str]) -> dict[str, tuple[Shot, ...]]:
    """The best-so-far images of some test images in a finished run, by image id; of a strategy whose
    images have no address, the best one."""
    settings = read_settings(run)
    known = draws_are_known(settings.start, settings.refine)
    scores = read_run_table(run, "scores.parquet" if known else "selected.parquet")
    scores = scores[scores["image_id"].isin(list(image_ids))]
    kept, marks = [], []
    for _, rows in scores.sort_values("b", kind="stable").groupby("image_id", sort=False):
        shown = best_after(rows["score"].to_numpy()) if known else {1: (settings.b_max,)}
        for b, at in shown.items():
            kept.append(rows.iloc[b - 1 : b])
            marks.append(at)
    table = pd.concat(kept, ignore_index=True)
    pictures = redraw(world, settings, table)
    found: dict[str, list[Shot]] = {image_id: [] for image_id in image_ids}
    for row, picture, at in zip(table.itertuples(), pictures, marks, strict=True):
        own = world.test.captions[world.test.image_ids.index(row.image_id)]
        caption = cut(own[row.caption_id], settings.protocol)
        shot = Shot(picture, row.b, at, row.score, world.labels[row.label_index], caption)
        found[row.image_id].append(shot)
    return {image_id: tuple(shots) for image_id, shots in found.items()}


def best_after(score: np.ndarray) -> dict[int, tuple[int, ...]]:
    """{a draw (counted from 1): after how many images it was the best}; `score` is float [b_max] in the order drawn."""
    best: dict[int, tuple[int, ...]] = {}
    for mark in checkpoints(len(score)):
        draw = int(score[:mark].argmax()) + 1
        best[draw] = (*best.get(draw, ()), mark)
    return best


def _entry(world: World, image_id: str, percentile: int, searches: tuple[Found, ...]) -> Entry:
    captions = {shot.caption for search in searches for shot in search.path}
    photograph = np.asarray(world.test.image(world.test.image_ids.index(image_id)))
    caption = captions.pop() if len(captions) == 1 else ""
    return Entry(caption, image_id, species(image_id), percentile, photograph, searches)
