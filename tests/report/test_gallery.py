"""The gallery shows the images that were scored, and when each was the best."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import zeroshot
from tests.report.conftest import Made
from zeroshot.errors import UserError
from zeroshot.report.collect import collect
from zeroshot.report.gallery import Entry, best_after, gallery, shown_runs
from zeroshot.runs.run import run, run_path
from zeroshot.worlds.parts import default_run


def score_of(world: zeroshot.World, image: np.ndarray, caption: str) -> float:
    """Of an 8-bit picture, so good to 1e-2."""
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    return float(world.clip.encode_images(pixels)[0].double() @ world.clip.encode_text([caption])[0].double())


def check_images(world: zeroshot.World, entries: list[Entry]) -> None:
    """Every image scores what is said of it, with its caption."""
    for entry in entries:
        for search in entry.searches:
            for shot in search.path:
                assert score_of(world, shot.image, shot.caption) == pytest.approx(shot.score, abs=1e-2)
            scores = [shot.score for shot in search.path]
            assert scores == sorted(scores)


def test_each_image_is_the_one_that_was_scored(world: zeroshot.World, made: Made) -> None:
    entries = gallery(world, made.runs, captions=2)
    check_images(world, entries)
    for entry in entries:
        assert [(s.generator, s.k) for s in entry.searches] == [
            (generator, k) for generator in ("sagan", "biggan") for k in (10, 1000)
        ]
        photograph = world.test.image(world.test.image_ids.index(entry.image_id))
        np.testing.assert_array_equal(entry.photograph, np.asarray(photograph))
        for search in entry.searches:
            marks = [mark for shot in search.path for mark in shot.marks]
            assert marks == [1, 2, 5, 6] and search.selected.caption == entry.caption


def test_the_last_image_of_a_path_is_the_run_s_winner(world: zeroshot.World, made: Made) -> None:
    shown = shown_runs(made.runs, [10, 1000])
    selected = [pd.read_parquet(path / "selected.parquet").set_index("image_id") for path in shown["path"]]
    for entry in gallery(world, made.runs, captions=5):
        for search, table in zip(entry.searches, selected, strict=True):
            row, shot = table.loc[entry.image_id], search.selected
            assert (shot.b, shot.label, shot.caption) == (row.b, row.label, row.caption)
            assert shot.score == pytest.approx(row.score)


def test_fresh_images_and_captions_that_change_with_b(world: zeroshot.World, tmp_path: Path) -> None:
    settings = default_run("miniature", "sagan", "released")
    fresh = dataclasses.replace(settings.search, images="fresh")
    settings = dataclasses.replace(settings, k=10, b_max=5, captions=16, search=fresh)
    run(world, settings, tmp_path)
    (entry,) = gallery(world, collect([run_path(tmp_path, settings)]), captions=1)
    check_images(world, [entry])
    captions = {shot.caption for shot in entry.searches[0].path}
    own = world.test.captions[world.test.image_ids.index(entry.image_id)]
    assert captions <= {text.strip().lower()[: settings.protocol.caption_characters] for text in own}
    assert entry.caption == (captions.pop() if len(captions) == 1 else "")


def test_best_after_names_each_draw_once_with_its_marks() -> None:
    score = np.zeros(100)
    score[[1, 30]] = 0.5, 0.7
    assert best_after(score) == {1: (1,), 2: (2, 5, 10, 20), 31: (50, 100)}
    assert best_after(np.ones(3)) == {1: (1, 2, 3)}


def test_captions_go_from_the_90th_percentile_to_the_10th(world: zeroshot.World, made: Made) -> None:
    shown = shown_runs(made.runs, [10, 1000])
    tables = [pd.read_parquet(path / "selected.parquet").set_index("image_id")["score"] for path in shown["path"]]
    order = pd.concat(tables, axis=1).mean(axis=1).sort_values(ascending=False).index
    entries = gallery(world, made.runs)
    assert [entry.image_id for entry in entries] == list(order)  # five captions, five percentiles
    assert [entry.percentile for entry in entries] == [90, 70, 50, 30, 10]
    assert [entry.image_id for entry in gallery(world, made.runs, captions=3)] == [order[0], order[2], order[4]]


def test_where_no_k_asked_for_was_run_the_smallest_and_largest_are_shown(made: Made) -> None:
    runs = made.runs.assign(k=made.runs["k"].replace({10: 2, 1000: 7}))
    runs = pd.concat([runs, runs.assign(k=5)])
    assert set(shown_runs(runs, [10, 1000])["k"]) == {2, 7}
    assert set(shown_runs(runs, [5, 1000])["k"]) == {5}
    assert set(shown_runs(runs, [5])["seed"]) == {42}


def test_a_gallery_of_nothing_is_refused(world: zeroshot.World, made: Made) -> None:
    with pytest.raises(UserError, match=r"page.captions = 0, but .* give 1 or more"):
        gallery(world, made.runs, captions=0)
