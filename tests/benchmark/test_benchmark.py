"""`make benchmark` on a tiny setting: every part runs and says what it promises, and the comparisons are fair."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

import experiments.benchmark as entry
import zeroshot
from experiments.cli import StopRequest
from tests.conftest import ROOT
from zeroshot.benchmark import device_limits, driver, growth, pool_speed, report, words
from zeroshot.benchmark.engine_speed import one_engine, tasks_of
from zeroshot.benchmark.frechet_speed import scipy_distance, synthetic
from zeroshot.benchmark.machine import machine
from zeroshot.benchmark.models import repeated
from zeroshot.benchmark.released_loop import ReleasedLoop
from zeroshot.benchmark.settings import BenchmarkSettings, check
from zeroshot.benchmark.timing import interleaved, ratios, spread
from zeroshot.data.base import CaptionedImages
from zeroshot.errors import UserError
from zeroshot.metrics.frechet import frechet_distance
from zeroshot.report.collect import images_made
from zeroshot.searching.algorithm1 import run_tasks
from zeroshot.worlds.protocols import searched

CPU = torch.device("cpu")
TINY = [
    *("device=cpu", "repetitions=2", "batch_size=8", "images=16"),
    *("released.captions=1", "released.b_max=3", "released.repetitions=1"),
    *("grid.generators=[sagan]", "grid.k=[1,10]", "grid.seeds=[42,43]", "grid.captions=3", "grid.b_max=4"),
    *("growth.captions=[2,4]", "growth.k=[10]", "growth.b_max=[4]", "growth.repetitions=1"),
    *("frechet.images=8", "frechet.inception_images=1", "frechet.dim=16", "frechet.samples=40"),
    *("frechet.repetitions=1", "true_size.generators=[sagan]", "true_size.batch_size=1", "true_size.matrix=64"),
    "true_size.copy_megabytes=1",
]


def settings(*overrides: str) -> BenchmarkSettings:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed: Any = OmegaConf.to_object(compose("benchmark", overrides=list(overrides)))
    return composed


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """The Markdown file of a tiny benchmark of all parts but the growth, which needs processes of its own."""
    output = tmp_path_factory.mktemp("benchmark")
    (output / "cache").symlink_to(cache)
    return driver.benchmark(settings(*TINY, "only=[a,b,c,e,f]", f"output={output}"))


@pytest.fixture(scope="module")
def document(measured: Path) -> dict[str, Any]:
    return json.loads(measured.with_suffix(".json").read_text(encoding="utf-8"))


def test_hydras_defaults_are_the_librarys() -> None:
    assert settings() == BenchmarkSettings()
    check(BenchmarkSettings())


def test_the_machine_is_named(document: dict[str, Any]) -> None:
    assert document["machine"].keys() >= {"processor", "cores", "threads", "memory_gb", "torch", "load_average"}
    assert document["machine"]["torch"] == torch.__version__ and document["machine"]["processor"]
    assert machine(CPU)["cores"] >= 1


def test_a_engine_and_bare_models(document: dict[str, Any]) -> None:
    part = document["parts"]["a"]
    assert [r["generator"] for r in part["results"]] == ["sagan", "biggan"] and part["models"] == "miniature"
    for r in part["results"]:
        assert r["images"] == 16 and len(r["ratio"]["values"]) == 2
        # the ratio is that of images per second, repetition by repetition
        rates = zip(*(r[f"{n}_images_per_second"]["values"] for n in ("engine", "bare")), strict=True)
        assert r["ratio"]["values"] == pytest.approx([engine / bare for engine, bare in rates])
        assert r["holds"] == (r["ratio"]["median"] >= 0.95)
        assert sum(r["shares"].values()) == pytest.approx(1) and set(r["shares"]) >= {"generator", "clip", "host"}
        assert 0.5 < sum(o["share"] for o in r["operators"]) <= 1.001


def test_a_the_engine_makes_every_image_it_is_timed_for(world: zeroshot.World) -> None:
    engine = world.engine("sagan", 4)
    made = []
    hook = engine.generator.register_forward_hook(lambda module, given, images: made.append(len(images)))
    try:
        run_tasks(engine, tasks_of(engine, 3), 1000, 4, seed=0)
    finally:
        hook.remove()
    assert made == [4, 4, 4]  # whole batches: nothing is padded
    timed = one_engine(engine, dataclasses.replace(settings(*TINY), images=9), "sagan", lambda: False)
    assert timed["images"] == 12


def test_b_the_loops_are_fair_rivals(world: zeroshot.World, tmp_path: Path) -> None:
    """Same models, z, classes and captions, so the same scores; and the released loop does the work it should."""
    images = searched(world.test, world.settings.protocol, 2, 4, seed=7)
    engine = world.engine("sagan", 8)
    ours = run_tasks(engine, world.tasks(images), 10, 4, seed=7).score
    loop = ReleasedLoop(world, engine.generator, tmp_path)
    encoded: list[int] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.clip, name)

        def encode_text(self, texts: list[str]) -> torch.Tensor:
            encoded.append(len(texts))
            return world.clip.encode_text(texts)

    loop.clip = Counting()  # type: ignore[assignment]
    theirs = loop.search(images, 10, 4, seed=7)
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    assert np.ptp(ours) > 0.05  # images of different scores, which a mix-up would show
    assert encoded.count(10) == 2 * 100  # each caption has the 1,000 prompts encoded, in tens
    assert encoded.count(2) == 4  # and both captions are encoded at every b
    assert len(list(tmp_path.glob("*.png"))) == 2
    assert set(loop.seconds) == {"labels", "photographs", "captions", "generator", "clip", "scores", "pngs"}


def test_b_says_how_many_times_faster(document: dict[str, Any]) -> None:
    part = document["parts"]["b"]
    assert part["labels_once_seconds"] > 0
    for r in part["results"]:
        assert r["images"] == 3 and r["largest_score_difference"] < 1e-5
        released, engine = r["released_seconds"]["values"], r["engine_seconds"]["values"]
        assert r["times_faster"]["values"] == pytest.approx([a / b for a, b in zip(released, engine, strict=True)])
        assert 0 < r["times_faster_without_labels"]["median"] < r["times_faster"]["median"]


def test_c_pool_and_fresh(document: dict[str, Any]) -> None:
    part = document["parts"]["c"]
    selected = 2 * 2 * 3  # generated again at the end: k x seeds x captions
    assert part["images"]["fresh"] == 2 * 2 * 3 * 4 + selected
    assert selected < part["images"]["pool"] < part["images"]["fresh"]
    assert len(part["seconds"]["fresh"]["values"]) == 2 and len(part["results"]) == 2
    assert set(part["differences"]) == {"table1", "figure2", "table2"}
    assert part["by_chance"] == 1.0  # two seeds


def test_c_a_pool_is_counted_once_for_all_k() -> None:
    runs = pd.DataFrame({"generator": ["sagan"] * 4 + ["biggan"] * 2, "seed": 42, "captions": 3})
    runs["images_generated"] = 3 + 50  # every run says how large the pool is
    assert images_made(runs, pooled=True) == 2 * 50 + 6 * 3
    assert images_made(runs, pooled=False) == 6 * 53


def test_c_differences_are_in_the_seeds_spread() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(5, 2, (3, 4000)), rng.normal(5, 2, (3, 4000))
    same = pool_speed.in_spreads(ours, theirs)
    # By chance: sqrt(2 / 3) in units of the true deviation; times sqrt(2) as a deviation of 4 degrees is estimated.
    assert np.sqrt(np.mean(same**2)) == pytest.approx(np.sqrt(2 / 3) * np.sqrt(2), rel=0.1)
    assert np.median(pool_speed.in_spreads(ours + 4, theirs)) == pytest.approx(2, rel=0.15)
    counts = np.array([6.0, 6.0, 6.0])
    assert pool_speed.in_spreads(counts, counts, pool_speed.LEAST_SPREAD_OF_COUNTS) == 0


@pytest.mark.slow
def test_d_one_process_per_point(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "cache").symlink_to(cache)
    ballast = np.ones(200_000_000)  # 1.6 GB that a process started from here must not be charged with
    part = growth.growth(settings(*TINY, f"output={tmp_path}"))
    assert growth.peak_bytes(CPU) > ballast.nbytes
    assert [(r["captions"], r["images"]) for r in part["results"]] == [(2, 8), (4, 16)]
    assert part["along"]["captions"]["times_images"] == 2 and part["along"]["k"]["exponent"] is None
    for r in part["results"]:
        assert 1e8 < r["before_bytes"]["median"] <= r["peak_bytes"]["median"] < ballast.nbytes
        assert r["seconds"]["median"] > 0
    assert report.HEADLINES["d"](part)


def test_d_memory_is_told_per_further_image() -> None:
    def row(captions: int, peak: float) -> dict[str, Any]:
        own = {"captions": captions, "k": 1, "b_max": 10, "images": 10 * captions}
        return own | {"seconds": spread([captions / 10]), "peak_bytes": spread([peak])}

    along = growth.along_series("captions", [(1, 1, 10), (16, 1, 10)], [row(1, 1e9), row(16, 1e9 + 150 * 500)], 1000)
    assert along["peak_per_image"] == pytest.approx(0.5)  # half of every further image was kept
    assert along["exponent"] == pytest.approx(1) and along["values"] == [1, 16]
    keys = [(1, 1, 10), (160, 1, 10), (320, 1, 10)]  # the first is less than a block, which fills up to the second
    along = growth.along_series("captions", keys, [row(1, 1e9), row(160, 2e9), row(320, 2e9)], 1000)
    assert (along["peak_from_images"], along["peak_per_image"], along["times_images"]) == (1600, 0, 320)


def test_e_the_formulas_agree(document: dict[str, Any]) -> None:
    part = document["parts"]["e"]
    assert [r["dim"] for r in part["results"]] == [32, 16] and [r["dim"] for r in part["extraction"]] == [32, 2048]
    synthetic_features = part["results"][1]
    assert synthetic_features["holds"] and synthetic_features["samples"] == [40, 40]
    rng = np.random.default_rng(1)
    one, other = synthetic(rng, 200, 8), synthetic(rng, 200, 8) + 1
    assert scipy_distance(one, other) == pytest.approx(frechet_distance(one, other), rel=1e-9)
    assert scipy_distance(one, other) > 7  # eight means that are 1 apart


def test_f_counts_what_the_paper_s_models_compute(document: dict[str, Any]) -> None:
    part = document["parts"]["f"]
    rows = {r["stage"]: r for r in part["results"]}
    assert list(rows) == ["generate", "prepare", "embed", "whole"]
    # 19.0 and 8.7 GFLOP per image are known; SAGAN's shortcut is computed before its upsampling here, which spares 0.9
    assert rows["generate"]["flops"] == pytest.approx(12.07e9, rel=0.01)  # of 18.1 before upsampling is folded
    assert rows["embed"]["flops"] == pytest.approx(8.7e9, rel=0.01)
    whole = rows["whole"]
    assert whole["of_peak"] == pytest.approx(
        whole["images_per_second"]["median"] * whole["flops"] / part["matrix_flops"]["median"]
    )
    assert part["published"] is None  # a CPU


def test_f_traffic_is_counted_operator_by_operator() -> None:
    x = torch.zeros(100, 10)
    flops, moved = device_limits.counted(lambda: x + 1)
    assert (flops, moved) == (0, 2 * 4000)
    flops, moved = device_limits.counted(lambda: x.T @ x)
    assert (flops, moved) == (2 * 10 * 10 * 100, 2 * 4000 + 400)
    assert device_limits.counted(lambda: x.view(10, 100))[1] == 0
    assert device_limits.counted(lambda: x.clone().relu_())[1] == 4 * 4000


def test_published_limits_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_limits.published(CPU, "fp32") is None
    for name, precision, peak in (
        ("NVIDIA H100 80GB HBM3", "bf16", 989e12),
        ("NVIDIA H100 PCIe", "fp16", 756e12),
        ("NVIDIA A100-SXM4-40GB", "tf32", 156e12),
    ):
        found = type("Properties", (), {"name": name})
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, found=found: found)
        known = device_limits.published(torch.device("cuda"), precision)
        assert known and known["peak"] == peak
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: type("Properties", (), {"name": "Other"}))
    assert device_limits.published(torch.device("cuda"), "fp32") is None


def test_measurements_take_turns() -> None:
    done: list[str] = []
    works = {"A": lambda: done.append("A"), "B": lambda: done.append("B")}
    seconds = interleaved(works, 3, CPU, "turns")
    assert done == ["A", "B"] * 4  # the first round warms up
    assert {name: len(values) for name, values in seconds.items()} == {"A": 3, "B": 3}
    assert len(interleaved(works, 2, CPU, "cold", warm=False)["B"]) == 2 and len(done) == 12


def test_it_stops_between_two_measurements_and_keeps_finished_parts(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").symlink_to(cache)
    stop = StopRequest()
    interrupting = driver.MEASUREMENTS | {"b": lambda own, asked: interrupted(own, asked, stop)}
    monkeypatch.setattr(driver, "MEASUREMENTS", interrupting)
    with pytest.raises(SystemExit) as left:
        entry.measure(settings(*TINY, "only=[a,b]", f"output={tmp_path}"), stop)
    assert left.value.code == 130
    said = capsys.readouterr().err
    (path,) = (tmp_path / "benchmarks").glob("*.md")
    assert "stopped; the parts that were finished are in" in said and str(path) in said
    assert list(json.loads(path.with_suffix(".json").read_text())["parts"]) == ["a"]


def interrupted(own: BenchmarkSettings, asked: Any, stop: StopRequest) -> dict[str, Any]:
    """Part b, in the middle of which Ctrl-C is pressed."""
    stop.signal = 2
    return driver.released_speed(own, asked)


def test_the_markdown_is_a_block_for_the_history(measured: Path, document: dict[str, Any]) -> None:
    text = measured.read_text(encoding="utf-8")
    assert text == report.as_markdown(document)
    assert text.startswith(f"### {document['started'][:10]}, ") and torch.__version__ in text
    for part in "abcef":
        assert f"\n| {part} " in text and f"\n**{part}: " in text
    assert "nan" not in text.lower().replace("nano", "") and "None" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert tables and all(line.endswith("|") for line in tables)
    row = report.history_row(document)
    heading = next(
        line for line in (ROOT / "docs" / "benchmarks.md").read_text().splitlines() if line.startswith("| date |")
    )
    assert row.count("|") == heading.count("|") and "sagan" in row


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.00123, "0.0012"),
        (2.5e-7, "2e-07"),
        (0.953, "0.95"),
        (28.84, "28.8"),
        (1234.5, "1,234"),
    ],
)
def test_numbers_as_text(value: float | None, text: str) -> None:
    assert words.number(value) == text


def test_spreads_and_verdicts() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0, "values": [3.0, 1.0, 2.0]}
    assert ratios([4.0, 9.0], [2.0, 3.0])["values"] == [2.0, 3.0]  # neighbours, not medians
    assert words.with_spread(spread([1.0, 2.0, 4.0])) == "2.00 (1.00 – 4.00)"
    assert [words.verdict(holds) for holds in (True, False, None)] == ["met", "missed", ""]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("only=[a,z]", "only = \\['a', 'z'\\]"),
        ("only=[]", "at least one"),
        ("models=huge", "models = 'huge'"),
        ("precision=fp8", "precision = 'fp8'"),
        ("repetitions=0", "repetitions = 0"),
        ("grid.seeds=[42]", "2 seeds or more"),
        ("growth.k=[]", "growth.k is empty"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        driver.benchmark(settings(override, f"output={tmp_path}"))
    assert not list(tmp_path.iterdir())


def test_models_of_true_size_have_photographs_enough() -> None:
    colours = [(255, 0, 0), (0, 0, 255)]
    few = CaptionedImages(["x", "y"], [["a bird"], ["a cat"]], lambda i: Image.new("RGB", (1, 1), colours[i]))
    many = repeated(few, 5)
    assert len(set(many.image_ids)) == 5 and [c[0] for c in many.captions] == ["a bird", "a cat"] * 2 + ["a bird"]
    assert [many.image(i).getpixel((0, 0)) for i in (2, 3)] == colours
