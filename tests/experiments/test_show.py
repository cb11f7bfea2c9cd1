"""The list of runs: what each state looks like, and that nothing a folder may hold stops it."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

import zeroshot
from experiments.cli import StopRequest
from experiments.show import main, options, report
from zeroshot.errors import Interrupted, UserError
from zeroshot.report.runs_table import FILES, TABLES, runs_table, shaped
from zeroshot.runs.directory import RunDirectory
from zeroshot.runs.run import run, run_path
from zeroshot.settings import SearchSettings
from zeroshot.worlds.parts import default_run

METRICS = {"best_clip_score": 0.61234, "frechet_distance": 123.4, "distinct_selected": 47} | {
    "images_to_threshold": None,
    "b_max": 40,
}
CONFIG = {"settings": {"b_max": 40, "captions": 80, "protocol": {"batches_of": 16}}, "departures": {"b_max": 40}}

POOL = {"images": "pool"}


def made(output: Path, seed: int = 42, metrics: object = METRICS, config: object = CONFIG) -> Path:
    """A finished run's folder."""
    path = output / "miniature" / "paper+0a1b2c3d" / "runs" / "sagan" / "k=0010" / f"seed={seed}"
    path.mkdir(parents=True)
    for name in FILES:
        (path / name).write_text("", encoding="utf-8")
    for name in TABLES:
        pd.DataFrame({"score": [0.5]}).to_parquet(path / name)
    (path / "metrics.json").write_text(json.dumps(metrics | {"seconds": 1.25}))  # type: ignore[operator]
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    return path


def unfinished(output: Path, seed: int = 42) -> Path:
    """A run with 50 captions in two blocks, and a third block that is damaged."""
    path = made(output, seed)
    for name in FILES[1:]:
        (path / name).unlink()
    (path / "blocks").mkdir()
    for start, rows in ((0, 40 * 40), (40, 10 * 40)):
        pd.DataFrame({"score": range(rows)}).to_parquet(path / "blocks" / f"{start:05d}.parquet")
    (path / "blocks" / "00050.parquet").write_bytes(b"PAR1 and nothing else")
    return path


def state(output: Path) -> str:
    (row,) = runs_table(output).to_dict("records")
    return row["state"]


def test_a_finished_run(tmp_path: Path) -> None:
    made(tmp_path)
    (row,) = shaped(runs_table(tmp_path)).to_dict("records")
    assert pd.Timestamp(row.pop("finished")).year >= 2024
    assert row == {
        "generator": "sagan",
        "k": 10,
        "seed": 42,
        "score": "0.6123",
        "Fréchet": "123.40",
        "distinct": "47",
        "images": "> 40",
        "seconds": "1.2",
    }
    text = report(runs_table(tmp_path), tmp_path)
    assert text.startswith("miniature/paper+0a1b2c3d: b_max=40\n\n| generator | k")
    assert "pool" not in text


def test_what_the_seconds_of_pooled_runs_are_is_said(tmp_path: Path) -> None:
    made(tmp_path, config={"settings": {"b_max": 40, "captions": 80, "protocol": {"batches_of": 16}, "search": POOL}})
    assert "runs with a shared pool the first of a generator" in report(runs_table(tmp_path), tmp_path)


def test_it_fits_100_columns_whatever_the_runs_are(tmp_path: Path) -> None:
    long = {f"generator.setting_{i}": "x" * 20 for i in range(9)}
    made(tmp_path, 2**31, METRICS | {"frechet_images": 80, "feature_dim": 2048}, CONFIG | {"departures": long})
    unfinished(tmp_path, 2**32 - 2)
    (made(tmp_path, 2**32 - 4) / "scores.parquet").write_bytes(b"PAR1 and nothing else")
    with RunDirectory(unfinished(tmp_path, 2**32 - 3)):
        lines = report(runs_table(tmp_path), tmp_path).splitlines()
    own = [line for line in lines if str(tmp_path) not in line]
    assert max(map(len, own)) <= 100
    for said in ("50 of 80 captions done", "held by pid", "generator.setting_8", "biased high", "scores.parquet"):
        assert any(said in line for line in own), said


def test_a_distance_of_too_few_images_is_said_to_be_one(tmp_path: Path) -> None:
    made(tmp_path, metrics=METRICS | {"frechet_images": 80, "feature_dim": 2048})
    text = report(runs_table(tmp_path), tmp_path)
    assert "| 123.40 * |" in text and "* Fréchet distance biased high: 80 images for 2,048 features" in text


def test_what_real_runs_leave_is_understood(
    world: zeroshot.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroshot.runs.blocks.IMAGES_PER_BLOCK", 4)  # two captions a block
    settings = dataclasses.replace(
        default_run("miniature", "sagan"), captions=4, b_max=2, search=SearchSettings("fresh")
    )
    with pytest.raises(Interrupted):
        run(world, settings, tmp_path, should_stop=lambda: any(tmp_path.rglob("blocks/*.parquet")))
    assert state(tmp_path) == "unfinished, 2 of 4 captions done"
    metrics = run(world, settings, tmp_path)
    (row,) = runs_table(tmp_path).to_dict("records")
    assert row["state"] == "finished" and row["path"] == run_path(tmp_path, settings)
    assert row["best_clip_score"] == metrics["best_clip_score"] and row["departures"] == {
        "search.images": "fresh",
        "captions": 4,
        "b_max": 2,
    }


def test_an_unfinished_run_says_how_far_it_is(tmp_path: Path) -> None:
    unfinished(tmp_path)
    assert state(tmp_path) == "unfinished, 50 of 80 captions done"


def test_a_run_in_work_names_its_process(tmp_path: Path) -> None:
    with RunDirectory(unfinished(tmp_path)):
        assert state(tmp_path) == f"held by pid {os.getpid()} (50 of 80 captions done)"
    assert state(tmp_path) == "unfinished, 50 of 80 captions done"


def test_the_lock_of_a_dead_process_holds_nothing_and_another_hosts_is_believed(tmp_path: Path) -> None:
    lock = unfinished(tmp_path) / ".lock"
    with RunDirectory(tmp_path / "own"):
        own = (tmp_path / "own" / ".lock").read_text().partition(",")[0]
    lock.write_text(f"{own}, pid {os.getpid()}, since 2024-01-01 00:00:00")  # its number is another's by now
    assert state(tmp_path) == "unfinished, 50 of 80 captions done"
    lock.write_text("host far-away, pid 7, since 2024-01-01 00:00:00")
    assert state(tmp_path) == "held by pid 7 on far-away (50 of 80 captions done)"


def test_a_run_killed_before_its_first_file(tmp_path: Path) -> None:
    path = made(tmp_path)
    for name in FILES:
        (path / name).unlink()
    (path / ".lock").touch()
    assert state(tmp_path) == "unfinished, nothing done yet"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metrics.json", "{", "metrics.json cannot be read"),
        ("metrics.json", "[1]", "metrics.json holds no mapping"),
        ("metrics.json", "{}", "metrics.json has no best_clip_score"),
        ("metrics.json", json.dumps(METRICS | {"seconds": "long"}), "metrics.json: seconds is 'long'"),
        ("config.yaml", "a: [", "config.yaml cannot be read"),
        ("config.yaml", "settings: 3", "config.yaml lacks"),
        ("config.yaml", None, "config.yaml is missing"),
        ("scores.parquet", None, "scores.parquet is missing"),
        ("scores.parquet", "PAR1 and nothing else", "scores.parquet cannot be read"),
        ("metrics.json", json.dumps(METRICS | {"seconds": 10**400}), "metrics.json: seconds is 1000"),
        ("metrics.json", json.dumps(METRICS | {"seconds": float("nan")}), "metrics.json: seconds is nan"),
        ("metrics.json", json.dumps(METRICS | {"seconds": True}), "metrics.json: seconds is True"),
        ("metrics.json", '{"seconds": ' + "9" * 5000 + "}", "metrics.json cannot be read"),
        ("metrics.json", "[" * 100_000, "cannot be read (RecursionError)"),
        ("config.yaml", "a: !!python/object:os.system x", "config.yaml cannot be read"),
        ("config.yaml", "settings: {b_max: .inf, captions: 3, protocol: {batches_of: 1}}", "cannot be read"),
    ],
)
def test_damaged_runs_are_named_and_the_others_listed(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    damaged = made(tmp_path, seed=7)
    (damaged / name).unlink()
    if content is not None:
        (damaged / name).write_text(content)
    made(tmp_path, seed=8)
    table = runs_table(tmp_path)
    assert table["kind"].tolist() == ["damaged", "finished"]
    assert table["state"][0].startswith(f"damaged: {message}")
    text = report(table, tmp_path)
    assert "1 finished, 1 damaged" in text and f"damaged: {damaged}: delete it" in text


def test_runs_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for seed in (42, 7, 100):
        made(tmp_path, seed)
    (tmp_path / "miniature" / "paper+0a1b2c3d" / "runs" / "sagan" / "k=0010" / "seed=old").mkdir()
    assert runs_table(tmp_path)["seed"].tolist() == [7, 42, 100]


def test_an_empty_folder_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        monkeypatch.setattr(sys, "argv", ["show", f"output={folder}"])
        main(StopRequest())
        text = capsys.readouterr().out
        assert f"No run under {folder}" in text and "python -m experiments.run generator=sagan" in text
        assert ("no such folder" in text) == (not folder.exists())


@pytest.mark.parametrize("argument", ["outputs", "folder=x", "output=", "-v"])
def test_unknown_arguments_are_refused(argument: str) -> None:
    with pytest.raises(UserError, match="give output=FOLDER"):
        options([argument])


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        options([f"output={tmp_path / 'file'}"])
