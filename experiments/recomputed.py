"""What `experiments.verify` holds results against: the numbers of the tables, worked out again from the raw scores.

Written a second time on purpose, with NumPy and pandas and nothing of `zeroshot.metrics` or `zeroshot.report`, so that
a mistake there does not confirm itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zeroshot.errors import EnvironmentFailure
from zeroshot.limits import MOST_IMAGES
from zeroshot.storage.files import Damaged
from zeroshot.storage.tables import read_table

POINT = ["generator", "k"]  # of a grid; its seeds are averaged
NUMBERS = ("k", "seed", "b_max", "threshold", "frechet_distance")  # taken from metrics.json as they stand
PLACE = re.compile(r"/runs/([^/]+)/k=(\d+)/seed=(\d+)$")


@dataclass(frozen=True)
class Recomputed:
    """A finished run: what its metrics.json says, and what its scores.parquet gives."""

    path: Path
    generator: str
    k: int
    seed: int
    metrics: dict[str, Any]
    scores: int  # rows of scores.parquet
    signed: bool  # whether scores.parquet states a checksum of its content, which was right
    best: pd.Series  # best score by image id
    curves: dict[str, np.ndarray]  # run and expected: mean best score after b images, float64 [b_max]

    def images_to(self, threshold: float, kind: str = "run") -> float:
        """The smallest b, from 1, whose mean best score is above the threshold; NaN where none is."""
        above = self.curves[kind] > threshold
        return float(above.argmax() + 1) if above.any() else np.nan


def read_run(path: Path, expected: bool = True) -> Recomputed:
    """A finished run's folder: runs/<generator>/k=0010/seed=42, or a copy of it under another name.

    Args:
        path: the folder.
        expected: whether the expected best of b is wanted too; it needs 8·b_max² bytes.

    Raises EnvironmentFailure for a file that is missing, damaged, or not what such a file holds.
    """
    metrics = read_mapping(path / "metrics.json")
    for key in NUMBERS:
        if isinstance(metrics.get(key), bool) or not isinstance(metrics.get(key), int | float):
            raise EnvironmentFailure(f"{path / 'metrics.json'}: {key} is {metrics.get(key)!r:.40}, no number")
    file = path / "scores.parquet"
    table, signed = _read_scores(file)
    try:
        scores = _by_image(table, int(metrics["b_max"]), sparse=metrics.get("strategy", "random") != "random")
    except (KeyError, TypeError) as error:
        raise EnvironmentFailure(f"{file} is no run's scores ({type(error).__name__}: {error})") from None
    except ValueError as reason:
        raise EnvironmentFailure(f"{file} is no run's scores: {reason}; give the run's command again") from None
    named = PLACE.search(path.absolute().as_posix())  # what a reader takes it for
    generator, k, seed = named.groups() if named else (metrics.get("generator"), metrics["k"], metrics["seed"])
    curves = {"run": np.maximum.accumulate(scores.to_numpy(), axis=1).mean(axis=0)}
    if expected:
        curves["expected"] = expected_curve(scores.to_numpy())
    return Recomputed(path, str(generator), int(k), int(seed), metrics, len(table), signed, scores.max(axis=1), curves)


def _read_scores(file: Path) -> tuple[pd.DataFrame, bool]:
    """The table, and whether it states a checksum of its content. Raises EnvironmentFailure."""
    for signed in (True, False):
        try:
            return read_table(file, signed), signed
        except FileNotFoundError:
            raise EnvironmentFailure(f"{file} is missing: nothing can be recomputed without a run's scores") from None
        except OSError as error:
            raise EnvironmentFailure(f"{file} cannot be read ({error.strerror})") from None
        except Damaged:
            pass
    raise EnvironmentFailure(f"{file} is damaged: its content is not what its checksum or its format says")


def _by_image(table: pd.DataFrame, b_max: int, sparse: bool) -> pd.DataFrame:
    """Scores, a row per image id and a column per b. Raises KeyError, TypeError and ValueError.

    Where images may be skipped (`sparse`), a b without a score is -inf: the best so far is carried over it.
    """
    b, score = table["b"].to_numpy(dtype=np.int64), table["score"].to_numpy(dtype=np.float64)
    image = table["image_id"].to_numpy()
    if not len(table) or not np.isfinite(score).all() or b.min() < 1 or not b.max() <= b_max <= MOST_IMAGES:
        raise ValueError(f"it needs finite scores of b = 1 to {b_max:,}")
    first = np.append(True, np.diff(b) <= 0)  # rows of an image follow each other, b rising
    if (image[1:] != image[:-1])[~first[1:]].any():
        raise ValueError("where another image begins, b does not begin anew")
    scores = np.full((int(first.sum()), b_max), -np.inf)
    scores[np.cumsum(first) - 1, b - 1] = score
    gaps = np.argwhere(np.isinf(scores[:, :1] if sparse else scores))
    if len(gaps):
        row, gap = gaps[0]
        raise ValueError(f"image {image[first][row]} has no score of b = {gap + 1}")
    if len(set(image[first])) < len(scores):
        raise ValueError("an image is there twice")
    return pd.DataFrame(scores, index=image[first])


def expected_curve(scores: np.ndarray) -> np.ndarray:
    """Mean over images of Σ_i s_(i) · C(i-1, b-1) / C(n, b), scores ascending: float64 [images, n] -> [n]."""
    n = scores.shape[1]
    log_factorial = np.append(0.0, np.cumsum(np.log(np.arange(1, n + 1))))
    i, b = np.arange(1, n + 1), np.arange(1, n + 1)[:, None]
    chosen = log_factorial[i - 1] - log_factorial[b - 1] - log_factorial[np.maximum(i - b, 0)]
    of_all = log_factorial[n] - log_factorial[b] - log_factorial[n - b]
    weights = np.where(i >= b, np.exp(chosen - of_all), 0.0)  # [b, i]
    return weights @ np.sort(scores, axis=1).mean(axis=0)


def table1(runs: Sequence[Recomputed]) -> pd.DataFrame:
    """Table 1 by generator and k; the Fréchet distance, which scores do not give, from metrics.json."""
    rows = []
    for (generator, k), group in _points(runs):
        scores = [run.best.mean() for run in group]
        distances = [run.metrics["frechet_distance"] for run in group]
        by_image = pd.concat([run.best for run in group], axis=1).dropna().mean(axis=1)
        rows.append(
            {"generator": generator, "k": k, "best_clip_score": np.mean(scores), "best_clip_score_std": _std(scores),
             "frechet_distance": np.mean(distances), "frechet_distance_std": _std(distances), "seeds": len(group),
             "best_clip_score_se": _std(by_image) / np.sqrt(len(by_image))}
        )  # fmt: skip
    return _beside_the_paper(pd.DataFrame(rows).set_index(POINT), runs, _published_means())


def table2(runs: Sequence[Recomputed], kind: str = "run", threshold: float | None = None) -> pd.DataFrame:
    """Table 2 by generator and k, with the runs' own threshold or another one."""
    rows = []
    for (generator, k), group in _points(runs):
        needed = [run.images_to(run.metrics["threshold"] if threshold is None else threshold, kind) for run in group]
        rows.append(
            {"generator": generator, "k": k, "images_mean": np.mean(needed), "images_std": _std(needed),
             "reached": int(np.isfinite(needed).sum()), "seeds": len(group)}
        )  # fmt: skip
    table = pd.DataFrame(rows).set_index(POINT)
    if threshold is not None:
        return table
    published = _published("table2_images_to_threshold").set_index(POINT)
    return _beside_the_paper(table, runs, published.rename(columns={"mean": "images_mean", "std": "images_std"}))


def table3(runs: Sequence[Recomputed]) -> pd.DataFrame:
    """Table 3 by generator, seed (a text: AVG and STD are among them) and k."""
    rows = [(run.generator, str(run.seed), run.k, run.best.mean(), run.metrics["frechet_distance"]) for run in runs]
    summary = table1(runs)
    for name, suffix in (("AVG", ""), ("STD", "_std")):
        values = summary[[f"best_clip_score{suffix}", f"frechet_distance{suffix}"]].itertuples()
        rows += [(generator, name, k, score, distance) for (generator, k), score, distance in values]
    table = pd.DataFrame(rows, columns=["generator", "seed", "k", "best_clip_score", "frechet_distance"])
    return table.set_index(["generator", "seed", "k"])


def figure2(runs: Sequence[Recomputed], kind: str = "run") -> pd.DataFrame:
    """Figure 2's curves by generator, k, seed and b."""
    parts = [
        pd.DataFrame({"generator": run.generator, "k": run.k, "seed": run.seed, "best_clip_score": run.curves[kind]})
        .rename_axis("b")
        .reset_index()
        .assign(b=lambda part: part["b"] + 1)
        for run in runs
    ]
    return pd.concat(parts).set_index(["generator", "k", "seed", "b"])


def read_mapping(file: Path) -> dict[str, Any]:
    """A JSON file that holds a mapping. Raises EnvironmentFailure."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EnvironmentFailure(f"{file} is missing: give the run's command again, which makes it anew") from None
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise EnvironmentFailure(f"{file} is damaged: give the run's command again, which makes it anew")
    return content


def _points(runs: Sequence[Recomputed]) -> list[tuple[tuple[str, int], list[Recomputed]]]:
    """The runs of each generator and k, in order."""
    points = sorted({(run.generator, run.k) for run in runs})
    return [(point, [run for run in runs if (run.generator, run.k) == point]) for point in points]


def _std(values: Sequence[float] | pd.Series) -> float:
    """Sample standard deviation (ddof = 1); NaN of one value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def _beside_the_paper(table: pd.DataFrame, runs: Sequence[Recomputed], published: pd.DataFrame) -> pd.DataFrame:
    """In world=paper also the published numbers, as paper_…, and the differences of the means from them."""
    if not all(run.metrics.get("world") == "paper" for run in runs):
        return table
    beside = published.select_dtypes("number").reindex(table.index)
    means = [column for column in beside if not column.endswith("_std")]
    moved = (table[means] - beside[means]).add_suffix("_difference")
    return pd.concat([table, beside.add_prefix("paper_"), moved], axis=1)


def _published_means() -> pd.DataFrame:
    """Table 1 as printed, means over its seeds."""
    scores, distances = _published("table1_clip_score"), _published("table1_fid").rename(columns={"fid": "distance"})
    means = scores.merge(distances, on=[*POINT, "seed"]).groupby(POINT)[["best_clip_score", "distance"]].mean()
    return means.rename(columns={"distance": "frechet_distance"})


def _published(name: str) -> pd.DataFrame:
    with files("zeroshot").joinpath("report", "published", f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file).assign(generator=lambda table: table["generator"].str.lower())
