"""Faults 5 and 6: weights with code in them, and numbers that are not finite, from real files."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

import zeroshot
from tests.faults.mortal import BLOCK, small
from tests.faults.test_kills import IMAGES
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.runs.run import run
from zeroshot.settings import RunSettings
from zeroshot.storage.cache import Cache
from zeroshot.storage.paths import resolve
from zeroshot.worlds.loading import load_clip, load_features, load_generator
from zeroshot.worlds.parts import BIGGAN, FEATURES, PAPER_CLIP, PAPER_FEATURES, SAGAN
from zeroshot.worlds.world import World


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroshot.searching.pool.BLOCK", BLOCK)


class Hostile:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("part", ["sagan", "biggan", "clip", "inception"])
def test_hostile_weights_are_refused_by_every_loader_and_nothing_runs(tmp_path: Path, part: str) -> None:
    path, canary = tmp_path / "weights.pt", tmp_path / "ran"
    torch.save({"state_dict": {"weight": torch.zeros(2), "more": Hostile(canary)}}, path)
    load = {
        "sagan": lambda: load_generator(dataclasses.replace(SAGAN, weights=str(path))),
        "biggan": lambda: load_generator(dataclasses.replace(BIGGAN, weights=str(path))),
        "clip": lambda: load_clip(dataclasses.replace(PAPER_CLIP, weights=str(path)), torch.device("cpu")),
        "inception": lambda: load_features(dataclasses.replace(PAPER_FEATURES, weights=str(path))),
    }
    with pytest.raises(UserError, match=r"weights\.pt is refused: it names \w+\.system.* nothing of it was run"):
        load[part]()
    assert not canary.exists()
    torch.load(path, weights_only=False)  # the file is what it claims to be
    assert canary.exists()


def broken(folder: Path, weights: str, key: str, value: float) -> str:
    """A copy of packaged weights in which one number is not finite."""
    tensors = load_file(resolve(weights))
    tensors[key].view(-1)[0] = value
    save_file(tensors, folder / "broken.safetensors")
    return str(folder / "broken.safetensors")


def fails(settings: RunSettings, cache: Path, output: Path, message: str) -> None:
    with pytest.raises(EnvironmentFailure, match=message):
        run(World(settings, "cpu", cache), settings, output)
    assert not list(output.rglob("scores.parquet")) and not list(output.rglob("metrics.json"))
    for kept in output.rglob("blocks/*.parquet"):
        assert pd.read_parquet(kept)["score"].notna().all()
    assert not list(output.glob("miniature/pools/*/extension-*/0*.npy"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("images", IMAGES)
def test_a_score_that_is_not_finite_stops_the_run_with_its_address(
    cache: Path, tmp_path: Path, images: str, value: float
) -> None:
    keys = [key for key in load_file(resolve(SAGAN.weights)) if "embed1" in key]  # scales or shifts of every class
    weights = broken(tmp_path, SAGAN.weights, keys[-1], value)
    tensors = load_file(weights)
    tensors[keys[-1]].fill_(value)
    save_file(tensors, weights)
    settings = small(images)
    settings = dataclasses.replace(settings, generator=dataclasses.replace(settings.generator, weights=weights))
    address = r"SAGAN at seed 42, caption of \S+/\S+, b = \d+.*, class \d+"
    fails(settings, cache, tmp_path / "o", rf"{address}.*weights or precision are at fault")


def test_a_feature_that_is_not_finite_stops_before_the_search(cache: Path, tmp_path: Path) -> None:
    weights = broken(tmp_path, FEATURES.weights, "project.bias", float("nan"))
    settings = dataclasses.replace(small("fresh"), features=dataclasses.replace(FEATURES, weights=weights))
    fails(settings, cache, tmp_path / "o", r"a feature of photograph \S+/\S+ is not finite")
    with pytest.raises(EnvironmentFailure, match="a feature of photograph"):  # and was not cached
        _ = World(settings, "cpu", cache).test_features


def test_a_feature_of_a_selected_image_names_its_draw(
    world: zeroshot.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = world.extract

    def one_broken(pictures: list) -> object:
        features = real(pictures)
        features[3] = float("nan")
        return features

    assert world.test_features.any()
    monkeypatch.setattr(world, "extract", one_broken)
    with pytest.raises(
        EnvironmentFailure,
        match=r"sagan's image at seed 42, caption of \S+, b = \d+, class \d+ is not finite",
    ):
        run(world, small("fresh"), tmp_path)
    assert not list(tmp_path.rglob("metrics.json"))


def test_a_text_that_is_not_finite_is_named_and_not_cached(
    world: zeroshot.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "cache", Cache(tmp_path))
    monkeypatch.setattr(world.clip, "encode_text", lambda texts: torch.full((len(texts), 4), torch.nan))
    with pytest.raises(EnvironmentFailure, match="CLIP's vector of 'a bird' is not finite"):
        world.encode_texts("captions", ["a bird"])
    assert not list(tmp_path.iterdir())
