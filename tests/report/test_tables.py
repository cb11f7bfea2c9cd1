from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zeroshot.report.tables import bias_of, latex, markdown, paper_shape, table1, table2, table3, write_tables


def published() -> pd.DataFrame:
    """The paper's Table 3, in the form of collected runs."""
    folder = files("zeroshot").joinpath("report/published")
    scores = pd.read_csv(str(folder.joinpath("table1_clip_score.csv")))
    distances = pd.read_csv(str(folder.joinpath("table1_fid.csv"))).rename(columns={"fid": "frechet_distance"})
    runs = scores.merge(distances, on=["generator", "k", "seed"], validate="one_to_one")
    return runs.assign(images_to_threshold=[None if k == 1 else 10 for k in runs.k])


def test_table1_of_the_published_seeds_gives_the_published_means() -> None:
    table = table1(published()).set_index(["generator", "k"])
    assert table.loc[("SAGAN", 10), "best_clip_score"] == pytest.approx(0.311278, abs=1e-6)
    assert table.loc[("BIGGAN", 50), "best_clip_score_std"] == pytest.approx(1.727e-4, abs=1e-7)
    assert table.loc[("SAGAN", 1), "frechet_distance"] == pytest.approx(106.37, abs=0.005)
    assert (table["seeds"] == 3).all() and len(table) == 12


def test_rows_of_table3_average_to_table1() -> None:
    runs = published()
    long, short = table3(runs), table1(runs)
    for measure in ("best_clip_score", "frechet_distance"):
        seeds = long[~long.seed.isin(["AVG", "STD"])].groupby(["generator", "k"])[measure]
        averages = long[long.seed == "AVG"].set_index(["generator", "k"])[measure].sort_index()
        pd.testing.assert_series_equal(seeds.mean(), averages)
        pd.testing.assert_series_equal(
            seeds.std(ddof=1), long[long.seed == "STD"].set_index(["generator", "k"])[measure].sort_index()
        )
        np.testing.assert_allclose(short.set_index(["generator", "k"])[measure].sort_index(), averages)


def test_contract_columns() -> None:
    runs = published()
    assert list(table1(runs)) == [
        "generator",
        "k",
        "best_clip_score",
        "best_clip_score_std",
        "frechet_distance",
        "frechet_distance_std",
        "seeds",
    ]
    assert list(table2(runs)) == ["generator", "k", "images_mean", "images_std", "reached", "seeds"]
    assert list(table3(runs)) == ["generator", "seed", "k", "best_clip_score", "frechet_distance"]


def test_where_images_are_shared_the_distinct_ones_stand_beside_the_distance(tmp_path: Path) -> None:
    runs = published().assign(captions=200, distinct_selected=lambda r: 200 - r.seed + 41)  # 199, 198, 197
    table = table1(runs)
    shaped = paper_shape("table1", table, 100)
    assert (
        shaped.measure.tolist() == ["best CLIP score"] * 2 + ["Fréchet distance"] * 2 + ["distinct selected images"] * 2
    )
    assert shaped.iloc[-1, 2:].tolist() == ["198.0"] * 6
    by_seed = paper_shape("table3", table3(runs), 100).query("measure == 'distinct selected images'")
    assert by_seed["k = 1"].tolist() == ["199.0", "198.0", "197.0", "198.0", "1.0"] * 2
    write_tables("table1", table, "Table 1", tmp_path, b_max=100)
    assert "distinct selected images" in (tmp_path / "table1.md").read_text()
    assert list(pd.read_csv(tmp_path / "table1.csv")) == list(table1(published()))  # the contract's columns
    fresh = runs.assign(distinct_selected=200)
    assert list(table1(fresh)) == list(table1(published())) and list(table3(fresh)) == list(table3(published()))


def test_titles_say_when_a_distance_is_of_too_few_images() -> None:
    runs = published()
    assert bias_of(runs) == ""  # of a version that did not say
    counted = runs.assign(frechet_images=lambda r: 2778 - r.k, feature_dim=2048)
    assert bias_of(counted) == ", Fréchet distance biased high: 1,778 images for 2,048 features"
    assert bias_of(counted[counted.k < 200]) == ""


def test_table2_is_empty_unless_all_seeds_reach_the_threshold() -> None:
    runs = pd.DataFrame(
        {
            "generator": "sagan",
            "k": [1, 1, 10, 10, 20, 20],
            "seed": [42, 43] * 3,
            "images_to_threshold": [None, None, 7, 9, 12, None],
        }
    )
    table = table2(runs).set_index("k")
    assert table.loc[10, "images_mean"] == 8 and table.loc[10, "images_std"] == pytest.approx(np.sqrt(2))
    assert table.loc[[1, 20], ["images_mean", "images_std"]].isna().all(axis=None)
    assert table["reached"].tolist() == [0, 2, 1]
    shaped = paper_shape("table2", table2(runs), b_max=100)
    assert shaped.iloc[0, 1:].tolist() == ["> 100", "8.00 ± 1.41", "1 of 2"]


def test_one_seed_has_no_spread() -> None:
    runs = published().query("seed == 42")
    assert table1(runs)["best_clip_score_std"].isna().all()
    assert "nan" not in markdown(paper_shape("table1", table1(runs), 100))


def test_files_name_the_world_and_hold_the_same_numbers(tmp_path: Path) -> None:
    runs = published()
    write_tables("table1", table1(runs), "Table 1 (world: miniature)", tmp_path, b_max=100)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "table1.csv"), table1(runs))
    for suffix in ("md", "tex"):
        text = (tmp_path / f"table1.{suffix}").read_text()
        assert "world: miniature" in text and "0.3113" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table1.csv", "table1.md", "table1.tex"]


def test_latex_escapes_signs_and_counts_columns() -> None:
    shaped = paper_shape("table2", table2(published()), b_max=100)
    text = latex(shaped, "title", "table2")
    assert "$>$ 100" in text and r"$\pm$" in text and r"\begin{tabular}{lrrrrrr}" in text


AWKWARD = r"a_b&c {50 %} #1 $x$ \y ~z ^w < | " + "\nend"


def test_no_sign_of_a_name_breaks_latex_or_markdown() -> None:
    table = pd.DataFrame([[AWKWARD, "1.00 ± 0.10", "> 100"]], columns=["generator", "k = 1", "k_&"])
    text = latex(table, AWKWARD, "table1")
    written = (
        r"a\_b\&c \{50 \%\} \#1 \$x\$ \textbackslash{}y \textasciitilde{}z \textasciicircum{}w $<$ \textbar{}  end"
    )
    assert rf"\caption{{{written}}}" in text
    assert rf"{written} & 1.00 $\pm$ 0.10 & $>$ 100 \\" in text and r"generator & $k$ = 1 & k\_\& \\" in text
    lines = markdown(table).splitlines()
    assert len(lines) == 3 and len({line.replace(r"\|", "").count("|") for line in lines}) == 1


# Debian's texlive-latex-base has no booktabs.
DOCUMENT = r"""\documentclass{article}
\IfFileExists{booktabs.sty}{\usepackage{booktabs}}{\let\toprule\hline\let\midrule\hline\let\bottomrule\hline}
\usepackage{graphicx}
\begin{document}
\input{table1} \input{table2} \input{table3} \input{awkward}
\end{document}
"""


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX is installed: apt-get install texlive-latex-base")
def test_latex_sets_the_tables_within_the_page_and_numbers_them_once(tmp_path: Path) -> None:
    runs, setting = published().assign(captions=200, distinct_selected=180), "world: w, 95 % of x ± 1"
    for number, table in enumerate((table1(runs), table2(runs), table3(runs)), start=1):
        title = f"Table {number}: Fréchet distance ({setting})"
        write_tables(f"table{number}", table, title, tmp_path, 100)
    awkward = pd.DataFrame([[AWKWARD, "1.00 ± 0.10", "> 100"]], columns=["generator", "k = 1", "k_&"])
    (tmp_path / "awkward.tex").write_text(latex(awkward, AWKWARD, "awkward"), encoding="utf-8")
    (tmp_path / "all.tex").write_text(DOCUMENT, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    assert done.returncode == 0 and (tmp_path / "all.pdf").stat().st_size > 10_000, done.stdout
    assert "Overfull" not in done.stdout
    assert "Table 1" not in (tmp_path / "table1.tex").read_text(encoding="utf-8")
    labels = re.findall(r"newlabel\{tab:(\w+)\}\{\{(\d)\}", (tmp_path / "all.aux").read_text(encoding="utf-8"))
    assert labels == [("table1", "1"), ("table2", "2"), ("table3", "3"), ("awkward", "4")]


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n", "\f", "\u2028"])
def test_no_line_break_of_a_name_breaks_latex_or_markdown(ending: str) -> None:
    table = pd.DataFrame({"generator": [f"a{ending}b"], f"k{ending}1": ["1"]})
    assert markdown(table).splitlines()[::2] == ["| generator | k 1 |", "| a b       | 1   |"]
    text = latex(table, f"a{ending}b", "table1")
    assert r"\caption{a b}" in text and r"a b & 1 \\" in text and r"generator & k 1 \\" in text


@pytest.mark.parametrize("first", ["[1pt]", "*", "[", "**a"])
def test_a_row_is_not_taken_for_the_option_of_the_row_before(first: str) -> None:
    text = latex(pd.DataFrame({"generator": ["a", first], "k = 1": ["1", "2"]}), "title", "table1")
    assert not re.search(r"\\\\\s*[\[*]", text)
    assert re.sub(r"\{([\[*])\}", r"\1", text).count(f"\n{first} & 2") == 1


@pytest.mark.parametrize("cell", ["|", r"\|", r"\\|", r"a\|b|c", "|||", "\\"])
def test_every_bar_of_a_cell_is_escaped_whatever_stands_before_it(cell: str) -> None:
    last = markdown(pd.DataFrame({"generator": [cell], "k": ["1"]})).splitlines()[-1]
    assert [len(run) % 2 for run in re.findall(r"(\\*)\|", last)] == [0, *[1] * cell.count("|"), 0, 0]
    written = last.removeprefix("| ").rpartition(" | ")[0].rstrip()
    assert re.sub(r"(\\*)\1\\\|", r"\1|", written) == cell  # what a reader sees


def test_whole_numbers_beside_others_stay_whole_in_markdown() -> None:
    assert markdown(pd.DataFrame({"k": [10], "score": [0.5]})).splitlines()[-1] == "| 10 | 0.5   |"


def test_the_kernel_distance_stands_in_tables_1_and_3_where_all_runs_have_it() -> None:
    runs = pd.DataFrame(
        {
            "generator": "sagan",
            "k": [10, 10, 100, 100],
            "seed": [42, 43, 42, 43],
            "best_clip_score": [0.5, 0.6, 0.4, 0.5],
            "frechet_distance": [100.0, 110.0, 200.0, 210.0],
            "kernel_distance": [0.01, 0.03, -0.001, 0.001],
            "captions": 4,
        }
    )
    first = table1(runs).set_index("k")
    assert first.loc[10, "kernel_distance"] == pytest.approx(0.02)
    assert first.loc[10, "kernel_distance_std"] == pytest.approx(np.std([0.01, 0.03], ddof=1))
    shaped = paper_shape("table1", first.reset_index(), 100)
    assert list(shaped["measure"]) == ["best CLIP score", "Fréchet distance", "kernel distance"]
    assert shaped.loc[2, "k = 10"] == "0.02 ± 0.014"
    third = table3(runs).set_index(["seed", "k"])
    assert third.loc[("AVG", 10), "kernel_distance"] == pytest.approx(0.02)
    older = runs.assign(kernel_distance=[0.01, None, None, None])  # a run before 0.3.0, or of three captions
    assert "kernel_distance" not in table1(older) and "kernel_distance" not in table3(older)
