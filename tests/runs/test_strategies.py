"""Runs by a strategy: files, resumption, shards, pools, the bank and the amortised network, and what they refuse."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import zeroshot
from experiments.recomputed import read_run
from zeroshot.errors import EnvironmentFailure, Interrupted, UserError
from zeroshot.metrics.best_score import mean_best_curve
from zeroshot.report.collect import collect, curve
from zeroshot.report.redraw import read_settings, redraw
from zeroshot.runs.proposals import amortised_network
from zeroshot.runs.run import run, run_path, run_shard
from zeroshot.searching.engine import Points
from zeroshot.settings import RunSettings, SearchSettings
from zeroshot.storage.shard import Shard
from zeroshot.strategy_settings import (
    AmortisedStart,
    BankStart,
    EvolutionRefinement,
    GradientRefinement,
    NoRefinement,
    RandomStart,
    RefineSettings,
    SoftmaxStart,
    StartSettings,
)
from zeroshot.worlds.parts import default_run

SMALL = AmortisedStart(images_per_label=1, steps=4, elite=8, language_free=True, warm_up=3)
CLIMB = GradientRefinement()


def settings(start: StartSettings, refine: RefineSettings, **changes: object) -> RunSettings:
    base = dataclasses.replace(default_run("miniature", "sagan"), search=SearchSettings("fresh"))
    small = {"captions": 9, "b_max": 10, "batch_size": 4} | changes
    return dataclasses.replace(base, start=start, refine=refine, **small)  # type: ignore[arg-type]


def results(path: Path) -> dict:
    """What `identical files` means."""
    metrics = json.loads((path / "metrics.json").read_text())
    metrics.pop("seconds")
    tables = {name: pd.read_parquet(path / f"{name}.parquet") for name in ("scores", "selected")}
    tables["selected"]["z"] = [tuple(z) for z in tables["selected"]["z"]]
    return metrics | {name: table.astype(str).to_dict("list") for name, table in tables.items()}


@pytest.fixture(scope="module")
def finished(world: zeroshot.World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("strategies")
    run(world, settings(SMALL, CLIMB), output)
    return run_path(output, settings(SMALL, CLIMB))


def test_files_say_what_was_paid_and_from_what_the_winners_are_made(world: zeroshot.World, finished: Path) -> None:
    assert finished.parents[3].name.startswith("paper+")
    metrics, scores = json.loads((finished / "metrics.json").read_text()), pd.read_parquet(finished / "scores.parquet")
    assert metrics["strategy"] == "amortised+gradient"
    assert scores.groupby("image_id", sort=False)["b"].agg(list).tolist() == [[1, 2, 3, 6, 9]] * 9
    assert (metrics["evaluations"], metrics["images"], metrics["images_generated"]) == (9 * 9, 9 * 5, 9 * 5 + 9)
    selected = pd.read_parquet(finished / "selected.parquet")
    assert selected["class_weights"].isna().all() and selected["z"].iloc[0].dtype == np.float32
    best = scores.loc[scores.groupby("image_id", sort=False)["score"].idxmax()]
    np.testing.assert_array_equal(best[["b", "label_index", "score"]], selected[["b", "label_index", "score"]])
    own = Points(np.stack(selected["z"]), selected["label_index"].to_numpy())
    text = world.encode_texts("t", selected["caption"].tolist())
    np.testing.assert_allclose(world.engine("sagan", 4).scores(own, text), selected["score"], atol=1e-6)
    cost = json.loads((finished / "provenance.json").read_text())["prepared"]
    assert cost["bank_images"] == 1000 and cost["train_captions"] == 0 and cost["seconds"] > 0


def test_readers_carry_the_best_on_where_b_skips(world: zeroshot.World, finished: Path) -> None:
    scores = pd.read_parquet(finished / "scores.parquet")
    wanted = np.full((9, 10), -np.inf)
    wanted[np.repeat(range(9), 5), scores["b"] - 1] = scores["score"]
    np.testing.assert_array_equal(curve(finished), mean_best_curve(wanted))
    assert len(curve(finished)) == 10
    np.testing.assert_allclose(read_run(finished, expected=False).curves["run"], mean_best_curve(wanted), atol=1e-12)
    with pytest.raises(UserError, match=r"curve = expected, but .* searched by amortised\+gradient"):
        curve(finished, "expected")
    assert collect([finished])["strategy"].tolist() == ["amortised+gradient"]
    assert read_settings(finished) == settings(SMALL, CLIMB)
    pictures = redraw(world, settings(SMALL, CLIMB), pd.read_parquet(finished / "selected.parquet"))
    assert pictures.shape == (9, 64, 64, 3) and len(np.unique(pictures, axis=0)) == 9


def test_stopped_sharded_or_damaged_it_comes_to_identical_files(
    world: zeroshot.World, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroshot.runs.blocks.IMAGES_PER_BLOCK", 40)  # blocks of three captions
    wanted, asked = results(finished), settings(SMALL, CLIMB)
    stops = iter([False] + [True] * 9)
    with pytest.raises(Interrupted):
        run(world, asked, tmp_path / "stopped", should_stop=lambda: next(stops))
    path = run_path(tmp_path / "stopped", asked)
    assert len(list(path.glob("blocks/*.parquet"))) == 1
    run(world, asked, tmp_path / "stopped")
    assert results(path) == wanted
    for shard in ("2/2", "1/2"):
        run_shard(world, asked, tmp_path / "shards", Shard.parse(shard))
    assert results(run_path(tmp_path / "shards", asked)) == wanted
    (path / "selected.parquet").write_bytes(b"PAR1")
    run(world, asked, tmp_path / "stopped")
    assert results(path) == wanted


def test_a_mixture_keeps_its_weights(world: zeroshot.World, tmp_path: Path) -> None:
    asked = settings(SoftmaxStart(warm_up=1), GradientRefinement(mixture=True), captions=2, b_max=16)
    run(world, asked, tmp_path)
    selected = pd.read_parquet(run_path(tmp_path, asked) / "selected.parquet")
    weights = [w for w in selected["class_weights"] if w is not None]
    assert weights and all(w.sum() == pytest.approx(1, abs=1e-5) and len(w) == 1000 for w in weights)
    mixed = selected[selected["class_weights"].notna()]
    assert mixed["label_index"].tolist() == [int(np.argmax(w)) for w in weights]
    own = Points(np.stack(mixed["z"]), mixed["label_index"].to_numpy(), np.stack(weights).astype(np.float32))
    text = world.encode_texts("t", mixed["caption"].tolist())
    np.testing.assert_allclose(world.engine("sagan", 4).scores(own, text), mixed["score"], atol=1e-5)


def test_softmax_comes_fresh_or_from_a_pool_and_others_do_not(world: zeroshot.World, tmp_path: Path) -> None:
    fresh = settings(SoftmaxStart(), NoRefinement(), captions=4)
    pooled = dataclasses.replace(fresh, search=SearchSettings("pool", share=1.0))
    found = {}
    for asked in (fresh, pooled):
        run(world, asked, tmp_path)
        found[asked.search.images] = pd.read_parquet(run_path(tmp_path, asked) / "scores.parquet")
    assert found["fresh"]["label_index"].tolist() == found["pool"]["label_index"].tolist()
    run(world, settings(RandomStart(), NoRefinement(), captions=4), tmp_path)
    with pytest.raises(UserError, match=r"search.images = pool, but start = random with refine = evolution"):
        dataclasses.replace(pooled, start=RandomStart(warm_up=3), refine=EvolutionRefinement())


def test_a_network_of_another_generator_is_refused_and_a_damaged_one_made_again(
    world: zeroshot.World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = world.generator_settings("sagan")
    first = amortised_network(world, own, SMALL, 4)
    (path,) = (world.cache.directory / "amortised").glob("sagan-*.safetensors")  # type: ignore[operator]
    named = dataclasses.replace(SMALL, weights=str(path))
    texts = world.label_embeddings[:3]
    again = amortised_network(world, own, named, 4).propose(texts)
    np.testing.assert_array_equal(again[2].mean, first.propose(texts)[2].mean)
    with pytest.raises(UserError, match=r"was trained for another generator \(sagan\) than this one \(biggan\)"):
        amortised_network(world, world.generator_settings("biggan"), named, 4)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(EnvironmentFailure, match=r"start.weights = .* is missing or damaged"):
        amortised_network(world, own, named, 4)
    with caplog.at_level(logging.WARNING):
        mended = amortised_network(world, own, SMALL, 4).propose(texts)
    assert "is damaged; set aside" in caplog.text
    np.testing.assert_array_equal(mended[2].mean, again[2].mean)


@pytest.mark.slow  # CLIP reads the 12,000 captions of the train split
def test_trained_with_captions_it_is_another_network(world: zeroshot.World) -> None:
    own = world.generator_settings("sagan")
    read = amortised_network(world, own, dataclasses.replace(SMALL, language_free=False), 4)
    assert read.cost["train_captions"] == 12_000
    texts = world.label_embeddings[:1]
    (proposal,), (other,) = read.propose(texts), amortised_network(world, own, SMALL, 4).propose(texts)
    assert proposal.label.sum() == pytest.approx(1) and (proposal.sd > 0).all()
    assert np.abs(proposal.mean - other.mean).max() > 1e-3


def test_a_bank_starts_with_the_images_nearest_to_the_text(world: zeroshot.World) -> None:
    bank = BankStart(images_per_label=1, warm_up=3)
    result = zeroshot.search(world, "a red bird", generator="sagan", b_max=5, start=bank, batch_size=4)
    assert (np.diff(result.scores) <= 1e-6).all()  # the nearest first
    more = zeroshot.search(world, "a red bird", generator="sagan", b_max=8, start=bank, refine=CLIMB, batch_size=4)
    np.testing.assert_allclose(more.scores[:3], result.scores[:3], atol=1e-5)
    assert more.paid.tolist() == [1, 2, 3, 6] and more.b == more.paid[more.scores.argmax()]


def test_a_world_that_keeps_nothing_trains_once_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    world = zeroshot.load_world("miniature", device="cpu")
    first = amortised_network(world, world.generator_settings("sagan"), SMALL, 64)
    monkeypatch.setattr("zeroshot.runs.proposals.train", lambda *_: pytest.fail("trained again"))
    assert amortised_network(world, world.generator_settings("sagan"), SMALL, 64) is first
