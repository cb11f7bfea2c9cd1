"""One's own sentence: the search, its steps, and the files that the command leaves."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

import zeroshot
from experiments.config import register
from experiments.imagine import main, search
from tests.conftest import ROOT, Call
from tests.searching.test_prompts import AWKWARD
from zeroshot.errors import Interrupted, UserError
from zeroshot.report import imagined
from zeroshot.runs.imagine import best_evaluations, checkpoints
from zeroshot.searching.algorithm1 import Task, run_tasks
from zeroshot.searching.prompts import address, weighted
from zeroshot.searching.trace import Trace
from zeroshot.storage.locks import locked
from zeroshot.worlds.parts import default_run


def test_checkpoints_are_one_two_five_ten() -> None:
    assert checkpoints(200) == [1, 2, 5, 10, 20, 50, 100, 200]
    assert checkpoints(150) == [1, 2, 5, 10, 20, 50, 100, 150]
    assert checkpoints(1) == [1] and checkpoints(3) == [1, 2, 3]


def test_steps_are_the_best_at_the_checkpoints_each_once() -> None:
    score = np.zeros(120)
    score[[2, 3, 30, 119]] = (0.5, 0.6, 0.6, 0.9)  # b = 3, 4, 31 (a tie) and 120
    assert best_evaluations(Trace(list(range(1, 121)), [0] * 120, score.tolist()), 120) == [0, 3, 119]
    # Where b skips, the best of what had been paid for: of the 4th, 7th and 10th here.
    assert best_evaluations(Trace([1, 4, 7, 10], [0] * 4, [0.1, 0.3, 0.2, 0.4]), 11) == [0, 1, 3]


def test_the_search_in_blocks_is_algorithm_1_at_once(world: zeroshot.World) -> None:
    told: list[tuple[int, float]] = []
    result = zeroshot.search(
        world, "a red bird", generator="sagan", b_max=20, seed=3, batch_size=8, progress=lambda *now: told.append(now)
    )
    text = world.clip.encode_text(["a red bird"]).numpy()
    zeros = np.zeros(20, dtype=np.int64)
    task = Task("a red bird", text, world.rank(text), zeros, zeros)
    whole = run_tasks(world.engine("sagan", 8), [task], 10, 20, 3)
    np.testing.assert_array_equal(result.scores, whole.score[0].astype(np.float32))
    assert [drawn for drawn, _ in told] == [8, 16, 20]
    assert [best for _, best in told] == [whole.score[0, :drawn].max() for drawn, _ in told]


def test_the_result_says_how_the_best_was_found(world: zeroshot.World) -> None:
    result = zeroshot.search(world, "a red bird", generator="sagan", k=4, b_max=20, seed=3)
    last = result.steps[-1]
    assert (last.b, last.score, last.label) == (result.b, result.score, result.label) and last.image is result.image
    marks = [int(result.scores[:mark].argmax()) + 1 for mark in checkpoints(20)]
    assert [step.b for step in result.steps] == list(dict.fromkeys(marks))
    assert all(step.score == pytest.approx(result.scores[step.b - 1]) for step in result.steps)
    b, score, label, image = result.steps[0]
    assert (b, label in result.labels, image.size) == (1, True, (64, 64)) and score <= result.score
    embeddings = world.clip.encode_text([*(f"An image of {label}" for label in result.labels), "a red bird"]).numpy()
    np.testing.assert_allclose(result.similarities, embeddings[:-1] @ embeddings[-1], atol=1e-5)
    assert (np.diff(result.similarities) <= 0).all() and len(result.similarities) == 4
    assert [world.labels[i] for i in result.label_indices] == result.labels


def test_weighted_prompts_score_by_the_cosine_with_their_sum(world: zeroshot.World) -> None:
    pairs = [("a small blue bird", 1.0), ("a car", -0.5)]
    result = zeroshot.search(world, pairs, generator="sagan", k=10, b_max=6, seed=3)
    texts = world.clip.encode_text([text for text, _ in pairs]).numpy().astype(np.float64)
    total = texts[0] - 0.5 * texts[1]
    ranking = world.rank((total / np.linalg.norm(total))[None])
    zeros = np.zeros(6, dtype=np.int64)
    cosines = [
        run_tasks(world.engine("sagan"), [Task(address(weighted(pairs)), t[None], ranking, zeros, zeros)], 10, 6, 3)
        for t in texts
    ]
    expected = (cosines[0].score[0] - 0.5 * cosines[1].score[0]) / np.linalg.norm(total)
    np.testing.assert_allclose(result.scores, expected, atol=1e-6)
    assert result.labels == [world.labels[i] for i in ranking[0, :10]]
    doubled = zeroshot.search(world, [(t, 2 * w) for t, w in pairs], generator="sagan", k=10, b_max=6, seed=3)
    np.testing.assert_allclose(doubled.scores, result.scores, atol=1e-6)


def test_one_pair_of_weight_one_is_the_plain_text(world: zeroshot.World) -> None:
    plain, pair = (
        zeroshot.search(world, prompt, generator="sagan", b_max=4) for prompt in ("a bird", [("a bird", 1.0)])
    )
    np.testing.assert_array_equal(plain.scores, pair.scores)
    assert plain.prompts == pair.prompts == (("a bird", 1.0),)


def test_what_progress_raises_ends_the_search(world: zeroshot.World) -> None:
    with pytest.raises(ZeroDivisionError):
        zeroshot.search(world, "a bird", generator="sagan", b_max=4, progress=lambda *_: 1 / 0)  # type: ignore


def test_a_batch_of_nothing_is_refused(world: zeroshot.World) -> None:
    with pytest.raises(UserError, match="batch_size = 0"):
        zeroshot.search(world, "a bird", batch_size=0)


@pytest.fixture
def run_main(call: Call) -> Callable[..., tuple[int, str, str]]:
    """Run the entry point here; returns its exit code, standard output and standard error."""
    return functools.partial(call, main)


def test_the_command_writes_what_the_search_found(
    run_main, world: zeroshot.World, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (f"prompt={AWKWARD}", "generator=sagan", "k=4", "b_max=12", "seed=3", "device=cpu", f"output={output}")
    code, out, err = run_main(*arguments)
    assert (code, err) == (0, "")
    (folder,) = (output / "miniature" / "imagine").iterdir()
    assert AWKWARD in out and f"→ {folder}" in out
    assert sorted(path.name for path in folder.iterdir()) == sorted(imagined.FILES)

    result = zeroshot.search(world, AWKWARD, generator="sagan", k=4, b_max=12, seed=3)
    found = json.loads((folder / "imagine.json").read_text(encoding="utf-8"))
    assert found["prompts"] == [{"text": AWKWARD, "weight": 1.0}]
    assert found["best"] == {"b": result.b, "score": pytest.approx(result.score), "label": result.label}
    np.testing.assert_allclose(found["scores"], result.scores, atol=1e-6)
    assert [label["label"] for label in found["labels"]] == result.labels
    assert (found["world"], found["k"], found["b_max"], found["seed"]) == ("miniature", 4, 12, 3)
    assert found["provenance"]["versions"]["torch"] and found["provenance"]["weights_sha256"]
    assert all((folder / name).is_file() for name in found["files"].values())
    np.testing.assert_array_equal(np.array(Image.open(folder / "best.png")), np.array(result.image))
    assert pd.read_csv(folder / "labels.csv")["label"].tolist() == result.labels
    for name in ("strip.png", "curve.png"):
        assert np.array(Image.open(folder / name).convert("L")).std() > 5

    monkeypatch.setattr("zeroshot.search", lambda *a, **k: pytest.fail("searched again"))
    code, out, _ = run_main(*arguments)
    assert code == 0 and f"→ {folder}" in out and "(made before)" in out


@pytest.mark.parametrize("name", imagined.FILES)
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b[:-9] + bytes([b[-9] ^ 1]) + b[-8:], None])
def test_a_folder_with_a_damaged_file_is_set_aside(
    found: tuple[zeroshot.SearchResult, dict], tmp_path: Path, name: str, damage: Callable[[bytes], bytes] | None
) -> None:
    folder, path = tmp_path / "x", tmp_path / "x" / name
    for _ in range(2):  # again: what was set aside before does not stand in the way
        imagined.write(found[0], folder, found[1], {})
        assert imagined.read(folder)
        path.write_bytes(damage(path.read_bytes())) if damage else path.unlink()
        assert imagined.read(folder) is None
    assert [path.name for path in tmp_path.iterdir()] == ["x.damaged"]


def test_several_prompts_get_a_folder_each(run_main, output: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a red bird\na long " + "very " * 90 + "long bird\n")
    code, _, err = run_main(
        *(f"prompts_file={tmp_path / 'prompts.txt'}", "generator=sagan", "b_max=2", "device=cpu", f"output={output}")
    )
    names = sorted(path.name for path in (output / "miniature" / "imagine").iterdir())
    assert code == 0 and len(names) == 2 and names[1].startswith("a-red-bird-")
    assert err.startswith("warning: the prompt is longer than CLIP's context") and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["prompt= "], 2, "a sentence needs at least one word"),
        (["prompt=a", "bird"], 2, "'bird' stands alone"),
        (["prompt=a bird", "k=1001"], 2, "k = 1001, but this world has 1,000 labels"),
        (['prompts=[["a bird",1],["A bird",-1]]', "b_max=2"], 2, "weights 1, -1 cancel"),
        (["prompt=a bird", "output=/proc/nothing"], 3, "output folder /proc/nothing"),
    ],
)
def test_mistakes_get_one_line_and_their_exit_code(
    run_main, output: Path, arguments: list[str], code: int, message: str
) -> None:
    got, out, err = run_main(f"output={output}", "device=cpu", *arguments)
    assert (got, out) == (code, "") and message in err and len(err.strip().splitlines()) == 1
    assert not list(output.glob("miniature/imagine/*"))


def test_asked_to_stop_it_leaves_nothing_half_written(world: zeroshot.World) -> None:
    settings = default_run("miniature", "sagan")
    with pytest.raises(Interrupted, match="2 of 5 prompts"):
        search(world, settings, weighted("a bird"), "2 of 5 prompts", lambda: True)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found(world: zeroshot.World) -> tuple[zeroshot.SearchResult, dict]:
    """A search's result and what it was searched with."""
    settings = {"world": {"name": "miniature"}, "generator": {"name": "sagan"}, "k": 2, "b_max": 2, "seed": 42}
    return zeroshot.search(world, "a bird", generator="sagan", k=2, b_max=2), settings


def test_a_disk_that_refuses_leaves_no_folder(
    found: tuple[zeroshot.SearchResult, dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(zeroshot.EnvironmentFailure, match=r"needs [0-9,]+ bytes .*No space left on device"):
        imagined.write(found[0], tmp_path / "x", found[1], {})
    assert not list(tmp_path.iterdir())


def test_ctrl_c_ends_with_130(tmp_path: Path) -> None:
    arguments = ["prompt=a bird", "generator=sagan", "b_max=100000", "device=cpu", f"output={tmp_path}"]
    command = [sys.executable, "-m", "experiments.imagine", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / "cache").glob("labels*.npy")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in stderr
    assert "(0 of 1 prompts)" in stderr
    assert not list((tmp_path / "miniature" / "imagine").iterdir())


def test_the_command_and_the_library_have_the_same_defaults() -> None:
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("imagine")
    ours = {"generator": config.generator.name, **{key: config[key] for key in ("k", "b_max", "seed", "batch_size")}}
    assert ours == {key: (zeroshot.search.__kwdefaults__ or {})[key] for key in ours}
    assert config.prompt is None and config.prompts is None and config.prompts_file is None


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_hands_a_prompt_over_untouched(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$*"\nprintf "%s" "$ZEROSHOT_PROMPT"\n', encoding="utf-8")
    python.chmod(0o755)
    (tmp_path / "ready").touch()
    prompt = AWKWARD + " `ls` $(shell ls) # 'two'  spaces"
    given = [f"BIN={tmp_path}", f"READY={tmp_path / 'ready'}", "GENERATOR=sagan", "ARGS=k=3", f"PROMPT={prompt}"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "-s", "imagine", *given], cwd=ROOT, env=kept, capture_output=True, text=True)
    assert done.stdout == f"-m experiments.imagine generator=sagan k=3\n{prompt}", done.stderr


def test_what_a_killed_process_left_half_written_goes_with_the_next_search(
    found: tuple[zeroshot.SearchResult, dict], tmp_path: Path
) -> None:
    left, held = tmp_path / ".a-bird-00aa11bb.0f0f0f0f.partial", tmp_path / ".a-cat-00aa11bb.0f0f0f0f.partial"
    for partial in (left, held):
        partial.mkdir()
        (partial / "best.png").touch()
    with locked(tmp_path / ".a-cat-00aa11bb.lock", wait=True):  # its process still writes
        imagined.tidy(tmp_path)
    assert [path.name for path in tmp_path.glob("*.partial")] == [held.name]
    imagined.tidy(tmp_path)
    assert not list(tmp_path.glob("*.partial"))
    imagined.write(found[0], tmp_path / "x", found[1], {})
    assert imagined.read(tmp_path / "x") and not list(tmp_path.glob(".*"))
