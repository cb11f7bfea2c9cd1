"""The sanity check as its users call it: verdicts by name, files, refusals, going on."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from torch import nn

import zeroshot
from experiments.check import main
from tests.conftest import Call, with_cache
from tests.report.inspection import broken
from zeroshot.errors import Interrupted, UserError
from zeroshot.report.inspection.check import Checked, check_all
from zeroshot.runs.inspection.sizes import Sizes
from zeroshot.runs.inspection.subject import subject

GREY = """
import torch
class Grey(torch.nn.Module):
    z_dim, num_classes, image_size = 2, 1000, 64
    def forward(self, z, class_index):
        return torch.full((len(z), 3, 64, 64), 0.2)
"""
SMALL = {"classes": 20, "per_class": 3, "captions": 3, "b_max": 4}
MIDDLE = {"classes": 200, "per_class": 4, "captions": 12, "b_max": 16}
NAMES = {
    broken.ZeroToOne: "range [0, 1]",
    broken.Bytes: "range [0, 255]",
    broken.OffByOne: "off by one",
    broken.Shuffled: "order of classes",
    broken.Training: "training mode",
    broken.BGR: "BGR",
    broken.Constant: "constant",
    broken.IgnoresZ: "ignores z",
    broken.IgnoresClass: "ignores the class",
    broken.Untrained: "untrained",
    broken.Collapsed: "collapsed classes",
}


def spoilt(world: zeroshot.World, kind: type[nn.Module]) -> nn.Module:
    """One of the broken generators."""
    return kind(world.generator("sagan"))


def faults(found: Checked, name: str) -> list[str]:
    """What the verdict names."""
    return [one.key for one in found.findings[name] if one.level == "fault"]


@dataclass(frozen=True)
class Reported:
    """What the command left of a grey generator that a factory made in training mode."""

    code: int
    out: str
    folder: Path
    content: dict[str, Any]


@pytest.fixture(scope="module")
def grey(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reported]:
    """The command, on little."""
    output = with_cache(tmp_path_factory.mktemp("checked"), cache)
    (output / "my_grey.py").write_text(GREY, encoding="utf-8")
    own = ("generator=own", "generator.name=mine", "generator.architecture=my_grey:Grey")
    sizes = tuple(f"check.{key}={value}" for key, value in SMALL.items())
    out, code = io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.syspath_prepend(str(output))
        patch.setattr(sys, "argv", ["check", *own, *sizes, "device=cpu", f"output={output}"])
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
    folder = output / "miniature" / "paper" / "check" / "mine"
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    yield Reported(code, out.getvalue(), folder, content)


def test_the_command_leaves_with_0_whatever_the_verdict(grey: Reported) -> None:
    assert grey.code == 0
    assert "**mine: something is wrong: constant**" in grey.out
    assert f"→ {grey.folder}: report.md, report.json, report.png" in grey.out
    levels = {one["key"]: one["level"] for one in grey.content["findings"]}
    assert levels == {"constant": "fault", "training mode": "caution"}


def test_floor_and_ceiling_stand_in_the_table(grey: Reported) -> None:
    table = pd.DataFrame(grey.content["table"]).set_index("generator")
    assert list(table.index) == [
        *("mine", "mine, classes permuted", "sagan", "biggan"),
        *("noise", "one grey image", "photographs", "renderer"),
    ]
    assert table.loc["renderer", "top5"] >= table.loc["sagan", "top5"] > 0.5 > table.loc["noise", "top5"]
    assert table.loc["photographs", "frechet_distance"] < table["frechet_distance"].drop("photographs").min()
    assert table.loc["sagan", "k=1000"] < table.loc["sagan", "k=10"]
    assert table.loc["noise", "k=1"] == table.loc["noise", "k=1000"]


def test_the_files_say_the_same(grey: Reported) -> None:
    text = (grey.folder / "report.md").read_text(encoding="utf-8")
    assert grey.content["verdict"] in text and "world: miniature" in text and "report.png" in text
    assert text.count("\n| ") > 40  # three tables and the 20 worst classes
    assert grey.content["measured"]["labels"]["images"] == SMALL["classes"] * SMALL["per_class"]
    assert Image.open(grey.folder / "report.png").size[0] > 800


def test_what_is_refused(world: zeroshot.World, tmp_path: Path) -> None:
    for generators, message in (
        ("nobody", "generator = 'nobody', but world 'miniature' has sagan, biggan"),
        (["sagan", "sagan"], "more than once"),
        ([], "generators is empty"),
        ({"sagan": nn.Identity()}, "one of this world's own"),
        ({"mine": nn.Identity()}, "has z_dim = None"),
        ({"Mine": nn.Identity()}, "small letters"),
    ):
        with pytest.raises(UserError, match=message):
            zeroshot.check(world, generators, output=tmp_path)
    with pytest.raises(UserError, match="classes of a check = 5, but it looks at 20 to 1,000"):
        zeroshot.check(world, "sagan", classes=5, output=tmp_path)


def test_it_stops_and_goes_on(cache: Path, output: Path) -> None:
    world = zeroshot.load_world("miniature", device="cpu", cache=output / "cache")
    calls: list[int] = []

    def stop() -> bool:
        calls.append(1)
        return len(calls) > 1

    with pytest.raises(Interrupted):
        check_all(world, lambda: [subject(world, "sagan")], Sizes(20, 3, 2, 4), output, stop)
    assert not list(output.glob("miniature/*"))
    made = {path: path.stat().st_mtime_ns for path in (output / "cache").glob("check-*.npy")}
    assert made  # noise, the first
    calls.clear()
    with pytest.raises(Interrupted):
        check_all(world, lambda: [subject(world, "sagan")], Sizes(20, 3, 2, 4), output, stop)
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_the_command_refuses_in_a_line(output: Path, call: Call) -> None:
    for argument, message in (("check.classes=1", "classes of a check = 1"), ("generators=[sagan,sagan]", "than once")):
        code, _, err = call(main, argument, f"output={output}")
        assert code == 2 and message in err and len(err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", NAMES, ids=[kind.__name__ for kind in NAMES])
def test_broken_generators_are_named(world: zeroshot.World, tmp_path: Path, kind: type[nn.Module]) -> None:
    found = zeroshot.check(world, {"mine": spoilt(world, kind)}, **MIDDLE, output=tmp_path)
    assert faults(found, "mine") == [NAMES[kind]]
    assert found.picture("mine") == (found.folders["mine"] / "report.png").read_bytes()
    assert found.verdicts["mine"] in str(found) == found._repr_markdown_()


@pytest.mark.slow
def test_sound_generators_are_not_accused(world: zeroshot.World, tmp_path: Path) -> None:
    found = zeroshot.check(world, ["sagan", "biggan"], **MIDDLE, output=tmp_path)
    assert found.verdicts == {"sagan": "sound", "biggan": "sound"}


def test_run_goes_on_refusing(world: zeroshot.World) -> None:
    module = spoilt(world, broken.Training)
    with pytest.raises(UserError, match="training mode"):
        world.add_generator("mine", module)
