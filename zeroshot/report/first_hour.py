"""A few captions of world=paper against the published best CLIP scores: does chance explain the deviation, or what?"""

from __future__ import annotations

import pandas as pd

from zeroshot.report.over_captions import STANDARD_ERROR, with_standard_error
from zeroshot.report.published import published_table1
from zeroshot.report.tables import of_the_paper, table1

BY_CHANCE = 2.0  # standard errors: two of three deviations are within one of them, 19 of 20 within two
# What has explained deviations, in the order in which it is worth looking, by whom it concerns: all generators alike
# pass through CLIP with the same captions, so what is wrong there moves them all.
SHARED = (
    "normalisation: CLIP gets the generator's pixels in [-1, 1] as they are, without its mean and standard deviation "
    "(protocol.clip_normalisation=false)",
    "resize: from the generator's size to 224 px, bilinear and without anti-aliasing; another way moves every image "
    "(protocol.clip_resize=bilinear)",
    "wrong checkpoint: CLIP is OpenAI's ViT-B/32 with its quick GELU; captions and split are C-CUB's colour ones",
)
OWN = {
    "sagan": (
        "wrong checkpoint: SAGAN is StudioGAN's of 128 px that pytorch-pretrained-gans loads, not the later training "
        "on Hugging Face",
    ),
    "biggan": (
        "truncation: BigGAN draws z from ±2, times 0.4, with batch-norm statistics of 0.4 (protocol.truncation=0.4)",
        "wrong checkpoint: BigGAN is biggan-deep-256, not its -128 or -512",
    ),
}


def deviations(runs: pd.DataFrame) -> pd.DataFrame:
    """Best CLIP scores of collected runs of world=paper beside the published ones, a row per generator and k that has.

    Returns:
        columns generator, k, captions, best_clip_score, best_clip_score_se (over captions), paper_best_clip_score,
        deviation (ours - published), in_standard_errors, and by_chance: whether that is at most BY_CHANCE; not so where
        there is no standard error.
    """
    if not of_the_paper(runs):
        raise ValueError("published numbers are compared with world=paper only")
    table = with_standard_error(table1(runs), runs).dropna(subset="paper_best_clip_score").reset_index(drop=True)
    table["captions"] = int(runs["captions"].iloc[0])
    table["deviation"] = table["best_clip_score_difference"]
    table["in_standard_errors"] = table["deviation"] / table[STANDARD_ERROR]
    table["by_chance"] = table["in_standard_errors"].abs() <= BY_CHANCE
    beside = ["paper_best_clip_score", "deviation", "in_standard_errors", "by_chance"]
    return table[["generator", "k", "captions", "best_clip_score", STANDARD_ERROR, *beside]]


def published_points() -> set[tuple[str, int]]:
    """Generator and k of each published best CLIP score."""
    return {(str(generator), int(k)) for generator, k in published_table1()[["generator", "k"]].itertuples(index=False)}


def in_words(table: pd.DataFrame) -> list[str]:
    """A line for each row of `deviations`."""
    lines = []
    for row in table.to_dict("records"):
        verdict = "chance explains it" if row["by_chance"] else "chance does not explain it"
        lines.append(
            f"{row['generator']}, k = {row['k']:,}: {row['best_clip_score']:.4f}, published "
            f"{row['paper_best_clip_score']:.4f}; deviation {row['deviation']:+.4f} with a standard error of "
            f"{row[STANDARD_ERROR]:.4f} over {row['captions']:,} captions ({row['in_standard_errors']:+.1f}): {verdict}"
        )
    return lines


def reasons(table: pd.DataFrame) -> list[str]:
    """What usually explains deviations that chance does not, for the generators of `deviations` that have them."""
    off = list(dict.fromkeys(table["generator"][~table["by_chance"]]))
    if not off:
        return []
    on = [generator for generator in dict.fromkeys(table["generator"]) if generator not in off]
    own = [reason for generator in off for reason in OWN.get(generator, ())]
    agreeing = f" (CLIP and captions seem right, since {' and '.join(on)} agrees)" if on else ""
    return [f"What usually explains it{agreeing}:", *(f"- {reason}" for reason in [*(() if on else SHARED), *own])]
