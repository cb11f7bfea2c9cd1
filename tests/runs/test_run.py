"""Runs as folders: what they hold, that they are reused, resumed after a kill, held by one process, never mixed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import zeroshot
from tests.conftest import ROOT, command
from zeroshot.errors import EnvironmentFailure, Interrupted
from zeroshot.metrics.best_score import mean_best_curve
from zeroshot.runs.directory import RunDirectory
from zeroshot.runs.run import run, run_path
from zeroshot.settings import RunSettings, SearchSettings
from zeroshot.worlds.parts import default_run

TINY = {"captions": 70, "b_max": 40, "k": 10}  # 2,800 images: two blocks
FRESH = ("generator=sagan", "search=fresh", "device=cpu")


def tiny(**changes: int) -> RunSettings:
    fresh = dataclasses.replace(default_run("miniature", "sagan"), search=SearchSettings("fresh"))
    return dataclasses.replace(fresh, **(TINY | changes))  # type: ignore[arg-type]


def results(path: Path) -> dict:
    """What `identical files` means: scores, selected and metrics without seconds."""
    metrics = json.loads((path / "metrics.json").read_text())
    metrics.pop("seconds")
    return metrics | {
        name: pd.read_parquet(path / f"{name}.parquet").to_dict("list") for name in ("scores", "selected")
    }


@pytest.fixture(scope="module")
def finished(world: zeroshot.World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("finished")
    run(world, tiny(), output)
    return run_path(output, tiny())


def test_a_finished_run_holds_the_contracts_files(finished: Path) -> None:
    names = sorted(path.name for path in finished.iterdir())
    assert names == ["config.yaml", "metrics.json", "provenance.json", "run.log", "scores.parquet", "selected.parquet"]
    scores, selected = pd.read_parquet(finished / "scores.parquet"), pd.read_parquet(finished / "selected.parquet")
    assert list(scores) == ["image_id", "caption_id", "b", "label_index", "score"] and len(scores) == 70 * 40
    assert list(selected) == ["image_id", "caption_id", "caption", "b", "label_index", "label", "score"]
    metrics = json.loads((finished / "metrics.json").read_text())
    assert list(metrics) == [
        "best_clip_score",
        "frechet_distance",
        "kernel_distance",
        "images_to_threshold",
        "threshold",
        "captions",
        "b_max",
        "k",
        "seed",
        "generator",
        "world",
        "protocol",
        "clip",
        "precision",
        "strategy",
        "evaluations",
        "images",
        "images_generated",
        "distinct_selected",
        "frechet_images",
        "feature_dim",
        "truncated_captions",
        "changed_captions",
        "seconds",
    ]
    assert metrics["images"] == 2800 and metrics["distinct_selected"] == 70
    provenance = json.loads((finished / "provenance.json").read_text())
    assert provenance["versions"]["torch"] and len(provenance["weights_sha256"]) >= 6 and provenance["device"]


def test_metrics_and_selected_follow_from_the_scores(finished: Path) -> None:
    scores, selected = pd.read_parquet(finished / "scores.parquet"), pd.read_parquet(finished / "selected.parquet")
    metrics = json.loads((finished / "metrics.json").read_text())
    best = scores.loc[scores.groupby("image_id", sort=False)["score"].idxmax()].reset_index(drop=True)
    for column in ("image_id", "caption_id", "b", "label_index", "score"):
        assert best[column].tolist() == selected[column].tolist()
    curve = mean_best_curve(scores["score"].to_numpy().reshape(70, 40))
    assert metrics["best_clip_score"] == pytest.approx(curve[-1])
    assert scores.groupby("image_id")["label_index"].nunique().max() <= 10


def test_a_finished_run_is_reused(world: zeroshot.World, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroshot.runs.strategies.run_tasks", lambda *a: pytest.fail("computed again"))
    before = (finished / "metrics.json").stat().st_mtime_ns
    run(world, tiny(), finished.parents[5])
    assert (finished / "metrics.json").stat().st_mtime_ns == before


def test_stopped_and_resumed_gives_the_same_files(world: zeroshot.World, finished: Path, tmp_path: Path) -> None:
    answers = iter([False, True])
    with pytest.raises(Interrupted):
        run(world, tiny(), tmp_path, should_stop=lambda: next(answers))
    path = run_path(tmp_path, tiny())
    assert len(list((path / "blocks").glob("*.parquet"))) == 1 and not (path / "metrics.json").exists()
    run(world, tiny(), tmp_path)
    assert results(path) == results(finished)


def test_a_damaged_block_is_set_aside_and_made_again(world: zeroshot.World, finished: Path, tmp_path: Path) -> None:
    answers = iter([False, True])
    with pytest.raises(Interrupted):
        run(world, tiny(), tmp_path, should_stop=lambda: next(answers))
    path = run_path(tmp_path, tiny())
    block = next((path / "blocks").glob("*.parquet"))
    content = bytearray(block.read_bytes())
    content[len(content) // 3] ^= 1  # one flipped bit
    block.write_bytes(content)
    run(world, tiny(), tmp_path)
    assert results(path) == results(finished)


RNG = np.random.default_rng(0)
MANY = RNG.uniform(0, 4, 20).round(2)


# The quick tests kill at three points, pooled runs too: tests/faults/test_kills.py.
@pytest.mark.slow
@pytest.mark.parametrize("delay", MANY)
def test_killed_and_resumed_gives_the_same_files(finished: Path, output: Path, delay: float) -> None:
    arguments = ["experiments.run", *FRESH, "captions=70", "b_max=40", f"output={output}"]
    process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    folder = run_path(output, tiny())
    while not (folder / "config.yaml").exists() and process.poll() is None:
        time.sleep(0.02)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert results(folder) == results(finished)


@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGTERM, 143)]
)
def test_signals_finish_the_block_and_exit_with_their_code(output: Path, number: int, code: int) -> None:
    arguments = ["experiments.run", *FRESH, "captions=200", f"output={output}"]
    process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    blocks = run_path(output, tiny(captions=200, b_max=100)) / "blocks"
    while not (blocks.exists() and list(blocks.glob("*.parquet"))) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in stderr and "the same command goes on" in stderr
    assert list(blocks.glob("*.parquet")) and not list(blocks.glob(".*"))


def test_a_second_process_is_told_who_holds_the_run(tmp_path: Path) -> None:
    holder = rf"host .*, pid {os.getpid()}, since "
    with RunDirectory(tmp_path / "run"), pytest.raises(EnvironmentFailure, match=holder):
        RunDirectory(tmp_path / "run").__enter__()
    with RunDirectory(tmp_path / "run"):
        pass


def test_another_configuration_is_never_mixed_in(tmp_path: Path) -> None:
    with RunDirectory(tmp_path) as directory:
        directory.claim({"settings": {"b_max": 5}, "weights_sha256": {"x": "aa"}})
        directory.claim({"settings": {"b_max": 5}, "weights_sha256": {"x": "aa"}})
        with pytest.raises(EnvironmentFailure, match=r"weights_sha256\.x: aa there, bb asked for"):
            directory.claim({"settings": {"b_max": 5}, "weights_sha256": {"x": "bb"}})


def test_batch_size_changes_scores_by_less_than_1e_5(world: zeroshot.World, finished: Path, tmp_path: Path) -> None:
    run(world, tiny(batch_size=48), tmp_path)
    ours = pd.read_parquet(run_path(tmp_path, tiny(batch_size=48)) / "scores.parquet")["score"]
    np.testing.assert_allclose(ours, pd.read_parquet(finished / "scores.parquet")["score"], atol=1e-5)
