"""A shared pool: fixed addresses, blocks that survive kills and damage, runs that are Algorithm 1 by themselves."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import zeroshot
from zeroshot.errors import EnvironmentFailure, Interrupted
from zeroshot.report.redraw import redraw
from zeroshot.runs.pooled import pooled_search
from zeroshot.runs.run import run, run_path
from zeroshot.searching import pool as module
from zeroshot.searching.engine import Engine
from zeroshot.searching.pool import Pool, pool_addresses
from zeroshot.searching.pool_plan import Plan
from zeroshot.settings import RunSettings
from zeroshot.worlds.parts import default_run
from zeroshot.worlds.protocols import searched

CLASSES, IMAGES = np.array([3, 3, 7, 11, 7]), np.array([0, 2, 1, 0, 0])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)


@pytest.fixture(scope="module")
def engine(world: zeroshot.World) -> Engine:
    return world.engine("sagan", 8)


def tiny(**changes: object) -> RunSettings:
    base = default_run("miniature", "sagan")
    search = dataclasses.replace(base.search, k=[1, 5])
    return dataclasses.replace(base, k=5, b_max=6, captions=4, batch_size=8, search=search, **changes)  # type: ignore[arg-type]


def test_an_address_is_the_same_image_in_whatever_company() -> None:
    together = pool_addresses(1, CLASSES, IMAGES, 32)
    for row in range(len(CLASSES)):
        alone = pool_addresses(1, CLASSES[row : row + 1], IMAGES[row : row + 1], 32)
        np.testing.assert_array_equal(alone.latent[0], together.latent[row])
    assert len(np.unique(together.latent[:, 0])) == len(CLASSES)
    assert not np.array_equal(pool_addresses(2, CLASSES, IMAGES, 32).latent, together.latent)


def test_what_is_filled_is_what_the_engine_embeds(engine: Engine, tmp_path: Path) -> None:
    pool = Pool(tmp_path / "pool", engine, 1, {})
    assert pool.fill(CLASSES, IMAGES) == len(CLASSES)
    expected = engine.embed(pool_addresses(1, CLASSES, IMAGES, engine.generator.z_dim))
    np.testing.assert_allclose(pool.embeddings(CLASSES, IMAGES), expected, atol=1e-5)
    assert pool.fill(CLASSES, IMAGES) == 0


def test_a_pool_grows_by_what_is_missing(engine: Engine, tmp_path: Path) -> None:
    pool = Pool(tmp_path / "pool", engine, 1, {})
    pool.fill(CLASSES, IMAGES)
    before = pool.embeddings(CLASSES, IMAGES)
    assert pool.fill(np.append(CLASSES, [3, 20]), np.append(IMAGES, [1, 0])) == 2
    np.testing.assert_array_equal(pool.embeddings(CLASSES, IMAGES), before)
    assert np.isfinite(pool.embeddings(np.array([20, 3]), np.array([0, 1]))).all()


def test_a_stopped_pool_goes_on(engine: Engine, tmp_path: Path) -> None:
    class_index, image_index = np.repeat([1, 2], 6), np.tile(np.arange(6), 2)
    answers = iter([False, True])
    with pytest.raises(Interrupted):
        Pool(tmp_path / "pool", engine, 1, {}).fill(class_index, image_index, lambda: next(answers))
    pool = Pool(tmp_path / "pool", engine, 1, {})
    assert pool.fill(class_index, image_index) == 8  # of twelve: a block of four was kept
    whole = Pool(tmp_path / "whole", engine, 1, {})
    whole.fill(class_index, image_index)
    np.testing.assert_array_equal(pool.embeddings(class_index, image_index), whole.embeddings(class_index, image_index))


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_a_damaged_block_is_set_aside_and_made_again(damage: str, engine: Engine, tmp_path: Path) -> None:
    pool = Pool(tmp_path / "pool", engine, 1, {})
    pool.fill(CLASSES, IMAGES)
    before = pool.embeddings(CLASSES, IMAGES)
    path = sorted((tmp_path / "pool").glob("extension-*/0*.npy"))[0]
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-3] ^= 1
    path.write_bytes(content[:-9] if damage == "truncate" else content)
    if damage == "delete":
        path.unlink()
    again = Pool(tmp_path / "pool", engine, 1, {})
    with pytest.raises(EnvironmentFailure, match="missing or damaged"):
        again.embeddings(CLASSES, IMAGES)
    assert again.fill(CLASSES, IMAGES) == 4
    np.testing.assert_array_equal(again.embeddings(CLASSES, IMAGES), before)
    assert path.with_suffix(".damaged").exists() == (damage != "delete")


def test_another_pools_folder_is_refused(engine: Engine, tmp_path: Path) -> None:
    Pool(tmp_path / "pool", engine, 1, {"truncation": 0.4})
    with pytest.raises(EnvironmentFailure, match="holds another pool"):
        Pool(tmp_path / "pool", engine, 1, {"truncation": 1.0})


def test_a_run_draws_the_same_classes_as_with_fresh_images_and_its_files_say_which_image(
    world: zeroshot.World, tmp_path: Path
) -> None:
    pooled, fresh = tiny(), tiny()
    fresh = dataclasses.replace(fresh, search=dataclasses.replace(fresh.search, images="fresh"))
    metrics = run(world, pooled, tmp_path)
    run(world, fresh, tmp_path)
    ours = pd.read_parquet(run_path(tmp_path, pooled) / "scores.parquet")
    theirs = pd.read_parquet(run_path(tmp_path, fresh) / "scores.parquet")
    assert list(ours.columns) == [*theirs.columns, "image_index"]
    np.testing.assert_array_equal(ours.label_index, theirs.label_index)
    assert not np.allclose(ours.score, theirs.score)
    drawn = list(zip(ours.image_id, ours.label_index, ours.image_index, strict=True))
    assert len(set(drawn)) == len(drawn)  # no caption meets an image twice
    assert metrics["images"] == 24 and metrics["distinct_selected"] <= 4

    selected = pd.read_parquet(run_path(tmp_path, pooled) / "selected.parquet")
    pictures = redraw(world, pooled, selected)
    engine = world.engine(pooled.generator, pooled.batch_size)
    where = pool_addresses(
        pooled.seed, selected.label_index.to_numpy(), selected.image_index.to_numpy(), engine.generator.z_dim
    )
    np.testing.assert_array_equal(pictures, engine.pictures(where))
    text = world.clip.encode_text(list(selected.caption)).cpu().numpy()
    np.testing.assert_allclose((engine.embed(where) * text).sum(axis=1), selected.score, atol=1e-5)


def test_all_k_share_one_pool_and_the_plan_is_frozen(world: zeroshot.World, tmp_path: Path) -> None:
    settings = tiny()
    images = searched(world.test, settings.protocol, settings.captions, settings.b_max, settings.seed)
    search = pooled_search(world, settings, images, tmp_path)
    assert search.fill() == search.plan.depth.sum()
    again = pooled_search(world, dataclasses.replace(settings, k=1), images, tmp_path)
    assert again.plan.digest == search.plan.digest and again.fill() == 0
    path = next((tmp_path / "miniature" / "pools" / "plans").iterdir())
    depth = search.plan.depth.copy()
    depth[0] = 9
    plan = json.loads(path.read_text()) | {"depth": depth.tolist(), "digest": Plan(depth).digest}
    path.write_text(json.dumps(plan))
    assert pooled_search(world, settings, images, tmp_path).plan.depth[0] == 9  # what stands there counts


def test_with_as_many_images_as_draws_the_pool_is_algorithm_1(world: zeroshot.World, tmp_path: Path) -> None:
    settings = tiny(seed=5)
    settings = dataclasses.replace(settings, search=dataclasses.replace(settings.search, share=1.0))
    images = searched(world.test, settings.protocol, settings.captions, settings.b_max, settings.seed)
    search, tasks = pooled_search(world, settings, images, tmp_path), world.tasks(images)
    search.fill()
    scores = search.run_tasks(tasks, settings.k, settings.b_max)
    for t, task in enumerate(tasks):
        assert set(scores.class_index[t]) <= set(task.ranking[0, : settings.k])
        for b in range(settings.b_max):  # each score by itself, from its address
            assert scores.image_index is not None
            where = pool_addresses(
                5,
                scores.class_index[t, b : b + 1],
                scores.image_index[t, b : b + 1],
                search.pool.engine.generator.z_dim,
            )
            assert scores.score[t, b] == pytest.approx(search.pool.engine.scores(where, task.text)[0], abs=1e-5)
