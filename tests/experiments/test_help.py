"""--help of each entry point: what it does, what is used most, and examples that would run."""

from __future__ import annotations

import re
import runpy
import shlex
import signal
import sys
from collections.abc import Callable

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from experiments.config import register
from experiments.measure_miniature import options as measure_options
from experiments.prepare import options as prepare_options
from experiments.prompts import choose_prompts, take_prompts
from experiments.rehearse import options as rehearse_options
from experiments.reproduce import TARGETS
from experiments.show import options as show_options
from experiments.study_pool import options as study_options
from experiments.verify import options as verify_options
from tests.conftest import ROOT
from zeroshot.errors import UserError

HYDRA = {
    "run": "config",
    "reproduce": "config",
    "imagine": "imagine",
    "check": "check",
    "benchmark": "benchmark",
    "train_miniature": "train_miniature",
}
OPTIONS = {
    "show": show_options,
    "prepare": prepare_options,
    "rehearse": rehearse_options,
    "measure_miniature": measure_options,
    "study_pool": study_options,
    "verify": verify_options,
}
PLAIN = tuple(OPTIONS)


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """What `python -m experiments.<name> --help` prints, each run here once; all must leave with 0."""
    texts = {}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for name in (*HYDRA, *PLAIN):
        with pytest.MonkeyPatch.context() as patch:
            printed: list[str] = []
            patch.setattr(sys, "argv", [name, "--help"])
            patch.setattr(sys.stdout, "write", printed.append)
            patch.delitem(sys.modules, f"experiments.{name}", raising=False)
            GlobalHydra.instance().clear()
            try:
                runpy.run_module(f"experiments.{name}", run_name="__main__")
            except SystemExit as left:
                assert not left.code
            texts[name] = "".join(printed)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return texts


def examples(text: str, name: str) -> list[str]:
    """The command lines that it gives, without `python -m experiments.<name>` and what is said of them."""
    found = [re.search(rf"^ [^:]*python -m experiments\.{name}\b *(.*)$", line) for line in text.splitlines()]
    return [re.split(" {2,}", match[1])[0] for match in found if match and "TARGET" not in match[1]]


@pytest.mark.parametrize("name", [*HYDRA, *PLAIN])
def test_help_says_what_it_does_and_gives_examples(name: str, helps: dict[str, str]) -> None:
    text = helps[name]
    assert len(examples(text, name)) >= 2
    assert "Powered by Hydra" not in text
    assert "$" not in re.sub(r"\$ZEROSHOT_CACHE|\$\{world\.\w+\}", "", text)  # a field that follows the world says so
    assert max(map(len, text.splitlines())) <= 120
    if name in HYDRA:
        assert "Most used:" in text and "\nFields" in text
        assert re.search(r"^(seed|repetitions): \d+$", text, re.MULTILINE)


@pytest.mark.parametrize("name", HYDRA)
def test_hydras_examples_compose(name: str, helps: dict[str, str]) -> None:
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for example in examples(helps[name], name):
            left = take_prompts(shlex.split(example))[1] if name == "imagine" else example.split()
            given = [word for word in left if word != "-m" and word not in TARGETS]
            one_of_a_sweep = [re.sub(r"=(\w+),[\w,]+$", r"=\1", word) for word in given]
            if given:
                compose(HYDRA[name], overrides=one_of_a_sweep)


@pytest.mark.parametrize("name", ["run", "reproduce", "imagine"])
def test_the_choices_it_names_are_there(name: str, helps: dict[str, str]) -> None:
    named = re.findall(r"\b(world|generator|protocol|experiment)=(\w+\|\w+)", helps[name])
    assert named
    for group, choices in named:
        assert all((ROOT / "conf" / group / f"{choice}.yaml").is_file() for choice in choices.split("|"))


def test_reproduce_names_all_its_targets(helps: dict[str, str]) -> None:
    assert f"TARGET: {', '.join(TARGETS)}\n" in helps["reproduce"]


@pytest.mark.parametrize(("name", "options"), list(OPTIONS.items()))
def test_plain_examples_are_understood(name: str, options: object, helps: dict[str, str]) -> None:
    for example in examples(helps[name], name):
        assert options(example.split()) is not None  # type: ignore[operator]


@pytest.mark.parametrize(("name", "options"), list(OPTIONS.items()))
def test_plain_commands_refuse_what_they_do_not_know(name: str, options: Callable[[list[str]], object]) -> None:
    for arguments in (["kk=3"], ["--fast"], ["generator=stylegan"]):
        with pytest.raises(UserError, match=r"kk|--fast|stylegan|generator"):
            options(arguments)


def test_imagines_examples_are_understood(helps: dict[str, str]) -> None:
    taken = [take_prompts(shlex.split(example))[0] for example in examples(helps["imagine"], "imagine")]
    assert [list(keys) for keys in taken] == [["prompt"], ["prompt"], ["prompts"], ["prompts_file"], ["prompts_file"]]
    assert choose_prompts(taken[2], {}) == [(("a blue bird", 1.0), ("a car", -0.5))]


def test_asking_for_help_measures_nothing(helps: dict[str, str]) -> None:
    assert "measure_miniature /tmp/measured" in helps["measure_miniature"] and not (ROOT / "--help").exists()
