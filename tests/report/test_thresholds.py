"""Table 2's threshold: its spread, other thresholds, and either curve."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import zeroshot
from zeroshot.errors import UserError
from zeroshot.limits import check_curve
from zeroshot.report.collect import curve
from zeroshot.report.thresholds import spread, table2_thresholds, with_images_of
from zeroshot.worlds.parts import default_run
from zeroshot.worlds.world import World

SCORES = np.array([[0.1, 0.4, 0.2, 0.5], [0.3, 0.2, 0.1, 0.5]])


def runs(folder: Path, seeds: int = 2) -> pd.DataFrame:
    """Runs of one setting: two captions, four images, mean best score 0.2, 0.35, 0.35, 0.5."""
    rows = []
    for seed in range(seeds):
        path = folder / str(seed)
        path.mkdir()
        columns = {"image_id": np.repeat(["x", "y"], 4), "b": np.tile(np.arange(1, 5), 2), "score": SCORES.ravel()}
        pd.DataFrame(columns).to_parquet(path / "scores.parquet")
        (path / "metrics.json").write_text('{"b_max": 4}')
        row = {"generator": "sagan", "k": 10, "seed": seed, "threshold": 0.3, "images_to_threshold": 2, "path": path}
        rows.append(row)
    return pd.DataFrame(rows)


def test_the_threshold_is_the_mean_of_the_scores_it_is_told_with(world: zeroshot.World) -> None:
    assert world.train_scores.shape == (sum(map(len, world.train.captions)),)
    assert world.threshold == pytest.approx(world.train_scores.mean(), abs=1e-12)
    captions = world.train.captions[7]
    text = world.clip.encode_text(captions).double()
    photograph = world.clip.encode_pil([world.train.image(7)])[0].double()
    first = sum(map(len, world.train.captions[:7]))
    own = world.train_scores[first : first + len(captions)]
    np.testing.assert_allclose(own, (text @ photograph).cpu().numpy(), atol=1e-5)


def test_half_precision_scores_stay_half_precision(cache: Path) -> None:
    settings = default_run("miniature", "sagan")
    raw = World(
        dataclasses.replace(settings, protocol=dataclasses.replace(settings.protocol, threshold="raw")), "cpu", cache
    )
    np.testing.assert_array_equal(raw.train_scores, raw.train_scores.astype(np.float16))
    assert raw.threshold == float(np.float16(raw.train_scores.astype(np.float32).mean()))


def test_spread_over_pairs_and_over_photographs() -> None:
    scores = np.array([0.1, 0.3, 0.5, 0.5, 0.8])
    pairs, photographs = spread(scores, [2, 3])
    assert pairs == pytest.approx(scores.std(ddof=1)) and photographs == pytest.approx(np.std([0.2, 0.6], ddof=1))


def test_other_thresholds_are_percentiles_of_the_train_scores(tmp_path: Path) -> None:
    scores = np.linspace(0, 0.6, 61)
    table = table2_thresholds(runs(tmp_path), scores).set_index("threshold_name")
    assert list(table) == ["threshold", "generator", "k", "images_mean", "images_std", "reached", "seeds"]
    assert list(table.index) == ["mean", "p5", "p10", "p25", "p50", "p75", "p90", "p95"]
    assert table.loc["p75", "threshold"] == pytest.approx(0.45)
    assert table.images_mean.dropna().to_dict() == {"mean": 2, "p5": 1, "p10": 1, "p25": 1, "p50": 2, "p75": 4}
    assert table.loc[["p90", "p95"], "reached"].tolist() == [0, 0]


def test_the_expected_curve_does_not_depend_on_the_order_of_the_draws(tmp_path: Path) -> None:
    table = runs(tmp_path)
    assert with_images_of(table, "run").images_to_threshold.tolist() == [2, 2]
    path = table.path[0]
    np.testing.assert_allclose(curve(path), [0.2, 0.35, 0.35, 0.5])
    # Means of the best of 1, 2, 3 and 4 of each caption's scores.
    np.testing.assert_allclose(curve(path, "expected"), [0.2875, (2.5 + 2.3) / 12, (1.9 + 1.8) / 8, 0.5])
    assert with_images_of(table.assign(threshold=0.35), "run").images_to_threshold.tolist() == [4, 4]
    assert with_images_of(table.assign(threshold=0.35), "expected").images_to_threshold.tolist() == [2, 2]


def test_another_curve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="curve = 'smooth', but allowed is run, expected"):
        curve(tmp_path, "smooth")
    check_curve("expected")
