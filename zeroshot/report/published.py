"""The paper's published numbers, and ours beside them. They belong to world=paper only."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd

FOLDER = "published"
MEASURES = {"best_clip_score": "table1_clip_score", "frechet_distance": "table1_fid"}


def published_runs() -> pd.DataFrame:
    """Table 3 as printed, in the form of collected runs: columns generator, k, seed and both measures."""
    scores, distances = (_read(name).rename(columns={"fid": "frechet_distance"}) for name in MEASURES.values())
    return scores.merge(distances, on=["generator", "k", "seed"], validate="one_to_one")


def published_table1() -> pd.DataFrame:
    """Table 1 as printed, means of three seeds: columns generator, k, paper_best_clip_score, paper_frechet_distance."""
    means = published_runs().groupby(["generator", "k"])[list(MEASURES)].mean()
    return means.add_prefix("paper_").reset_index()


def published_table2() -> pd.DataFrame:
    """Table 2 as printed: columns generator, k, paper_images_mean, paper_images_std; empty where it says "> 100"."""
    table = _read("table2_images_to_threshold")
    return table.rename(columns={"mean": "paper_images_mean", "std": "paper_images_std"}).drop(columns="note")


def beside_the_paper(table: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Our table with the published value of each measure and the difference (ours - published) as further columns."""
    joined = table.merge(published, on=["generator", "k"], how="left", validate="one_to_one")
    for column in [c for c in published.columns if c.startswith("paper_") and not c.endswith("_std")]:
        measure = column.removeprefix("paper_")
        joined[f"{measure}_difference"] = joined[measure] - joined[column]
    return joined


def _read(name: str) -> pd.DataFrame:
    text = files("zeroshot.report").joinpath(FOLDER, f"{name}.csv")
    with text.open(encoding="utf-8") as file:
        return pd.read_csv(file).assign(generator=lambda t: t["generator"].str.lower())
