"""Faults 3 and 4: truncated files and flipped bits are recognised, set aside, and only that part is made again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import zeroshot
from tests.faults.mortal import BLOCK, small
from tests.faults.test_kills import IMAGES, files
from zeroshot.errors import EnvironmentFailure, Interrupted
from zeroshot.miniature.training.make import BUILDERS
from zeroshot.miniature.training.recipe import StageRecipe
from zeroshot.miniature.training.stage import train
from zeroshot.report.collect import collect, curve
from zeroshot.runs.pooled import pooled_search
from zeroshot.runs.run import run, run_path
from zeroshot.storage.files import Damaged
from zeroshot.storage.paths import resolve
from zeroshot.storage.pins import PINS
from zeroshot.storage.tables import read_table, write_table
from zeroshot.worlds.loading import load_clip, load_features, load_generator
from zeroshot.worlds.parts import BIGGAN, CLIP, FEATURES, SAGAN
from zeroshot.worlds.protocols import searched


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroshot.runs.blocks.IMAGES_PER_BLOCK", BLOCK)
    monkeypatch.setattr("zeroshot.searching.pool.BLOCK", BLOCK)


@pytest.fixture(scope="module", params=IMAGES)
def finished(request: pytest.FixtureRequest, world: zeroshot.World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("finished") / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zeroshot.runs.blocks.IMAGES_PER_BLOCK", BLOCK)
        patch.setattr("zeroshot.searching.pool.BLOCK", BLOCK)
        run(world, small(request.param), output)
    return output


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path, where: float = 0.15) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * where)] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip])
@pytest.mark.parametrize("name", ["scores.parquet", "selected.parquet", "metrics.json", "provenance.json"])
def test_a_damaged_file_of_a_finished_run_is_made_again_and_nothing_else(
    world: zeroshot.World, finished: Path, tmp_path: Path, name: str, damage, caplog, monkeypatch
) -> None:
    output = tmp_path / finished.name
    shutil.copytree(finished, output)
    folder = run_path(output, small(finished.name))
    damage(folder / name)
    if name in ("metrics.json", "scores.parquet"):  # read without a run before: one line, never another number
        with pytest.raises(EnvironmentFailure, match=rf"{name} is damaged: give the run's command again"):
            collect([folder])
            curve(folder)
    if name != "scores.parquet" or finished.name == "pool":
        monkeypatch.setattr("zeroshot.runs.strategies.run_tasks", lambda *_: pytest.fail("searched again"))
        monkeypatch.setattr("zeroshot.searching.engine.Engine.embed", lambda *_: pytest.fail("embedded again"))
    run(world, small(finished.name), output)
    ours, theirs = files(output), files(finished)
    extra = ours.pop("names") - theirs.pop("names")  # type: ignore[operator]
    assert ours == theirs
    if name != "provenance.json":  # where that is damaged, metrics.json cannot be checked any more
        assert extra == {f"{Path(name).stem}.damaged"}
        assert f"{folder / name} is damaged; set aside" in caplog.text


def test_no_flipped_bit_of_a_table_goes_unnoticed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"class_index": rng.integers(0, 1000, 160), "score": rng.random(160), "id": ["bird"] * 160})
    path = tmp_path / "block.parquet"
    write_table(path, table)
    whole, noticed = path.read_bytes(), 0
    pd.testing.assert_frame_equal(read_table(path), table)
    for place in range(0, len(whole), 3):
        content = bytearray(whole)
        content[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        try:  # where it is read, it is a bit that says nothing of the content
            pd.testing.assert_frame_equal(read_table(path, signed=False), table)
            pd.testing.assert_frame_equal(read_table(path), table)
        except Damaged:
            noticed += 1
    assert noticed > 800


@pytest.mark.parametrize("damage", [truncate, flip])
def test_a_damaged_block_of_a_search_is_made_again(world, finished, tmp_path: Path, damage, monkeypatch) -> None:
    if finished.name == "pool":
        pytest.skip("a pooled search has no blocks of its own")
    answers, output = iter([False, False, True]), tmp_path / "fresh"
    with pytest.raises(Interrupted):
        run(world, small("fresh"), output, should_stop=lambda: next(answers))
    folder = run_path(output, small("fresh"))
    damage(sorted((folder / "blocks").glob("*.parquet"))[0])
    run(world, small("fresh"), output)
    assert files(output) == files(finished)
    log = (folder / "run.log").read_text()
    assert "00000.parquet is damaged; set aside as 00000.damaged" in log
    assert log.rpartition("started")[2].count("captions searched") == 2  # of three: the damaged and the missing one


@pytest.mark.parametrize("damage", [truncate, flip])
@pytest.mark.parametrize("pattern", ["pools/plans/*.json", "pools/*/extension-000/images.npy", "pools/*/identity.json"])
def test_a_damaged_file_of_a_pool_is_made_again(world, finished, tmp_path: Path, pattern: str, damage) -> None:
    if finished.name == "fresh":
        pytest.skip("no pool")
    output, settings = tmp_path / "pool", small("pool")
    shutil.copytree(finished, output)
    shutil.rmtree(run_path(output, settings))
    (path,) = output.glob(f"miniature/{pattern}")
    damage(path)
    if "identity" in pattern and damage is flip:  # readable, but another pool's: refused
        shutil.copy(next(finished.glob(f"miniature/{pattern}")), path)
        path.write_text(path.read_text().replace(f'"block": {BLOCK}', f'"block": {BLOCK + 1}'))
        with pytest.raises(EnvironmentFailure, match="holds another pool"):
            run(world, settings, output)
        return
    run(world, settings, output)
    assert files(output) == files(finished)


@pytest.mark.parametrize("content", [b"", b"settings: [", b"\xff\xfe"])
def test_without_its_configuration_nothing_of_a_run_is_believed_but_what_its_provenance_vouches_for(
    world, finished, tmp_path: Path, content: bytes, monkeypatch
) -> None:
    output, settings = tmp_path / finished.name, small(finished.name)
    shutil.copytree(finished, output)
    folder = run_path(output, settings)
    (folder / "config.yaml").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zeroshot.runs.strategies.run_tasks", lambda *_: pytest.fail("searched again"))
        run(world, settings, output)
    assert (folder / "config.yaml").read_bytes() == (run_path(finished, settings) / "config.yaml").read_bytes()
    (folder / "config.yaml").unlink()
    (folder / "provenance.json").unlink()
    run(world, settings, output)
    assert (folder / "scores.damaged").exists() and (folder / "metrics.damaged").exists()
    assert files(output)["metrics"] == files(finished)["metrics"]


@pytest.mark.parametrize("name", ["sagan", "biggan", "clip", "features"])
def test_one_flipped_bit_in_any_weights_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    parts: dict[str, Any] = {"sagan": SAGAN, "biggan": BIGGAN, "clip": CLIP, "features": FEATURES}
    load: dict[str, Any] = {"sagan": load_generator, "biggan": load_generator, "features": load_features}
    load["clip"] = lambda settings: load_clip(settings, torch.device("cpu"))
    whole = resolve(parts[name].weights)
    path = tmp_path / whole.name
    shutil.copy(whole, path)
    shutil.copy(whole.parent / PINS, tmp_path)
    settings = type(parts[name])(**{**vars(parts[name]), "weights": str(path)})
    flip(path)
    with pytest.raises(EnvironmentFailure, match=f"checksum mismatch: {path} has sha256"):
        load[name](settings)


@pytest.mark.parametrize("damage", [truncate, flip])
def test_a_damaged_checkpoint_of_the_training_is_set_aside(tmp_path: Path, damage, caplog) -> None:
    recipe = StageRecipe(steps=2, batch=4, learning_rate=1e-3, pool=8)
    once = train(BUILDERS["features"](torch.device("cpu"), 0, recipe), recipe, tmp_path, seed=0)
    damage(tmp_path / "features.pt")
    again = train(BUILDERS["features"](torch.device("cpu"), 0, recipe), recipe, tmp_path, seed=0)
    assert "features.pt is damaged; set aside" in caplog.text and (tmp_path / "features.damaged").exists()
    for ours, theirs in zip(again.state_dict().values(), once.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_a_flipped_bit_in_a_plan_never_changes_the_pool(world, tmp_path: Path) -> None:
    settings = small("pool")
    images = searched(world.test, settings.protocol, settings.captions, settings.b_max, settings.seed)
    digest = pooled_search(world, settings, images, tmp_path).plan.digest
    (plan,) = (tmp_path / "miniature" / "pools" / "plans").glob("*.json")
    whole = plan.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 20):
        plan.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert pooled_search(world, settings, images, tmp_path).plan.digest == digest
