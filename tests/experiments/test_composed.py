"""What Hydra refuses, in a few lines that name the key; what a plus adds to no purpose is refused."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from experiments.benchmark import main as benchmark_main
from experiments.composed import MOST_LINES
from experiments.imagine import main as imagine_main
from experiments.reproduce import main as reproduce_main
from experiments.run import main as run_main
from experiments.train_miniature import main as train_main
from tests.conftest import Call

MAINS = {"run": run_main, "reproduce": reproduce_main, "imagine": imagine_main}
MAINS |= {"benchmark": benchmark_main, "train_miniature": train_main}
LONG = "x" * 5000


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    GlobalHydra.instance().clear()
    yield
    GlobalHydra.instance().clear()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("run", "world=mars"), 1, ("world/mars", "miniature", "paper")),
        (("run", "protocol=lost"), 1, ("protocol/lost", "released")),
        (("imagine", "prompt=a bird", "generator=stylegan"), 1, ("generator/stylegan", "biggan", "own")),
        (("reproduce", "table1", "experiment=huge"), 1, ("experiment/huge", "quick", "tiny")),
        (("run", "kk=3"), 1, ("kk", "not in 'Experiment'", "b_max, captions")),
        (("run", "grid.kk=3"), 1, ("Could not override 'grid.kk'", "Known there: generators, k, seeds")),
        (("run", "k=many"), 1, ("k=many", "could not be converted to Integer")),
        (("run", "k=[1"), 1, ("'k=[1' is no override", "quote")),
        (("run", "k"), 1, ("'k' is no override", "missing EQUAL")),
        (("run", "data.test=\udcff"), 1, (r"'data.test=\udcff' is no override",)),
        (("run", "k=" + "9" * 5000), 1, ("Exceeds the limit", "given: k=999")),
        (("run", f"k=${{{LONG}}}"), 1, ("Interpolation key 'xxx", "full_key: k")),
        (("run", f"world={LONG}"), 3, ("File name too long",)),
        (("run", f"precision={LONG}"), 2, ("precision = 'xxx", "bf16")),
        (("run", "--help", "world=mars"), 1, ("world/mars", "miniature, paper")),
        (("run", "--info", "all", "world=mars"), 1, ("world/mars", "miniature, paper")),
        (("run", "--hydra-help", "world=mars"), 1, ("'world'",)),
        (("run", "--resolve"), 1, ("--resolve flag",)),
        (("run", "--run", "--cfg=job"), 1, ("Only one of --run",)),
        (("run", "--config-path=conf.yaml"), 1, ("config_path",)),
        (("run", "--foo"), 2, ("unrecognized arguments: --foo", "--help")),
        (("run", "--cfg=foo"), 2, ("invalid choice: 'foo'", "job")),
        (("run", "--experimental-rerun=x"), 2, ("pickle",)),
        (("run", "hydra.run.dir=/dev/null/x"), 3, ("Not a directory: /dev/null/x",)),
        (("run", "hydra.job_logging.version=7"), 1, ("Unsupported version: 7",)),
        (("run", "-m", "k=range(1,1)"), 2, ("the sweep names no job",)),
        (("run", "-m", "k=1,many"), 1, ("k=many",)),
        (("run", "-m", "k=1,2", "seed=${nothing}"), 1, ("2 of 2 jobs failed", "'nothing' not found")),
        (("reproduce", "table1", "grid.generators=[stylegan]"), 1, ("generator/stylegan", "biggan, own, sagan")),
        (("reproduce", "table1", "--config-dir", "/nowhere"), 1, ("/nowhere",)),
        (("reproduce", LONG), 2, ("'xxx", "table1, table2")),
        (("benchmark", "+foo=1"), 2, ("foo is unknown, so + cannot add it", "repetitions")),
        (("train_miniature", "++sagan.foo=1", "stages=[none]"), 2, ("sagan.foo is unknown", "steps")),
        (("run", "k=${k}"), 1, ("Recursive interpolation", "full_key: k")),
        (("run", "captions=${nothing}"), 1, ("'nothing' not found", "full_key: captions")),
        (("run", "--config-name=nothing"), 1, ("'nothing'",)),
        (("run", "--config-dir=/nowhere"), 1, ("/nowhere",)),
        (("run", "+foo=1"), 2, ("foo is unknown, so + cannot add it", "b_max")),
        (("run", "++generator.foo=1"), 2, ("generator.foo is unknown", "truncation")),
        (("imagine", "prompt=a bird", "+page.foo=[1]"), 2, ("page.foo is unknown", "captions")),
    ],
)
def test_a_refusal_names_the_key_and_what_there_is(
    call: Call, tmp_path: Path, arguments: tuple[str, ...], code: int, named: tuple[str, ...]
) -> None:
    name, *given = arguments
    got, out, err = call(MAINS[name], *given, f"output={tmp_path / 'outputs'}")
    assert got == code and all(part in err for part in named), err
    assert len(err.strip().splitlines()) <= MOST_LINES and "Traceback" not in err and "_fields" not in err
    assert "x" * 81 not in err and "9" * 81 not in err
    assert not out or given[0] in ("-m", "--info")
    assert not (tmp_path / "outputs").exists() or os.listdir(tmp_path / "outputs") == ["hydra"]


def test_a_broken_file_of_the_users_is_named_with_its_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "generator").mkdir()
    for content in ("a: [1\n b: {\n", "a: b: c\n", "\t- x\n", "- a list\n"):
        (tmp_path / "generator" / "mine.yaml").write_text(content, encoding="utf-8")
        GlobalHydra.instance().clear()
        code, _, err = call(run_main, f"--config-dir={tmp_path}", "generator=mine", f"output={tmp_path / 'outputs'}")
        assert code == 1 and "mine" in err and "Traceback" not in err, err
        assert len(err.strip().splitlines()) <= MOST_LINES


def test_a_pickle_of_hydras_is_not_read(call: Call, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "config.pickle").write_bytes(pickle.dumps(Hostile()))
    for main in MAINS.values():
        code, _, _ = call(main, "table1", f"--experimental-rerun={tmp_path / 'config.pickle'}")
        assert code == 2 and not (tmp_path / "ran").exists()


def test_another_commands_configuration_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("device: cpu\nk: 3\n", encoding="utf-8")
    code, _, err = call(run_main, f"--config-dir={tmp_path}", "--config-name=mine")
    assert code == 2 and "--config-name gives a configuration that is not this command's" in err
    GlobalHydra.instance().clear()
    (tmp_path / "mine.yaml").write_text("defaults: [config, _self_]\nk: 0\n", encoding="utf-8")
    code, _, err = call(run_main, f"--config-dir={tmp_path}", "--config-name=mine")
    assert code == 2 and err.startswith("error: k = 0")


@pytest.mark.parametrize(
    "content", ['output: "a\\0b"', "defaults: 3", "k: " + "[" * 3000, "k: 1\nk: 2", "defaults: [it]"]
)
def test_a_file_of_the_users_that_no_command_can_take(call: Call, tmp_path: Path, content: str) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "it.yaml").write_text(f"# @package _global_\n{content}\n", encoding="utf-8")
    code, _, err = call(run_main, f"--config-dir={tmp_path}", "experiment=it")
    assert code in (1, 2) and "Traceback" not in err and len(err.splitlines()) <= MOST_LINES
    assert "it" in err if code == 1 else "output = 'a\\x00b'" in err


def test_all_of_an_error_is_shown_to_who_asks(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(Exception, match="Config search path"):
        call(run_main, "world=mars")
