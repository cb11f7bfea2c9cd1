"""The paper's claims, each tested on the numbers of finished runs and never on anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zeroshot.report.claim_measures import (
    LARGEST_DISTANCE_SPREAD,
    LARGEST_SCORE_SPREAD,
    LARGEST_SHARE,
    LOWEST_R2,
    NotTested,
    Numbers,
    Pair,
    Test,
    best_against,
    best_and_next,
    best_between,
    falls_then_rises,
    grows_like_log,
    ninth_of_the_images,
    only_falls,
    scores_lower,
    seeds_agree,
    signed,
)
from zeroshot.report.collect import curves
from zeroshot.report.over_captions import best_by_caption, paired
from zeroshot.report.published import published_runs, published_table2
from zeroshot.report.style import by_name
from zeroshot.report.tables import images_needed, markdown, of_the_paper
from zeroshot.report.terminal import hanging
from zeroshot.storage.files import write_text

HOLDS, FAILS, NOT_TESTED = "yes", "no", "not tested"
INTERVAL = ("difference", "difference_low", "difference_high")  # columns of claims.csv
OVER_CAPTIONS = "paired difference over captions, 95 % by bootstrap"  # and one of claims.md


@dataclass(frozen=True)
class Claim:
    """A claim of the paper in our words, its test, the one generator it is about, if it is about one, and the two k
    whose best scores it compares, if it compares two."""

    sentence: str
    test: Test
    generator: str | None = None
    pair: Pair | None = None


CLAIMS = (
    Claim(
        f"The mean best score grows like log b: a + c·log b fits every curve with R² of {LOWEST_R2} or more.",
        grows_like_log,
    ),
    Claim(
        "An intermediate k scores best (in the paper 10 with SAGAN, 20 with BigGAN).", best_between, pair=best_and_next
    ),
    Claim("k = 1 scores lower than the best intermediate k, in every seed.", scores_lower(1), pair=best_against(1)),
    Claim(
        "k = 1,000 scores lower than the best intermediate k, in every seed.",
        scores_lower(1000),
        pair=best_against(1000),
    ),
    Claim(
        "SAGAN's Fréchet distance falls and then rises with k (steps within the seeds' spread aside).",
        falls_then_rises,
        "sagan",
    ),
    Claim("BigGAN's Fréchet distance only falls with k (steps within the seeds' spread aside).", only_falls, "biggan"),
    Claim(
        "k = 10 passes the threshold with about a ninth of the images that k = 1,000 needs "
        f"(1/{1 / LARGEST_SHARE:.0f} or less).",
        ninth_of_the_images,
    ),
    Claim(
        "Seeds agree on the best score: at every k their standard deviation is "
        f"{100 * LARGEST_SCORE_SPREAD:.0f} % of the mean or less.",
        seeds_agree("scores", LARGEST_SCORE_SPREAD),
    ),
    Claim(
        "Seeds agree on the Fréchet distance: at every k their standard deviation is "
        f"{100 * LARGEST_DISTANCE_SPREAD:.0f} % of the mean or less.",
        seeds_agree("distances", LARGEST_DISTANCE_SPREAD),
    ),
)


def claims(runs: pd.DataFrame) -> pd.DataFrame:
    """Each claim of the paper tested on collected runs, a row per claim and generator.

    Args:
        runs: a collected table (`zeroshot.report.collect.collect`); any part of the grid will do.

    Returns:
        columns claim, generator, measured (in words; where not tested, why) and holds (yes, no, not tested); in
        world=paper also published, the same measure of the paper's printed numbers. Of claims that compare the best
        scores of two k also which (compared: first - second), the mean difference over captions, and its paired
        bootstrap interval over captions (difference_low and difference_high, 95 %); empty of the others.
    """
    found = {generator: mean.mean(axis=0) for generator, mean in curves(runs).items()}
    by_caption = best_by_caption(runs)
    numbers = {g: _numbers(rows, found, by_caption) for g, rows in runs.groupby("generator")}
    beside = _published_numbers() if of_the_paper(runs) else {}
    rows = []
    for claim in CLAIMS:
        for generator in sorted(numbers, key=by_name):
            if claim.generator in (None, generator):
                measured, holds = verdict(claim, numbers[generator])
                row = {"claim": claim.sentence, "generator": generator, "measured": measured, "holds": holds}
                if beside:
                    printed = verdict(claim, beside[generator]) if generator in beside else ("", NOT_TESTED)
                    row["published"] = "" if printed[1] == NOT_TESTED else printed[0]
                rows.append(row | _compared(claim, numbers[generator]))
    return pd.DataFrame(rows)


def verdict(claim: Claim, numbers: Numbers) -> tuple[str, str]:
    """What was measured and whether the claim holds; where it cannot be tested, why not."""
    try:
        measured, holds = claim.test(numbers)
    except NotTested as reason:
        return str(reason), NOT_TESTED
    return measured, HOLDS if holds else FAILS


def _compared(claim: Claim, numbers: Numbers) -> dict[str, object]:
    """Which two k a claim compares, and by how much they differ over captions; None and NaN where it cannot."""
    none: dict[str, object] = {"compared": None} | dict.fromkeys(INTERVAL, float("nan"))
    if claim.pair is None:
        return none
    try:
        first, second = claim.pair(numbers)
    except NotTested:
        return none
    found = paired(numbers.by_caption[first], numbers.by_caption[second])
    values = (found.difference, found.low, found.high)
    return {"compared": f"k = {first:,} − k = {second:,}"} | dict(zip(INTERVAL, values, strict=True))


def interval(row: Mapping[str, Any]) -> str:
    """A claim's comparison in words, from a row of claims.csv: "k = 10 − k = 20: +0.0037, 95 % +0.0021 … +0.0052".

    Empty where there is none, as in rows that version 0.2 wrote; without an interval for a single caption.
    """
    difference, low, high = (float("nan" if row.get(column, "") == "" else row[column]) for column in INTERVAL)
    if np.isnan(difference):
        return ""
    told = f"{row['compared']}: {signed(difference)}"
    return told if np.isnan(low) else f"{told}, 95 % {signed(low)} … {signed(high)}"


def write_claims(table: pd.DataFrame, title: str, folder: Path) -> list[Path]:
    """Write <folder>/claims.csv and .md; `title` names the world. Returns their paths."""
    paths = [folder / "claims.csv", folder / "claims.md"]
    write_text(paths[0], table.to_csv(index=False))
    words = table.drop(columns=["compared", *INTERVAL])
    words[OVER_CAPTIONS] = [interval(row) for row in table.to_dict("records")]
    write_text(paths[1], f"**{title}**\n\n{markdown(words)}\n")
    return paths


def in_words(table: pd.DataFrame) -> str:
    """The claims as lines for a terminal: each sentence once, below it what was measured for each generator."""
    lines = []
    for sentence, rows in table.groupby("claim", sort=False):
        lines.append(str(sentence))
        for row in rows.to_dict("records"):
            published = f" [published: {row['published']}]" if row.get("published") else ""
            beside = f"; {words}" if (words := interval(row)) else ""
            head = f"    {row['generator']:<8} {row['holds']:<11} "
            lines.append(hanging(head, f"{row['measured']}{beside}{published}"))
    return "\n".join(lines)


def _numbers(
    rows: pd.DataFrame, found: dict[tuple[str, int], np.ndarray], by_caption: dict[tuple[str, int], pd.DataFrame]
) -> Numbers:
    generator = rows["generator"].iloc[0]
    return Numbers(
        rows.pivot(index="seed", columns="k", values="best_clip_score"),
        rows.pivot(index="seed", columns="k", values="frechet_distance"),
        images_needed(rows).set_index("k"),
        int(rows["b_max"].iloc[0]),
        {k: mean for (name, k), mean in found.items() if name == generator},
        {k: scores for (name, k), scores in by_caption.items() if name == generator},
    )


def _published_numbers() -> dict[str, Numbers]:
    """The paper's printed numbers by generator; its curves are printed as a picture only."""
    images = published_table2().rename(columns={"paper_images_mean": "images_mean"}).assign(seeds=3)
    images["reached"] = images["images_mean"].notna() * images["seeds"]
    return {
        generator: Numbers(
            rows.pivot(index="seed", columns="k", values="best_clip_score"),
            rows.pivot(index="seed", columns="k", values="frechet_distance"),
            images[images["generator"] == generator].set_index("k"),
            b_max=100,
        )
        for generator, rows in published_runs().groupby("generator")
    }
