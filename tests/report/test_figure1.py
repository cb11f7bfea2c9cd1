"""Figure 1 is drawn around a search that was really made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import zeroshot
from zeroshot.report.figure1 import CAPTION, draw_method, illustrate, shown_ranks
from zeroshot.settings import RunSettings
from zeroshot.worlds.parts import default_run


def settings(k: int = 10, b_max: int = 12) -> RunSettings:
    return dataclasses.replace(default_run("miniature", "biggan"), k=k, b_max=b_max)


def test_it_shows_the_search_as_the_library_makes_it(world: zeroshot.World) -> None:
    shown = illustrate(world, settings())
    result = zeroshot.search(world, CAPTION, generator="biggan", k=10, b_max=12, seed=42)
    assert shown.best_b == result.b and shown.labels[:10] == result.labels
    assert {1, 2, 3, 4, 12, result.b} == {draw.b for draw in shown.draws}
    for draw in shown.draws:
        assert draw.score == pytest.approx(result.scores[draw.b - 1], abs=1e-6)
    best = next(draw for draw in shown.draws if draw.b == result.b)
    np.testing.assert_array_equal(best.image, np.asarray(result.image))
    assert (np.diff(shown.similarity) <= 1e-7).all() and len(shown.similarity) == 1000


@pytest.mark.parametrize(("k", "b_max"), [(1, 1), (10, 12), (1000, 5)])
def test_no_text_leaves_the_drawing(world: zeroshot.World, k: int, b_max: int) -> None:
    figure = draw_method(illustrate(world, settings(k, b_max)))
    figure.canvas.draw()
    page = figure.bbox
    texts = figure.axes[0].texts
    for text in texts:
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()
    assert any("embedded miniature world, not of the paper" in text.get_text() for text in texts)


@pytest.mark.parametrize(
    ("k", "ranks"),
    [
        (1, [1, 2, 3, 4, None, 1000]),
        (4, [1, 2, 3, 4, 5, None, 1000]),
        (10, [1, 2, 3, 4, None, 10, 11, None, 1000]),
        (1000, [1, 2, 3, 4, None, 1000]),
    ],
)
def test_ranks_that_are_listed(k: int, ranks: list[int | None]) -> None:
    assert shown_ranks(k, 1000) == ranks
