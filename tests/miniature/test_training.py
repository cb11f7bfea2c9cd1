"""Each stage for three steps, killed and resumed, against three steps in one go."""

from __future__ import annotations

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
from zeroshot.miniature.training.make import BUILDERS, write_weights
from zeroshot.miniature.training.recipe import STAGES, Recipe, StageRecipe
from zeroshot.miniature.training.sagan import SAGANStage
from zeroshot.miniature.training.stage import learning_rate, train
from zeroshot.models.weights import describe, load_tensors
from zeroshot.storage.paths import resolve
from zeroshot.worlds.parts import FEATURES

TINY = StageRecipe(steps=3, batch=12, learning_rate=1e-3, pool=24)


@pytest.mark.parametrize("name", STAGES)
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
    with pytest.raises(UserError, match=r"seed=0\], this run has \[.*seed=1\]"):
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


@pytest.mark.parametrize("name", ["sagan", "biggan"])
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


def test_learning_rate_warms_up_and_ends_at_nothing() -> None:
    recipe = StageRecipe(steps=1000, batch=1, learning_rate=1.0)
    rates = [learning_rate(step, recipe) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01) and max(rates) == pytest.approx(1.0) and rates[-1] < 1e-4
    assert rates[99:] == sorted(rates[99:], reverse=True)
