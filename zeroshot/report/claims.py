"""The paper's claims, each tested on the numbers of finished runs and never on anything else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from zeroshot.report.claim_measures import (
    LARGEST_DISTANCE_SPREAD,
    LARGEST_SCORE_SPREAD,
    LARGEST_SHARE,
    LOWEST_R2,
    NotTested,
    Numbers,
    Test,
    best_between,
    falls_then_rises,
    grows_like_log,
    ninth_of_the_images,
    only_falls,
    scores_lower,
    seeds_agree,
)
from zeroshot.report.collect import curves
from zeroshot.report.published import published_runs, published_table2
from zeroshot.report.style import by_name
from zeroshot.report.tables import images_needed, markdown, of_the_paper
from zeroshot.storage.files import write_text

HOLDS, FAILS, NOT_TESTED = "yes", "no", "not tested"


@dataclass(frozen=True)
class Claim:
    """A claim of the paper in our words, its test, and the one generator it is about, if it is about one."""

    sentence: str
    test: Test
    generator: str | None = None


CLAIMS = (
    Claim(
        f"The mean best score grows like log b: a + c·log b fits every curve with R² of {LOWEST_R2} or more.",
        grows_like_log,
    ),
    Claim("An intermediate k scores best (in the paper 10 with SAGAN, 20 with BigGAN).", best_between),
    Claim("k = 1 scores lower than the best intermediate k, in every seed.", scores_lower(1)),
    Claim("k = 1,000 scores lower than the best intermediate k, in every seed.", scores_lower(1000)),
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
        world=paper also published, the same measure of the paper's printed numbers.
    """
    found = {generator: mean.mean(axis=0) for generator, mean in curves(runs).items()}
    numbers = {g: _numbers(rows, found) for g, rows in runs.groupby("generator")}
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
                rows.append(row)
    return pd.DataFrame(rows)


def verdict(claim: Claim, numbers: Numbers) -> tuple[str, str]:
    """What was measured and whether the claim holds; where it cannot be tested, why not."""
    try:
        measured, holds = claim.test(numbers)
    except NotTested as reason:
        return str(reason), NOT_TESTED
    return measured, HOLDS if holds else FAILS


def write_claims(table: pd.DataFrame, title: str, folder: Path) -> list[Path]:
    """Write <folder>/claims.csv and .md; `title` names the world. Returns their paths."""
    paths = [folder / "claims.csv", folder / "claims.md"]
    write_text(paths[0], table.to_csv(index=False))
    write_text(paths[1], f"**{title}**\n\n{markdown(table)}\n")
    return paths


def in_words(table: pd.DataFrame) -> str:
    """The claims as lines for a terminal: each sentence once, below it a line per generator."""
    lines = []
    for sentence, rows in table.groupby("claim", sort=False):
        lines.append(str(sentence))
        for row in rows.to_dict("records"):
            published = f" [published: {row['published']}]" if row.get("published") else ""
            lines.append(f"    {row['generator']:<8} {row['holds']:<11} {row['measured']}{published}")
    return "\n".join(lines)


def _numbers(rows: pd.DataFrame, found: dict[tuple[str, int], np.ndarray]) -> Numbers:
    generator = rows["generator"].iloc[0]
    return Numbers(
        rows.pivot(index="seed", columns="k", values="best_clip_score"),
        rows.pivot(index="seed", columns="k", values="frechet_distance"),
        images_needed(rows).set_index("k"),
        int(rows["b_max"].iloc[0]),
        {k: mean for (name, k), mean in found.items() if name == generator},
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
