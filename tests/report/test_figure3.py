"""Figure 3: each image is the one that was selected, and what was not run is said to be so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import zeroshot
from zeroshot.errors import UserError
from zeroshot.report import figures
from zeroshot.report.figure3 import (
    NO_PHOTOGRAPH,
    NOT_RUN,
    PAPER_CAPTIONS,
    figure3_rows,
    needs_runs,
    representative,
    search_texts,
    species,
)
from zeroshot.report.figure3_drawing import draw_figure3_rows
from zeroshot.runs.run import run, run_path
from zeroshot.settings import RunSettings
from zeroshot.worlds.parts import default_run
from zeroshot.worlds.protocols import Searched, searched

B_MAX = 3


def column(generator: str, k: int) -> RunSettings:
    return dataclasses.replace(default_run("miniature", generator), k=k, b_max=B_MAX, captions=5)


COLUMNS = [column("sagan", 10), column("biggan", 1000)]


@pytest.fixture(scope="module")
def output(world: zeroshot.World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first column's run; the second has none."""
    folder = tmp_path_factory.mktemp("figure3")
    run(world, COLUMNS[0], folder)
    return folder


def score_of(world: zeroshot.World, image: np.ndarray, caption: str) -> float:
    """Of an 8-bit picture, so good to 1e-2."""
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    return float(world.clip.encode_images(pixels)[0].double() @ world.clip.encode_text([caption])[0].double())


def test_in_the_miniature_test_captions_come_first_then_the_papers(world: zeroshot.World, output: Path) -> None:
    rows = figure3_rows(world, COLUMNS, output)
    selected = pd.read_parquet(run_path(output, COLUMNS[0]) / "selected.parquet").set_index("caption")
    assert [row.caption for row in rows[-3:]] == list(PAPER_CAPTIONS)
    assert len(rows) == 6
    for row in rows[:3]:
        image = selected.loc[row.caption]
        found, missing = row.cells
        assert found.image is not None and found.score == pytest.approx(image.score) and found.label == image.label
        assert score_of(world, found.image, row.caption) == pytest.approx(image.score, abs=1e-2)
        assert missing.image is None and missing.label == NOT_RUN
        photograph = world.test.image(world.test.image_ids.index(image.image_id))
        np.testing.assert_array_equal(row.photograph.image, np.asarray(photograph))
        assert row.photograph.label == species(image.image_id)
    scores = [row.cells[0].score or 0 for row in rows[:3]]
    assert scores == sorted(scores, reverse=True)


def test_the_papers_captions_are_searched_for_as_a_person_would(world: zeroshot.World, output: Path) -> None:
    (row,) = figure3_rows(world, COLUMNS, output, [PAPER_CAPTIONS[2]])
    assert row.photograph.image is None and row.photograph.label == NO_PHOTOGRAPH
    for cell, settings in zip(row.cells, COLUMNS, strict=True):
        name = settings.generator.name
        result = zeroshot.search(world, row.caption, generator=name, k=settings.k, b_max=B_MAX, seed=settings.seed)
        assert cell.score == pytest.approx(result.score, abs=1e-6) and cell.label == result.label
        np.testing.assert_array_equal(cell.image, np.asarray(result.image))


def test_a_typed_sentence_of_the_test_split_gets_its_photograph(world: zeroshot.World, output: Path) -> None:
    sentence = world.test.captions[7][2]
    first = next(i for i, captions in enumerate(world.test.captions) if sentence in captions)
    (row,) = figure3_rows(world, COLUMNS[:1], output, [sentence.upper() + "."])
    np.testing.assert_array_equal(row.photograph.image, np.asarray(world.test.image(first)))


def searched_images(world: zeroshot.World) -> list[Searched]:
    return searched(world.test, COLUMNS[0].protocol, 5, B_MAX, COLUMNS[0].seed)


def test_image_ids_and_sentences_keep_their_order(world: zeroshot.World, output: Path) -> None:
    images = searched_images(world)
    wanted = [images[3].image_id, "a red dog", images[0].image_id]
    rows = figure3_rows(world, COLUMNS[:1], output, wanted)
    assert [row.caption for row in rows] == [images[3].captions[0], "a red dog", images[0].captions[0]]


def test_an_image_that_was_not_searched_for_is_refused(world: zeroshot.World, output: Path) -> None:
    other = next(i for i in world.test.image_ids if i not in {image.image_id for image in searched_images(world)})
    with pytest.raises(UserError, match=f"{other}, which is not among the 5 test images"):
        figure3_rows(world, COLUMNS, output, [other])


@pytest.mark.parametrize(
    ("text", "k", "message"), [(" ", 10, "an empty caption"), ("a bird", 1001, "k = 1001, but this world has 1,000")]
)
def test_what_cannot_be_searched_for_is_refused(world: zeroshot.World, text: str, k: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        search_texts(world, column("sagan", k), [text])


def test_representative_captions_are_percentiles_of_the_mean_over_the_columns() -> None:
    ids = [f"image {i}" for i in range(11)]
    one = pd.DataFrame({"image_id": ids, "score": np.arange(11) / 10})
    other = pd.DataFrame({"image_id": ids[::-1], "score": np.arange(10, -1, -1) / 5})
    found = representative([one, None, other])
    assert [image_id for image_id, _ in found] == ["image 9", "image 5", "image 1"]
    assert [note.split()[0] for _, note in found] == ["90th", "50th", "10th"]
    assert representative([None]) == []
    assert len(representative([one.head(1)])) == 1


def test_only_rows_of_test_images_need_runs(world: zeroshot.World) -> None:
    assert needs_runs(world, [])
    assert not needs_runs(world, ["a red dog"])
    assert needs_runs(world, ["a red dog", world.test.image_ids[0]])


def test_the_real_world_shows_the_papers_captions_and_needs_no_run(
    world: zeroshot.World, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(world), "name", "paper")
    assert not needs_runs(world, [])
    assert [row.caption for row in figure3_rows(world, COLUMNS[:1], output)] == list(PAPER_CAPTIONS)


def test_captions_that_differ_by_cell_are_numbered(world: zeroshot.World, tmp_path: Path) -> None:
    columns = []
    for k in (1, 1000):
        settings = default_run("miniature", "sagan", "released")
        columns.append(dataclasses.replace(settings, k=k, b_max=B_MAX, captions=16))
        run(world, columns[-1], tmp_path)
    rows = figure3_rows(world, columns, tmp_path, ids_of(tmp_path, columns[0]))
    mixed = [row for row in rows if not row.caption]
    assert mixed and all(len({cell.caption for cell in row.cells}) == 2 for row in mixed)
    figure = draw_figure3_rows(mixed[:1], columns, "Figure 3")
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {f"{cell.score:.3f} ({n})" for n, cell in enumerate(mixed[0].cells, start=1)} <= texts


def ids_of(output: Path, settings: RunSettings) -> list[str]:
    return list(pd.read_parquet(run_path(output, settings) / "selected.parquet").image_id)


def test_the_drawing_says_what_it_shows(world: zeroshot.World, output: Path, tmp_path: Path) -> None:
    rows = figure3_rows(world, COLUMNS, output)
    figure = draw_figure3_rows(rows, COLUMNS, "Figure 3 (world: miniature)")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[0] == "Figure 3 (world: miniature)" and "90th, 50th, 10th percentile" in texts[1]
    assert {"photograph", "SAGAN", "BigGAN", "k = 10", "k = 1,000", NOT_RUN, NO_PHOTOGRAPH} <= set(texts)
    shown = [cell for row in rows for cell in (row.photograph, *row.cells) if cell.image is not None]
    assert len(figure.axes) == 1 + len(shown)
    assert {f"{cell.score:.3f}" for cell in shown} <= set(texts)
    figure.canvas.draw()
    page = figure.bbox
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()
    png, pdf = figures.save(figure, tmp_path, "figure3")
    assert png.stat().st_size > 10_000 and b"/FontFile2" in pdf.read_bytes() and b"/Type3" not in pdf.read_bytes()
