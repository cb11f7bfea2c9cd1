"""Results held against their raw scores: what agrees, and that every kind of changed number is found and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.cli import StopRequest, guarded
from experiments.recomputed import expected_curve, read_run
from experiments.verify import main, options, points_of
from experiments.verify import verify as verify_until
from tests.conftest import ROOT, Call
from zeroshot.errors import EnvironmentFailure, Interrupted, UserError
from zeroshot.metrics.best_score import best_clip_score, mean_best_curve
from zeroshot.metrics.expected_best import mean_expected_curve
from zeroshot.metrics.images_to_threshold import images_to_threshold
from zeroshot.report import tables
from zeroshot.report.collect import collect, curve_table
from zeroshot.report.over_captions import with_standard_error
from zeroshot.report.thresholds import table2_thresholds, with_images_of
from zeroshot.runs.directory import as_json
from zeroshot.storage.files import sha256
from zeroshot.storage.tables import read_table, write_table

GENERATORS, K, SEEDS, IMAGES, B_MAX = ("biggan", "sagan"), (1, 10), (42, 43), 5, 8
THRESHOLD = 0.8  # some runs pass it and others do not
RUN = "runs/sagan/k=0010/seed=43"


def verify(folder: Path) -> str:
    return verify_until(folder, StopRequest())


def add_run(folder: Path, generator: str, k: int, seed: int, world: str = "miniature") -> Path:
    """A finished run of random scores, as the released protocol (captions vary with b) and a pool leave it."""
    path = folder / "runs" / generator / f"k={k:04d}" / f"seed={seed}"
    path.mkdir(parents=True)
    rng = np.random.default_rng([k, seed, len(generator)])
    score = rng.beta(5, 4, (IMAGES, B_MAX))
    rows = IMAGES * B_MAX
    table = pd.DataFrame(
        {
            "image_id": np.repeat([f"bird_{i}" for i in range(IMAGES)], B_MAX),
            "caption_id": rng.integers(0, 10, rows),
            "b": np.tile(np.arange(1, B_MAX + 1), IMAGES),
            "label_index": rng.integers(0, 1000, rows),
            "score": score.ravel(),
            "image_index": rng.integers(0, 50, rows),
        }
    )
    write_table(path / "scores.parquet", table)
    best = table.loc[table.groupby("image_id")["score"].idxmax()]
    write_table(path / "selected.parquet", best[["image_id", "score"]].reset_index(drop=True))
    metrics = {
        "best_clip_score": best_clip_score(score),
        "frechet_distance": float(rng.uniform(50, 200)),
        "images_to_threshold": images_to_threshold(mean_best_curve(score), THRESHOLD),
        **{"threshold": THRESHOLD, "captions": IMAGES, "b_max": B_MAX, "k": k, "seed": seed, "generator": generator},
        **{"world": world, "protocol": "released", "clip": "c", "precision": "fp32", "images": rows},
    }
    (path / "metrics.json").write_text(as_json(metrics))
    sums = {"metrics.json": sha256(as_json(metrics).encode())}
    (path / "provenance.json").write_text(json.dumps({"files_sha256": sums}))
    return path


def add_tables(place: Path, paths: list[Path], seeds: tuple[int, ...] = SEEDS) -> None:
    """Everything that `experiments.reproduce` writes of a grid's scores, by its own functions."""
    runs = collect(paths)
    title = (
        f"Table (world: miniature, protocol: released, {', '.join(runs.generator.unique())}, "
        f"k = {', '.join(map(str, runs.k.unique()))}, {IMAGES} captions, b = {B_MAX}, "
        f"seeds {', '.join(map(str, seeds))}, shared pool)"
    )
    made = {
        "table1": with_standard_error(tables.table1(runs), runs),
        "table2": tables.table2(runs),
        "table2_expected": tables.table2(with_images_of(runs, "expected")),
        "table3": tables.table3(runs),
    }
    for name, table in made.items():
        tables.write_tables(name.partition("_")[0], table, title, place / "tables", B_MAX, name)
    (place / "figures").mkdir()
    for kind, ending in (("run", ""), ("expected", "_expected")):
        spread = np.linspace(0.4, 0.9, 50)
        thresholds = table2_thresholds(runs, spread, kind)
        thresholds.to_csv(place / "tables" / f"table2_thresholds{ending}.csv", index=False)
        curve_table(runs, kind).to_csv(place / "figures" / f"figure2{ending}.csv", index=False)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """outputs/<world>/<variant> of two generators, two k and two seeds."""
    folder = tmp_path / "outputs" / "miniature" / "released"
    add_tables(folder, [add_run(folder, *point) for point in product(GENERATORS, K, SEEDS)])
    return folder


def difference(folder: Path) -> str:
    """What the first difference is said to be."""
    with pytest.raises(EnvironmentFailure) as found:
        verify(folder)
    return str(found.value)


def test_what_the_project_writes_agrees(results: Path) -> None:
    told = verify(results)
    assert "8 metrics.json" in told and "from 320 scores" in told
    for name, rows in (("table1", 4), ("table2", 4), ("table2_thresholds_expected", 32), ("table3", 16)):
        assert f"tables/{name}.csv: {rows} rows" in told
    assert "figures/figure2.csv: 64 rows" in told and "figures/figure2_expected.csv: 64 rows" in told
    assert "Fréchet distances" in told and "Not compared: what .md" in told and "checksum" not in told
    reached = pd.read_csv(results / "tables" / "table2_thresholds.csv")["reached"]
    assert set(reached) == {0, 1, 2}  # every shape of a row of Table 2 was compared


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1000])
def test_the_expected_best_worked_out_twice_is_the_same(n: int) -> None:
    scores = np.random.default_rng(n).normal(size=(3, n))
    np.testing.assert_allclose(expected_curve(scores), mean_expected_curve(scores), rtol=1e-10, atol=1e-10)


def cell(row: int, column: str, text: str) -> Callable[[str], str]:
    """Put another text into a cell of a CSV file."""

    def change(content: str) -> str:
        lines = [line.split(",") for line in content.splitlines()]
        lines[row + 1][lines[0].index(column)] = text
        return "\n".join(map(",".join, lines)) + "\n"

    return change


def without_row(row: int) -> Callable[[str], str]:
    return lambda content: "".join(content.splitlines(keepends=True)[: row + 1] + content.splitlines(True)[row + 2 :])


def last_digit(row: int, column: str) -> Callable[[str], str]:
    """A number that is off by a millionth."""

    def change(content: str) -> str:
        lines = [line.split(",") for line in content.splitlines()]
        return cell(row, column, repr(float(lines[row + 1][lines[0].index(column)]) + 1e-6))(content)

    return change


TABLES = [
    ("table1", last_digit(0, "best_clip_score"), "row generator = biggan, k = 1, column best_clip_score:"),
    ("table1", last_digit(1, "best_clip_score_std"), "k = 10, column best_clip_score_std"),
    ("table1", last_digit(2, "frechet_distance"), "generator = sagan, k = 1, column frechet_distance"),
    ("table1", cell(3, "frechet_distance_std", ""), "frechet_distance_std: nothing stands there"),
    ("table1", last_digit(1, "best_clip_score_se"), "k = 10, column best_clip_score_se"),
    ("table1", cell(0, "seeds", "3"), "column seeds: 3 stands there, 2 was recomputed"),
    ("table1", cell(0, "best_clip_score", "high"), "best_clip_score: high stands there"),
    ("table1", cell(0, "k", "2"), "row generator = biggan, k = 2: it is too many"),
    ("table1", without_row(3), "the row generator = sagan, k = 10 is missing"),
    ("table1", lambda text: text + text.splitlines(True)[1], "k = 1: it stands there twice"),
    ("table1", lambda text: text + "sagan,50,0.5,0.1,90,1,2,0.1\n", "k = 50: it is too many"),
    ("table1", lambda text: text.replace("best_clip_score_std", "spread"), "no column best_clip_score_std"),
    ("table1", lambda text: text.replace("generator", "name"), "no column generator"),
    ("table1", lambda text: text[: len(text) // 2], "is damaged"),
    ("table1", lambda text: "", "is damaged: it has no rows"),
    ("table1", lambda text: "\x00" + text, "table1.csv"),
    ("table2", cell(0, "reached", "0"), "table2.csv, row generator = biggan, k = 1, column reached"),
    ("table2", cell(0, "images_mean", "3.0"), "column images_mean"),
    ("table2_expected", cell(1, "images_std", "0.25"), "table2_expected.csv, row generator = biggan, k = 10"),
    ("table2_thresholds", cell(4, "threshold", "0.41"), "column threshold: 0.41 stands there"),
    ("table2_thresholds", cell(0, "threshold", "0.81"), "threshold_name = mean, column threshold: 0.81"),
    ("table2_thresholds", cell(30, "images_mean", "1.5"), "threshold_name = p95, column images_mean"),
    ("table3", last_digit(0, "best_clip_score"), "seed = 42, k = 1, column best_clip_score"),
    ("table3", last_digit(4, "best_clip_score"), "seed = AVG, k = 1, column best_clip_score"),
    ("table3", last_digit(6, "frechet_distance"), "seed = STD, k = 1, column frechet_distance"),
    ("table3", without_row(0), "the row generator = biggan, seed = 42, k = 1 is missing"),
    ("table3", cell(0, "seed", "41"), "seed = 41, k = 1: it is too many"),
]


@pytest.mark.parametrize(("name", "change", "words"), TABLES)
def test_a_changed_table_is_named_with_row_column_and_both_numbers(
    results: Path, name: str, change: Callable[[str], str], words: str
) -> None:
    file = results / "tables" / f"{name}.csv"
    file.write_text(change(file.read_text()))
    found = difference(results)
    assert words in found and str(file) in found and "\n" not in found


@pytest.mark.parametrize("ending", ["", "_expected"])
@pytest.mark.parametrize("change", [last_digit(20, "best_clip_score"), without_row(63), cell(5, "seed", "44")])
def test_a_changed_curve_is_named(results: Path, ending: str, change: Callable[[str], str]) -> None:
    file = results / "figures" / f"figure2{ending}.csv"
    file.write_text(change(file.read_text()))
    assert str(file) in difference(results)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("best_clip_score", 0.5, "best_clip_score: 0.5 stands there, 0."),
        ("images_to_threshold", 1, "images_to_threshold: 1 stands there"),
        ("captions", 6, "captions: 6 stands there, 5 was recomputed"),
        ("images", 41, "images: 41 stands there, 40 was recomputed"),
        ("k", 20, "k: 20 stands there, 10 was recomputed"),
        ("seed", 42, "seed: 42 stands there, 43 was recomputed"),
        ("generator", "biggan", "'biggan' stands there, 'sagan' was recomputed"),
        ("b_max", 9, "has no score of b = 9"),
        ("threshold", 2.0, "images_to_threshold"),
        ("frechet_distance", 1.0, "provenance.json states another sha256"),
        ("frechet_distance", "low", "frechet_distance is 'low', no number"),
        ("threshold", None, "threshold is None, no number"),
    ],
)
def test_changed_metrics_are_named(results: Path, key: str, value: object, words: str) -> None:
    file = results / RUN / "metrics.json"
    if key == "threshold" and value == 2.0:  # of a run that reached its own
        file = next(f for f in results.rglob("metrics.json") if json.loads(f.read_text())["images_to_threshold"])
    file.write_text(as_json(json.loads(file.read_text()) | {key: value}))
    found = difference(results)
    assert words in found and "\n" not in found and ("b = 9" in found or str(file) in found)


def test_a_distance_changed_in_both_places_is_the_only_thing_that_no_score_tells(results: Path) -> None:
    (results / RUN / "provenance.json").unlink()
    file = results / RUN / "metrics.json"
    file.write_text(as_json(json.loads(file.read_text()) | {"frechet_distance": 1.0}))
    assert "column frechet_distance" in difference(results)  # the tables still say the other one


def rewritten(results: Path, change: Callable[[pd.DataFrame], pd.DataFrame], signed: bool = True) -> str:
    file = results / RUN / "scores.parquet"
    table = change(read_table(file))
    if signed:
        write_table(file, table)
    else:
        table.to_parquet(file)
    return difference(results)


def higher(table: pd.DataFrame) -> pd.DataFrame:
    """One image's best score is another."""
    table.loc[table["score"].idxmax(), "score"] += 0.001
    return table


def not_the_best(table: pd.DataFrame) -> pd.DataFrame:
    """A score changes that is never the best so far."""
    rows = table[table["image_id"] == "bird_0"]
    assert rows["score"].idxmin() != rows.index[0]
    table.loc[rows["score"].idxmin(), "score"] += 1e-4
    return table


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (higher, "metrics.json, best_clip_score"),
        (not_the_best, "figure2_expected.csv, row generator = sagan, k = 10, seed = 43"),
        (lambda t: t.drop(index=12), "image bird_1 has no score of b = 5"),
        (lambda t: t.drop(index=8), "image bird_1 has no score of b = 1"),
        (lambda t: t[t.image_id != "bird_4"], "captions: 5 stands there, 4 was recomputed"),
        (lambda t: t.iloc[:-1], "image bird_4 has no score of b = 8"),
        (lambda t: pd.concat([t, t.iloc[-1:]]), "has no score of b = 1"),
        (lambda t: pd.concat([t, t.iloc[:8]]), "an image is there twice"),
        (lambda t: t.assign(score=t.score.where(t.index != 3)), "finite scores"),
        (lambda t: t.drop(columns="score"), "KeyError: 'score'"),
        (lambda t: t.assign(b=t.b + 1), "finite scores of b = 1 to 8"),
        (lambda t: t.assign(score="high"), "is no run's scores"),
        (lambda t: t.iloc[:0], "finite scores"),
    ],
)
@pytest.mark.parametrize("signed", [True, False])
def test_changed_scores_are_named(results: Path, change: Callable, words: str, signed: bool) -> None:
    if change is not_the_best:  # what only the expected best of b sees
        (results / "tables" / "table2_expected.csv").unlink()
        (results / "tables" / "table2_thresholds_expected.csv").unlink()
    found = rewritten(results, change, signed)
    assert words in found and "\n" not in found


@pytest.mark.parametrize("name", ["scores.parquet", "metrics.json"])
@pytest.mark.parametrize("content", [None, b"", b"PAR1 and nothing else", b"{", b"[1]", b"\xff\xfe"])
def test_a_missing_or_damaged_file_is_named(results: Path, name: str, content: bytes | None) -> None:
    file = results / RUN / name
    file.unlink() if content is None else file.write_bytes(content)
    found = difference(results)
    assert str(file.parent) in found and "\n" not in found


def test_a_flipped_bit_is_found_or_changes_nothing(results: Path) -> None:
    file, whole = results / RUN / "scores.parquet", read_run(results / RUN)
    content, found = file.read_bytes(), 0
    for place in range(4, len(content), 293):
        file.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            pd.testing.assert_series_equal(read_run(results / RUN).best, whole.best)
        except EnvironmentFailure as damage:
            assert "is damaged" in str(damage)
            found += 1
    assert found > 5


def test_scores_without_a_checksum_are_counted(results: Path) -> None:
    file = results / RUN / "scores.parquet"
    read_table(file).to_parquet(file)
    assert "no checksum of their own: 1 of 8 runs" in verify(results)


def test_a_table_of_runs_that_are_gone_says_which(results: Path) -> None:
    shutil.rmtree(results / "runs" / "sagan" / "k=0001" / "seed=42")
    assert "runs/sagan/k=0001/seed=42 is not there or not finished" in difference(results)


def test_unfinished_runs_and_runs_of_no_table_are_left_out(results: Path) -> None:
    (results / "runs" / "sagan" / "k=0050" / "seed=42").mkdir(parents=True)
    add_run(results, "sagan", 10, 44)  # a third seed that the tables are not of
    told = verify(results)
    assert "9 metrics.json" in told and "Not finished, so left out: 1 of 10 runs." in told


def test_a_table_without_standard_errors_is_one_of_version_0_2(results: Path) -> None:
    file = results / "tables" / "table1.csv"
    pd.read_csv(file).drop(columns="best_clip_score_se").to_csv(file, index=False)
    assert "tables/table1.csv: 4 rows, 20 numbers" in verify(results)


def test_without_titles_the_rows_say_what_a_grid_is(results: Path) -> None:
    for text in results.glob("tables/*.md"):
        text.unlink()
    assert sorted(points_of(results, results)) == sorted(product(GENERATORS, K, SEEDS))
    assert "8 metrics.json" in verify(results)
    file = results / "tables" / "table3.csv"
    file.write_text(without_row(0)(file.read_text()))
    assert "seed = 42, k = 1 is missing" in difference(results)


def test_a_grid_is_verified_by_itself_and_with_its_protocol(results: Path) -> None:
    grid = results / "grids" / "sagan_k-10_seeds-43"
    add_tables(grid, [results / RUN], seeds=(43,))
    assert "1 metrics.json" in verify(grid) and "grids/sagan_k-10_seeds-43/tables/table1.csv: 1 rows" in verify(results)
    file = grid / "tables" / "table1.csv"
    file.write_text(last_digit(0, "best_clip_score")(file.read_text()))
    assert str(file) in difference(grid) and str(file) in difference(results)


def test_a_generator_of_another_variant_is_found_beside(results: Path) -> None:
    """A grid's name carries the variant of a generator whose settings are of another one than the first's."""
    other = results.parent / "released+0a1b2c3d"
    grid = results / "grids" / "sagan-mine+0a1b2c3d_k-10_seeds-43"
    add_tables(grid, [results / RUN, add_run(other, "mine", 10, 43)], seeds=(43,))
    assert "2 metrics.json" in verify(grid)


def test_one_run_is_verified_wherever_it_lies(results: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(results / RUN, tmp_path / "copy")
    for folder in (results / RUN, copy):
        assert "1 metrics.json" in verify(folder)


def test_a_run_of_version_0_2(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "fixtures" / "outputs-0.2", tmp_path, dirs_exist_ok=True)
    (folder,) = tmp_path.glob("miniature/*")
    assert "from 24 scores" in verify(folder)


def test_published_numbers_and_differences_of_the_real_world(tmp_path: Path) -> None:
    folder = tmp_path / "paper" / "released"
    add_tables(folder, [add_run(folder, *point, world="paper") for point in product(GENERATORS, K, SEEDS)])
    assert "tables/table1.csv: 4 rows, 40 numbers" in verify(folder)
    for name, column in (
        ("table1", "paper_best_clip_score"),
        ("table1", "frechet_distance_difference"),
        ("table2", "paper_images_std"),
        ("table2", "images_mean_difference"),
    ):
        file = folder / "tables" / f"{name}.csv"
        before = file.read_text()
        file.write_text(cell(2, column, "0.3")(before))
        assert f"column {column}: 0.3 stands there" in difference(folder)
        file.write_text(before)


def test_a_search_that_skips_images_carries_the_best_so_far(results: Path) -> None:
    """Other strategies than random may not score every b."""
    run = results / RUN
    metrics = json.loads((run / "metrics.json").read_text()) | {"strategy": "best+step"}
    table = read_table(run / "scores.parquet")
    kept = table[(table.b == 1) | (table.score == table.groupby("image_id").score.cummax())]
    assert len(kept) < len(table)
    write_table(run / "scores.parquet", kept)
    (run / "metrics.json").write_text(as_json(metrics | {"images": len(kept)}))
    (run / "provenance.json").unlink()
    assert f"from {len(kept)} scores" in verify(run)


@pytest.mark.parametrize("place", ["missing", "file", ".", "outputs", "outputs/miniature/released/runs", "empty"])
def test_a_wrong_folder_is_refused_in_one_line(results: Path, tmp_path: Path, call: Call, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty" / "runs").mkdir(parents=True)
    code, out, err = call(lambda: guarded(main), str(tmp_path / place))
    assert code == 2 and not out and len(err.strip().splitlines()) == 1
    if place in (".", "outputs", "outputs/miniature/released/runs"):
        assert f"there is {results.resolve()}" in err or f"there is {results}" in err


def test_the_command_prints_its_report_and_the_first_difference_exits_with_3(results: Path, call: Call) -> None:
    code, out, err = call(lambda: guarded(main), str(results))
    assert code == 0 and "every number agrees" in out and not err
    file = results / "tables" / "table1.csv"
    file.write_text(last_digit(0, "best_clip_score")(file.read_text()))
    code, out, err = call(lambda: guarded(main), str(results))
    assert code == 3 and not out and len(err.strip().splitlines()) == 1 and "column best_clip_score" in err


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--fast"], ["output=x"], [""]])
def test_one_folder_is_taken(arguments: list[str]) -> None:
    with pytest.raises(UserError, match="outputs/miniature/paper"):
        options(arguments)


def test_a_signal_ends_it(results: Path) -> None:
    stop = StopRequest()
    stop.signal = 2
    with pytest.raises(Interrupted):
        verify_until(results, stop)
