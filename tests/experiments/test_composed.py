"""What Hydra refuses, in a few lines that name the key; what a plus adds to no purpose is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from experiments.composed import MOST_LINES
from experiments.imagine import main as imagine_main
from experiments.reproduce import main as reproduce_main
from experiments.run import main as run_main
from tests.conftest import Call

MAINS = {"run": run_main, "reproduce": reproduce_main, "imagine": imagine_main}


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    GlobalHydra.instance().clear()
    yield
    GlobalHydra.instance().clear()


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("run", "world=mars"), 1, ("world/mars", "miniature", "paper")),
        (("run", "protocol=lost"), 1, ("protocol/lost", "released")),
        (("imagine", "prompt=a bird", "generator=stylegan"), 1, ("generator/stylegan", "biggan", "own")),
        (("reproduce", "table1", "experiment=huge"), 1, ("experiment/huge", "quick", "tiny")),
        (("run", "kk=3"), 1, ("kk", "not in 'Experiment'")),
        (("run", "k=many"), 1, ("k=many", "could not be converted to Integer")),
        (("run", "k=[1"), 1, ("[1",)),
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
    assert (got, out) == (code, "") and all(part in err for part in named), err
    assert len(err.strip().splitlines()) <= MOST_LINES and "Traceback" not in err and "_fields" not in err
    assert not (tmp_path / "outputs").exists()


def test_a_broken_file_of_the_users_is_named_with_its_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "generator").mkdir()
    for content in ("a: [1\n b: {\n", "a: b: c\n", "\t- x\n", "- a list\n"):
        (tmp_path / "generator" / "mine.yaml").write_text(content, encoding="utf-8")
        GlobalHydra.instance().clear()
        code, _, err = call(run_main, f"--config-dir={tmp_path}", "generator=mine", f"output={tmp_path / 'outputs'}")
        assert code == 1 and "mine" in err and "Traceback" not in err, err
        assert len(err.strip().splitlines()) <= MOST_LINES
