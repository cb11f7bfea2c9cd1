"""Each stage for three steps, killed and resumed, against three steps in one go."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from experiments.train_miniature import main as train_main
from tests.conftest import ROOT, Call, command
from zeroshot.errors import Interrupted, UserError
from zeroshot.miniature.training.distil import picture_loss
from zeroshot.miniature.training.finishing import Finishing
from zeroshot.miniature.training.make import BUILDERS, make, write_weights
from zeroshot.miniature.training.recipe import STAGES, Recipe, StageRecipe
from zeroshot.miniature.training.sagan import SAGANStage
from zeroshot.miniature.training.stage import learning_rate, train
from zeroshot.models.weights import describe, load_tensors
from zeroshot.storage.paths import resolve
from zeroshot.worlds.loading import load_generator
from zeroshot.worlds.parts import FEATURES, SAGAN

TINY = StageRecipe(steps=3, batch=12, learning_rate=1e-3, pool=24)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name == "biggan" else []) for name in STAGES]
)
def test_stopped_and_resumed_equals_undisturbed(name: str, tmp_path: Path) -> None:
    device = torch.device("cpu")
    whole = train(BUILDERS[name](device, 0, TINY), TINY, tmp_path / "whole", seed=0)
    answers = iter([False, True])
    with pytest.raises(Interrupted):
        train(BUILDERS[name](device, 0, TINY), TINY, tmp_path / "parts", seed=0, should_stop=lambda: next(answers))
    stage = BUILDERS[name](device, 0, TINY)
    resumed = train(stage, TINY, tmp_path / "parts", seed=0)
    for (key, ours), theirs in zip(resumed.state_dict().items(), whole.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5, msg=key)
    lines = (tmp_path / "parts" / f"{name}.log").read_text().splitlines()
    assert [line.split()[1] for line in lines] == ["step=0", "step=2"]


def test_other_settings_do_not_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    device = torch.device("cpu")
    train(BUILDERS["features"](device, 0, TINY), TINY, tmp_path, seed=0)
    with pytest.raises(UserError, match=r"with \[seed=0\], this run has \[seed=1\]"):
        train(BUILDERS["features"](device, 1, TINY), TINY, tmp_path, seed=1)


def test_the_command_survives_a_kill_and_writes_pinned_weights(tmp_path: Path) -> None:
    arguments = [
        "experiments.train_miniature", "stages=[features]", "photographs=false", "features.steps=40",
        "features.batch=12", "checkpoint_seconds=0", "device=cpu",
        f"output={tmp_path / 'out'}", f"weights={tmp_path / 'weights'}",
    ]  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    while not (tmp_path / "out" / "features.pt").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "weights" / "features.safetensors"
    tensors = load_tensors(path)  # its sha256 is pinned
    assert tensors["project.weight"].shape == (32, 128)
    made = describe(path)
    assert made["stage"] == "features" and made["seed"] == "0" and '"steps": 40' in made["configuration"]
    assert len(made["recipe_commit"].removesuffix("-dirty")) == 40 or made["recipe_commit"] == "unknown"


@pytest.mark.parametrize("name", ["sagan", pytest.param("biggan", marks=pytest.mark.slow)])
def test_finished_tables_hold_what_the_attribute_network_gives(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroshot.miniature.training.biggan.STATISTICS_BATCH", 8)
    monkeypatch.setattr("zeroshot.miniature.training.sagan.CALIBRATION_BATCHES", 2)
    stage = BUILDERS[name](torch.device("cpu"), 0, TINY)
    module = stage.module
    tensors = stage.finish(module)
    write_weights(tmp_path / f"{name}.safetensors", tensors, Recipe(), name, "unknown")
    loaded = load_tensors(tmp_path / f"{name}.safetensors")
    assert loaded.keys() == tensors.keys()
    network = module["network"](stage.labels.attributes)  # type: ignore[attr-defined]
    table = tensors["embeddings.weight"].T if name == "biggan" else tensors["blocks.0.0.bn1.embed0.weight"]
    torch.testing.assert_close(table, network[:, : table.shape[1]], atol=1e-6, rtol=1e-5)


@pytest.mark.slow
def test_finishing_goes_on_from_the_distilled_generator_and_is_resumed(tmp_path: Path) -> None:
    features = resolve(FEATURES.weights)

    def finishing() -> Finishing:
        stage = SAGANStage(torch.device("cpu"), 0, TINY)
        train(stage, TINY, tmp_path / "distilled", seed=0)
        return Finishing(stage, features)

    whole = train(finishing(), TINY, tmp_path / "whole", seed=0)
    answers = iter([False, True])
    with pytest.raises(Interrupted):
        train(finishing(), TINY, tmp_path / "parts", seed=0, should_stop=lambda: next(answers))
    resumed = train(finishing(), TINY, tmp_path / "parts", seed=0)
    for (key, ours), theirs in zip(resumed.state_dict().items(), whole.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5, msg=key)
    distilled = torch.load(tmp_path / "distilled" / "sagan.pt", weights_only=True)["module"]
    assert any(not torch.equal(distilled[key], tensor) for key, tensor in whole.state_dict().items())


def test_the_perceptual_loss_sees_a_lost_edge_that_pixels_hardly_see() -> None:
    finishing = Finishing(SAGANStage(torch.device("cpu"), 0, TINY), resolve(FEATURES.weights))
    sharp = finishing.stage.pair(torch.Generator().manual_seed(0))[1]
    soft = torch.nn.functional.avg_pool2d(sharp, 3, stride=1, padding=1, count_include_pad=False)
    assert finishing.perceptual_loss(sharp, sharp) == 0
    assert finishing.perceptual_loss(soft, sharp) > 2 * picture_loss(soft, sharp, 0)


def test_finishing_without_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"features.safetensors is missing.*train the stage features first"):
        Finishing(SAGANStage(torch.device("cpu"), 0, TINY), tmp_path / "features.safetensors")


def test_unknown_stages_are_refused(call: Call) -> None:
    code, _, stderr = call(train_main, "stages=[sagan,vae]")
    assert code == 2 and "stages = vae unknown: give some of features, sagan, biggan, clip" in stderr


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("features.steps=-1", "features.steps = -1, but allowed is a number from 1 to 10,000,000"),
        ("clip.steps=0", "clip.steps = 0, but"),
        ("finishing.steps=0", "finishing.steps = 0, but"),
        ("sagan.steps=10000000000000", "sagan.steps = 10000000000000, but"),
        ("biggan.batch=0", "biggan.batch = 0, but allowed is a number from 1 to 65,536"),
        ("features.batch=1000000000", "features.batch = 1000000000, but"),
        ("clip.batch=1", "clip.batch = 1, but allowed is a number from 2 to 5,000"),
        ("clip.batch=5001", "clip.batch = 5001, but"),
        ("clip.pool=100", "clip.batch = 256, but clip.pool has 100 pictures"),
        ("sagan.pool=0", "sagan.pool = 0, but allowed is a number from 1 to 1,000,000"),
        ("biggan.pool=1000000000", "biggan.pool = 1000000000, but"),
        ("sagan.learning_rate=0", "sagan.learning_rate = 0.0, but allowed is a number from 1e-07 to 1"),
        ("sagan.learning_rate=-1", "sagan.learning_rate = -1.0, but"),
        ("sagan.learning_rate=nan", "sagan.learning_rate = nan, but"),
        ("finishing.learning_rate=inf", "finishing.learning_rate = inf, but"),
        ("clip.weight_decay=-0.1", "clip.weight_decay = -0.1, but allowed is a number from 0 to 1"),
        ("clip.average=1.5", "clip.average = 1.5, but"),
        ("clip.warmup=-1", "clip.warmup = -1, but"),
        ("seed=-1", "seed = -1, but"),
        ("checkpoint_seconds=nan", "checkpoint_seconds = nan, but"),
        ("device=tpu", "device = 'tpu', but allowed are auto, cpu"),
        ("stages=[]", "stages is empty"),
        ("stages=[clip,sagan,clip]", "names 'clip' more than once"),
        ("output=''", "output = '', but it must name a folder"),
        ("weights=''", "weights = '', but it must name a folder"),
    ],
)
def test_a_recipe_that_would_train_nothing_is_refused(call: Call, tmp_path: Path, override: str, told: str) -> None:
    before = {path: path.read_bytes() for path in resolve(SAGAN.weights).parent.iterdir()}
    code, _, stderr = call(train_main, f"output={tmp_path / 'out'}", "photographs=false", "device=cpu", override)
    assert code == 2 and told in stderr and len(stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
    assert {path: path.read_bytes() for path in resolve(SAGAN.weights).parent.iterdir()} == before


def test_weights_go_into_the_package_only_when_asked(tmp_path: Path) -> None:
    assert Recipe(output="a").weights_folder == Path("a/weights")
    assert Recipe(weights="b").weights_folder == Path("b")
    assert Recipe(install=True).weights_folder == resolve(SAGAN.weights).parent
    with pytest.raises(UserError, match=r"weights = b and install = true name two places"):
        Recipe(weights="b", install=True)


def test_without_features_of_its_own_a_generator_ends_with_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroshot.miniature.training.sagan.CALIBRATION_BATCHES", 2)
    seen: list[Path] = []
    real = Finishing.__init__

    def noted(self: Finishing, stage: SAGANStage, features: Path) -> None:
        seen.append(features)
        real(self, stage, features)

    monkeypatch.setattr(Finishing, "__init__", noted)
    tiny = dataclasses.replace(TINY, steps=1)
    recipe = Recipe(device="cpu", output=str(tmp_path), photographs=False, sagan=tiny, finishing=tiny, features=tiny)
    make(dataclasses.replace(recipe, stages=["sagan"]))
    weights = tmp_path / "weights"
    alone = load_tensors(weights / "sagan.safetensors")  # pinned beside it
    assert [path.name for path in sorted(weights.iterdir())] == ["SHA256SUMS", "sagan.safetensors"]
    shutil.rmtree(tmp_path)
    make(dataclasses.replace(recipe, stages=["sagan", "features"]))  # features come first all the same
    assert seen == [resolve(FEATURES.weights), weights / "features.safetensors"]
    generator = load_generator(dataclasses.replace(SAGAN, weights=str(weights / "sagan.safetensors")))
    assert generator.image_size == 64 and alone.keys() == load_tensors(weights / "sagan.safetensors").keys()


def test_numbers_that_are_not_finite_end_the_training_and_are_not_written(tmp_path: Path) -> None:
    stage = BUILDERS["features"](torch.device("cpu"), 0, TINY)
    with torch.no_grad():
        for parameter in stage.module.parameters():
            parameter.fill_(torch.nan)
    with pytest.raises(UserError, match=r"the loss of stage features is nan at step 0: give a smaller learning_rate"):
        train(stage, TINY, tmp_path, seed=0)
    for value in (torch.nan, torch.inf, 1e6):  # the last is beyond half precision
        tensors = {"good": torch.zeros(2, 2), "bad": torch.full((2, 2), value)}
        with pytest.raises(UserError, match=r"bad of stage features is not finite.* is not written"):
            write_weights(tmp_path / "w" / "features.safetensors", tensors, Recipe(), "features", "unknown")
    assert not (tmp_path / "w").exists()


def test_learning_rate_warms_up_and_ends_at_nothing() -> None:
    recipe = StageRecipe(steps=1000, batch=1, learning_rate=1.0)
    rates = [learning_rate(step, recipe) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01) and max(rates) == pytest.approx(1.0) and rates[-1] < 1e-4
    assert rates[99:] == sorted(rates[99:], reverse=True)
