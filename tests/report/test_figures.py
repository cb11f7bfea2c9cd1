"""Figure 2 in its versions, and one style per k in all figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from zeroshot.report import figures
from zeroshot.report.figure2_svg import GEOMETRY, figure2_svg
from zeroshot.report.figures import figure2, figure2_log
from zeroshot.report.logfit import fit_log
from zeroshot.report.style import PAPER_K, k_style


def runs(folder: Path, ks: tuple[int, ...], b_max: int = 20) -> pd.DataFrame:
    """Two seeds per generator and k whose scores rise with b."""
    rows, b = [], np.arange(1, b_max + 1)
    for generator in ("biggan", "sagan"):
        for k in ks:
            for seed in (1, 2):
                path = folder / f"{generator}-{k}-{seed}-{b_max}"
                path.mkdir()
                score = 0.2 + 0.01 * seed + 0.1 / k + 0.05 * np.log(b)
                pd.DataFrame({"image_id": "x", "b": b, "score": score}).to_parquet(path / "scores.parquet")
                (path / "metrics.json").write_text(f'{{"b_max": {b_max}}}')
                rows.append({"generator": generator, "k": k, "seed": seed, "threshold": 0.3, "path": path})
    return pd.DataFrame(rows)


def lines(figure: Figure, panel: int) -> dict[str, str]:
    """Label of each named curve -> its colour."""
    found = figure.axes[panel].get_lines()
    return {str(line.get_label()).split(":")[0]: to_hex(line.get_color()).upper() for line in found}


def test_a_k_has_one_colour_whatever_else_is_shown(tmp_path: Path) -> None:
    for name in ("few", "all"):
        (tmp_path / name).mkdir()
    few, all_k = runs(tmp_path / "few", (10, 1000)), runs(tmp_path / "all", tuple(PAPER_K))
    for table in (few, all_k):
        for draw in (figure2, figure2_log):
            for panel in (0, 1):
                shown = lines(draw(table, "title"), panel)
                assert shown["k = 10"] == PAPER_K[10].colour and shown["k = 1000"] == PAPER_K[1000].colour


def test_styles_differ_from_each_other() -> None:
    assert len({style.colour for style in PAPER_K.values()}) == len(PAPER_K)
    assert len({style.dashes for style in PAPER_K.values()}) == len(PAPER_K) - 1  # black and orange are both solid
    others = {k_style(k).colour for k in (2, 5, 30, 200, 500)}
    assert len(others) == 5 and not others & {style.colour for style in PAPER_K.values()}
    assert k_style(30) == k_style(30) and k_style(5000).colour.startswith("#")


def test_sagan_comes_first_and_titles_name_the_world(tmp_path: Path) -> None:
    figure = figure2(runs(tmp_path, (10,)), "Figure 2 (world: miniature)")
    assert [panel.get_title() for panel in figure.axes] == ["SAGAN", "BigGAN"]
    assert figure.get_suptitle() == "Figure 2 (world: miniature)"


def test_a_close_up_shows_the_order_of_the_best_ks_and_only_whole_b_are_named(tmp_path: Path) -> None:
    (tmp_path / "b4").mkdir()
    figure = figure2(runs(tmp_path / "b4", (10, 20, 50, 100, 1000), b_max=4), "title")
    figure.canvas.draw()
    assert [panel.get_title() for panel in figure.axes] == ["SAGAN", "BigGAN", "", ""]
    whole, near = figure.axes[0].get_ylim(), figure.axes[2].get_ylim()
    ends = [0.215 + 0.1 / k + 0.05 * np.log(4) for k in (10, 20, 50)]  # of five ks the best three
    assert near[0] < min(ends) and max(ends) < near[1] and whole[0] < near[0]
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels() if tick.get_text()]
    assert ticks and all(tick.isdecimal() for tick in ticks)


def test_the_legend_covers_no_curve(tmp_path: Path) -> None:
    figure = figure2(runs(tmp_path, tuple(PAPER_K)), "title")
    figure.canvas.draw()
    (legend,) = figure.legends
    boxes = [panel.get_window_extent() for panel in figure.axes]
    assert len(legend.get_texts()) == 7 and not any(legend.get_window_extent().overlaps(box) for box in boxes)


def test_the_page_s_close_up_begins_where_each_curve_comes_in(tmp_path: Path) -> None:
    drawn = figure2_svg(runs(tmp_path, (10, 20, 50, 1000)))
    panel = drawn.scales["near"][0]
    low, high = panel.y_range
    assert low > drawn.scales["linear"][0].y_range[0]
    for line in panel.lines:
        places = [tuple(map(float, point.split(","))) for point in line.mean.strip("M").split("L")]
        assert all(GEOMETRY["top"] <= y <= GEOMETRY["bottom"] for _, y in places)
        mean = drawn.means["sagan"][line.k]
        expected = GEOMETRY["bottom"] - (mean[-1] - low) / (high - low) * (GEOMETRY["bottom"] - GEOMETRY["top"])
        assert places[-1] == pytest.approx((GEOMETRY["right"], expected), abs=0.06)
        assert (places[0][1] == GEOMETRY["bottom"]) == bool(mean[0] < low)


def test_a_long_title_stays_on_the_page(tmp_path: Path) -> None:
    table = runs(tmp_path, (10,))
    for shown in (table, table[table.generator == "sagan"]):
        figure = figure2(shown, "expected best CLIP score against images drawn, " * 4)
        figure.canvas.draw()
        (title,) = [text for text in figure.texts if text.get_text().startswith("expected")]
        box = title.get_window_extent()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1


def test_the_fit_and_its_r2_stand_in_the_legend(tmp_path: Path) -> None:
    figure = figure2_log(runs(tmp_path, (1, 10)), "title")
    assert figure.axes[0].get_xscale() == "log"
    legend = figure.axes[0].get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[0] == "k = 1: 0.315 + 0.0500 log b, R² = 1.0000" and texts[-1] == "train threshold"


@pytest.mark.parametrize("b_max", [1, 2])
def test_too_few_images_have_no_fit(tmp_path: Path, b_max: int) -> None:
    figure = figure2_log(runs(tmp_path, (10,), b_max), "title")
    legend = figure.axes[0].get_legend()
    assert legend is not None and legend.get_texts()[0].get_text() == "k = 10: too few images for a fit"
    figure.canvas.draw()


def test_the_expected_curve_says_so(tmp_path: Path) -> None:
    table = runs(tmp_path, (10,))
    drawn = [figure2(table, "title"), figure2(table, "title", "expected")]
    assert [d.axes[0].get_ylabel() for d in drawn] == ["mean best CLIP score", "mean expected best CLIP score"]
    first = [np.asarray(draw.axes[0].get_lines()[0].get_ydata())[0] for draw in drawn]
    assert first[1] > first[0] + 0.05  # scores rise with b here: the mean of all draws is above the first


def test_files_embed_their_fonts(tmp_path: Path) -> None:
    for name, draw in (("figure2", figure2), ("figure2_log", figure2_log)):
        (tmp_path / name).mkdir()
        png, pdf = figures.save(draw(runs(tmp_path / name, (1, 10)), "title"), tmp_path, name)
        assert png.stat().st_size > 10_000 and b"/FontFile2" in pdf.read_bytes() and b"/Type3" not in pdf.read_bytes()


def test_the_fit_is_least_squares() -> None:
    b = np.arange(1, 51)
    fit = fit_log(0.2 + 0.03 * np.log(b))
    assert fit is not None and (fit.a, fit.c, fit.r2) == pytest.approx((0.2, 0.03, 1))
    noisy = 0.2 + 0.03 * np.log(b) + np.random.default_rng(0).normal(0, 0.01, 50)
    fit = fit_log(noisy)
    assert fit is not None
    assert fit.r2 == pytest.approx(np.corrcoef(np.log(b), noisy)[0, 1] ** 2)
    assert fit_log(np.full(5, 0.3)) is None and fit_log(np.array([0.1, 0.2])) is None
