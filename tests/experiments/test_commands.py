"""The commands as a user types them: results, and what bad input gets."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from experiments.cli import StopRequest
from experiments.reproduce import main as reproduce_main
from experiments.run import main as run_main
from experiments.verify import verify
from tests.conftest import ROOT, Call, command, with_cache

TINY = ("experiment=tiny", "device=cpu")


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Outputs of `experiments.reproduce all` on the tiny setting."""
    output = with_cache(tmp_path_factory.mktemp("outputs"), cache)
    done = command("experiments.reproduce", "all", *TINY, f"output={output}")
    assert done.returncode == 0, done.stderr
    folder = grid_folder(output)
    assert done.stdout.rstrip().endswith(f"→ {folder / 'page' / 'index.html'}")
    return output


def variant_folder(output: Path) -> Path:
    (folder,) = (output / "miniature").glob("paper+*")
    return folder


def grid_folder(output: Path) -> Path:
    """Where tables and figures of the tiny setting's own grid lie."""
    return variant_folder(output) / "grids" / "k-1-10-1000_seeds-42-43"


def test_reproduce_writes_tables_and_figures(reproduced: Path) -> None:
    folder = grid_folder(reproduced)
    names = {path.name for path in (folder / "tables").iterdir()} | {
        path.name for path in (folder / "figures").iterdir()
    }
    beside = {"table2_thresholds.csv", "claims.csv", "claims.md", "figure2.csv"}
    assert names == beside | {f"table{i}.{s}" for i in (1, 2, 3) for s in ("csv", "md", "tex")} | {
        f"{figure}.{s}" for figure in ("figure1", "figure2", "figure2_log", "figure3") for s in ("png", "pdf")
    }
    assert len(pd.read_csv(folder / "tables" / "table1.csv")) == 6
    assert len(list(variant_folder(reproduced).glob("runs/*/k=*/seed=*/metrics.json"))) == 12
    few = "Fréchet distance biased high: 6 images for 32 features"
    titles = {name: (folder / "tables" / f"{name}.md").read_text() for name in ("table1", "table2", "table3", "claims")}
    setting = "world: miniature, protocol: paper, sagan, biggan, k = 1, 10, 1000, 6 captions, b = 4, seeds 42, 43"
    assert setting in titles["table1"]
    assert [name for name, text in titles.items() if few in text] == ["table1", "table3", "claims"]
    page = (folder / "page" / "index.html").read_text(encoding="utf-8")
    assert "World: miniature." in page and "is not there" not in page


def test_what_was_reproduced_agrees_with_its_scores(reproduced: Path) -> None:
    told = verify(variant_folder(reproduced), StopRequest())
    assert "12 metrics.json" in told and told.count(": 6 rows") == 2 and "figures/figure2.csv: 48 rows" in told


def test_figure3_runs_only_what_it_draws(output: Path) -> None:
    done = command("experiments.reproduce", "figure3", *TINY, f"output={output}")
    assert done.returncode == 0, done.stderr
    folder = variant_folder(output)
    assert {str(path.parent.relative_to(folder / "runs")) for path in folder.glob("runs/**/metrics.json")} == {
        f"{generator}/k={k}/seed=42" for generator in ("sagan", "biggan") for k in ("0010", "1000")
    }
    assert "draws on 4 runs of the grid and makes no others" in done.stdout
    drawn = grid_folder(output)
    assert (drawn / "figures" / "figure3.png").exists() and not (drawn / "tables").exists()


def test_reproduce_again_reuses_every_run(reproduced: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in variant_folder(reproduced).glob("runs/**/*.*")}
    done = command("experiments.reproduce", "table1", *TINY, f"output={reproduced}")
    assert done.returncode == 0 and "k = 1000" in done.stdout and "world: miniature" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines() if line.startswith("|")) <= 100
    assert {path: path.stat().st_mtime_ns for path in variant_folder(reproduced).glob("runs/**/*.*")} == before


def test_a_finished_run_says_that_it_was(call: Call, reproduced: Path) -> None:
    again = call(run_main, "generator=sagan", "k=1", "seed=42", *TINY, f"output={reproduced}")
    assert again[0] == 0 and "sagan/k=0001/seed=42 was finished: world miniature" in again[1]


def test_a_sweep_gives_the_same_runs_as_the_grid_and_names_the_command_for_its_table(
    call: Call, reproduced: Path, output: Path
) -> None:
    done = command("experiments.run", "-m", "generator=sagan,biggan", "k=1", "seed=42", *TINY, f"output={output}")
    assert done.returncode == 0, done.stderr
    assert "was finished" not in done.stdout
    assert "The sweep is done, 2 jobs: generator=sagan,biggan\n" in done.stdout
    told = shlex.split(done.stdout.strip().splitlines()[-1])
    assert told[:4] == ["python", "-m", "experiments.reproduce", "table1"]
    assert told[4:] == [*TINY, f"output={output}", "grid.k=[1]", "grid.seeds=[42]"]
    code, table, errors = call(reproduce_main, *told[3:])
    assert code == 0 and "| best CLIP score  | biggan    | 0." in table, errors
    for generator in ("sagan", "biggan"):
        place = Path("runs") / generator / "k=0001" / "seed=42" / "scores.parquet"
        pd.testing.assert_frame_equal(
            pd.read_parquet(variant_folder(output) / place), pd.read_parquet(variant_folder(reproduced) / place)
        )


# overrides -> exit code, part of the one line
BAD_INPUT: dict[tuple[str, ...], tuple[int, str]] = {
    ("k=0",): (2, "k = 0, but this world has 1,000 labels: give k between 1 and 1000"),
    ("k=2000",): (2, "k = 2000, but this world has 1,000 labels"),
    ("b_max=0",): (2, "b_max = 0"),
    ("seed=-1",): (2, "seed = -1"),
    ("captions=0",): (2, "captions = 0, but"),
    ("captions=100000",): (2, "captions = 100000, but"),
    ("batch_size=0",): (2, "batch_size = 0"),
    ("precision=fp8",): (2, "precision = 'fp8'"),
    ("search.images=all",): (2, "search.images = 'all'"),
    ("shard=9/8",): (2, "shard = 9/8, but shards are counted from 1: give 1/8 to 8/8"),
    ("generator=biggan", "generator.truncation=1.5"): (2, "truncation = 1.5"),
    ("device=tpu",): (2, "device = 'tpu'"),
    ("output=/proc/nothing",): (3, "/proc/nothing"),
    ("generator.weights=missing.safetensors",): (2, "missing.safetensors"),
    ("data.test=missing.parquet",): (3, "missing.parquet"),
    ("kk=3",): (1, "Could not override 'kk'"),
    ("generator=stylegan",): (1, "Could not find 'generator/stylegan'"),
    ("k=many",): (1, "Error merging override k=many"),
}


@pytest.mark.parametrize("overrides", BAD_INPUT)
def test_bad_input_gets_one_line_and_its_exit_code(call: Call, tmp_path: Path, overrides: tuple[str, ...]) -> None:
    output = () if any(o.startswith("output=") for o in overrides) else (f"output={tmp_path}",)
    code, _, stderr = call(run_main, "experiment=tiny", *overrides, *output)
    check_refusal(BAD_INPUT[overrides], code, stderr, tmp_path)


@pytest.mark.parametrize("overrides", [("k=0",), ("output=/proc/nothing",), ("kk=3",)])
def test_bad_input_ends_the_process_with_its_exit_code(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    output = () if any(o.startswith("output=") for o in overrides) else (f"output={tmp_path}",)
    done = command("experiments.run", "experiment=tiny", *overrides, *output)
    check_refusal(BAD_INPUT[overrides], done.returncode, done.stderr, tmp_path)


def test_the_audit_says_what_one_of_its_protocols_refuses_before_it_runs_any(call: Call, tmp_path: Path) -> None:
    code, _, stderr = call(reproduce_main, "audit", *TINY, "captions=15", f"output={tmp_path}")
    check_refusal((2, "captions = 15, but this protocol scores whole batches of 16"), code, stderr, tmp_path)


def check_refusal(expected: tuple[int, str], code: int, stderr: str, folder: Path) -> None:
    assert code == expected[0], stderr
    assert expected[1] in stderr and "Traceback" not in stderr
    if code in (2, 3):
        assert len(stderr.strip().splitlines()) == 1
    assert not [
        path for path in folder.rglob("*") if path.suffix in (".parquet", ".json") or path.name == "config.yaml"
    ]


@pytest.mark.skipif(os.path.exists("/dev/nvidia0"), reason="this machine has CUDA")
def test_a_runs_line_says_when_its_distance_is_of_too_few_images(call: Call, output: Path) -> None:
    for captions, note in ((31, "biased high: 31 images for 32 features)"), (32, None)):
        code, said, _ = call(run_main, *TINY, "k=1", f"captions={captions}", "b_max=1", f"output={output}")
        assert code == 0 and ("biased high" in said) == bool(note) and (note or "") in said


@pytest.mark.slow
def test_the_audits_title_says_it_too(call: Call, output: Path) -> None:
    size = ("captions=16", "b_max=3", "k=1", "grid.k=[1]", "grid.seeds=[42]", "grid.generators=[sagan]")
    code, said, errors = call(reproduce_main, "audit", "device=cpu", *size, f"output={output}")
    assert code == 0, errors
    few = re.search(r"Fréchet distance biased high: (\d+) images for 32 features", said)
    assert few and int(few[1]) < 16  # without those that were best at b = 1
    (written,) = (output / "miniature" / "audit").rglob("audit.md")
    assert few[0] in written.read_text()


def test_cuda_without_cuda_is_refused(tmp_path: Path) -> None:
    done = command("experiments.run", "device=cuda", f"output={tmp_path}")
    assert done.returncode == 2 and "device = cuda, but this machine has 0 CUDA devices" in done.stderr


def test_damaged_weights_are_refused_by_checksum(tmp_path: Path) -> None:
    weights = tmp_path / "sagan.safetensors"
    shutil.copy(ROOT / "zeroshot/miniature/weights/sagan.safetensors", weights)
    shutil.copy(ROOT / "zeroshot/miniature/weights/SHA256SUMS", tmp_path)
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    done = command("experiments.run", "experiment=tiny", f"generator.weights={weights}", f"output={tmp_path / 'o'}")
    assert done.returncode == 3
    assert f"checksum mismatch: {weights}" in done.stderr and "Traceback" not in done.stderr


def test_another_grid_never_writes_over_the_defaults_files(reproduced: Path) -> None:
    before = {path: path.read_bytes() for path in grid_folder(reproduced).rglob("*.*")}
    done = command("experiments.reproduce", "table1", *TINY, f"output={reproduced}", "grid.seeds=[43]", "grid.k=[10,1]")
    assert done.returncode == 0 and "sagan, biggan, k = 10, 1, 6 captions, b = 4, seed 43, shared pool" in done.stdout
    assert {path: path.read_bytes() for path in grid_folder(reproduced).rglob("*.*")} == before
    other = grid_folder(reproduced).with_name("k-1-10_seeds-43") / "tables" / "table1.csv"
    assert sorted(pd.read_csv(other)["k"]) == [1, 1, 10, 10]


@pytest.mark.parametrize("grid", ["seeds=[42,42,43]", "k=[10,1,10]", "generators=[sagan,sagan]"])
def test_what_stands_twice_in_a_grid_is_refused(call: Call, tmp_path: Path, grid: str) -> None:
    code, _, stderr = call(reproduce_main, "table1", f"grid.{grid}", f"output={tmp_path}")
    assert code == 2 and f"grid.{grid.partition('=')[0]} = " in stderr and "more than once: name each once" in stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", [(), ("table9",), ("table1", "table2")])
def test_reproduce_says_what_it_can_make(call: Call, target: tuple[str, ...]) -> None:
    code, _, stderr = call(reproduce_main, *target)
    assert code == 2 and "table1, table2, table3, figure1, figure2, figure3, claims, page, all" in stderr


def test_an_impossible_grid_is_refused_before_anything_runs(call: Call, tmp_path: Path) -> None:
    code, _, stderr = call(reproduce_main, "table1", "grid.k=[1,1001]", f"output={tmp_path}")
    assert code == 2 and "k = 1001" in stderr
    assert not list(tmp_path.glob("miniature"))


@pytest.mark.slow  # tests/test_notebooks.py runs it on fewer runs
def test_the_notebook_runs_on_what_reproduce_wrote(reproduced: Path) -> None:
    notebook = ROOT / "notebooks" / "01_results.ipynb"
    done = command("pytest", "--nbmake", "-p", "no:cacheprovider", str(notebook), ZEROSHOT_OUTPUTS=str(reproduced))
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout


def test_notebooks_are_committed_without_outputs() -> None:
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
