"""Fault 24: a generator of one's own that misbehaves later is named with its address; the run's files stay sound."""

from __future__ import annotations

import dataclasses
import os
import random
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import zeroshot
from experiments.run import main as run_main
from tests.conftest import Call
from tests.faults.mortal import B_MAX, BLOCK, small
from zeroshot.errors import UserError
from zeroshot.runs.run import run, run_path
from zeroshot.searching.draws import draw
from zeroshot.searching.pool import pool_addresses
from zeroshot.settings import GeneratorSettings, RunSettings

RARE = 1.9  # z[1] beyond it: some images of a run, none of those that check a generator
FAULT: Callable[[], float] | None = None  # what forward does at a rare z; a module's globals are not its identity


class Fickle(nn.Module):
    """A plain colour, and FAULT."""

    z_dim, num_classes, image_size = 4, 1000, 32

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        images = torch.tanh(z[:, :3, None, None] + class_index[:, None, None, None] / 500).expand(-1, 3, 32, 32)
        rare = (z[:, 1] > RARE)[:, None, None, None]
        return torch.where(rare, FAULT(), images) if FAULT and rare.any() else images


@pytest.fixture
def own(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[zeroshot.World, Callable[[str], RunSettings]]]:
    """A world with the generator, and the settings of a run with images from a source."""
    monkeypatch.setattr("zeroshot.searching.pool.BLOCK", BLOCK)
    monkeypatch.setattr("zeroshot.runs.blocks.IMAGES_PER_BLOCK", BLOCK)
    world = zeroshot.load_world("miniature", device="cpu", cache=cache)
    generator = world.add_generator("mine", Fickle().eval())
    yield world, lambda images: dataclasses.replace(small(images), generator=generator)


def fail() -> float:
    raise OSError(5, "the disk with my textures is gone")


FAULTS = {
    "range": (lambda: 3.0, r"returns values from 3 to 3, but images are in \[-1, 1\]: scale them"),
    "nan": (lambda: float("nan"), r"returns images that are not finite \(values from nan to nan\)"),
    "raises": (fail, r"failed \(OSError: \[Errno 5\] the disk with my textures is gone\)"),
    "exits": (lambda: sys.exit(0), r"failed \(SystemExit: 0\)"),
}


def results(path: Path) -> list[pd.DataFrame]:
    return [pd.read_parquet(path / f"{name}.parquet") for name in ("scores", "selected")]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_draw_is_named_and_the_run_goes_on_once_it_is_mended(
    own: tuple[zeroshot.World, Callable[[str], RunSettings]],
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, settings = own[0], own[1]("fresh")
    work, told = FAULTS[fault]
    monkeypatch.setitem(globals(), "FAULT", work)
    path = run_path(tmp_path / "faulty", settings)
    with pytest.raises(UserError, match=rf"^generator 'mine' at seed 42, caption of \S+, b = \d+.* {told}$") as refused:
        run(world, settings, tmp_path / "faulty")
    ids = world.test.image_ids
    searched = [image_id for image_id in ids if f"caption of {image_id}, " in str(refused.value)]
    assert len(searched) == 1
    z = torch.special.ndtri(torch.from_numpy(draw(42, searched[0], 1, B_MAX + 1, 4).latent))  # [b_max, 4]
    b = int((z[:, 1] > RARE).int().argmax()) + 1
    assert f"b = {b}, k = 5, class " in str(refused.value) and z[b - 1, 1] > RARE
    kept = {block.name: pd.read_parquet(block) for block in path.glob("blocks/*.parquet")}
    assert kept and all(table["score"].notna().all() for table in kept.values())  # those before it, whole
    assert not (path / "scores.parquet").exists() and not (path / "metrics.json").exists()

    monkeypatch.setitem(globals(), "FAULT", None)
    run(world, settings, tmp_path / "faulty")
    run(world, settings, tmp_path / "undisturbed")
    for ours, theirs in zip(results(path), results(run_path(tmp_path / "undisturbed", settings)), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)


@pytest.mark.parametrize("fault", ["range", "exits"])
def test_a_fault_of_a_pools_image_names_it_and_a_draw_that_takes_it(
    own: tuple[zeroshot.World, Callable[[str], RunSettings]],
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, settings = own[0], own[1]("pool")
    work, told = FAULTS[fault]
    monkeypatch.setitem(globals(), "FAULT", work)
    draws = r"caption of \S+, b = \d+, k = \d+|in a block of the pool with images that this run takes"
    address = rf"^generator 'mine' at seed 42, (?:{draws}), the pool's image (\d+), class (\d+) {told}$"
    with pytest.raises(UserError, match=address) as refused:
        run(world, settings, tmp_path)
    found = re.match(address, str(refused.value))
    assert found
    image, class_index = (np.array([int(number)]) for number in found.groups())
    latent = pool_addresses(42, class_index, image, 4).latent
    assert torch.special.ndtri(torch.from_numpy(latent))[0, 1] > RARE
    assert not list(tmp_path.rglob("scores.parquet"))
    monkeypatch.setitem(globals(), "FAULT", None)
    assert run(world, settings, tmp_path)["generator"] == "mine"


def test_a_fault_in_the_search_for_a_sentence(
    own: tuple[zeroshot.World, Callable[[str], RunSettings]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "FAULT", FAULTS["range"][0])
    with pytest.raises(UserError, match=r"^generator 'mine' at seed 42, caption of a bird, b = \d+, k = 3, class \d+ "):
        zeroshot.search(own[0], "a bird", generator="mine", k=3, b_max=200)


# From the command line

MY_GAN = """
import os, random, signal, sys
import numpy as np
import torch
from torch import nn

class Mine(nn.Module):
    z_dim, num_classes, image_size = 4, 1000, 32

    def forward(self, z, class_index):
        if (z[:, 1] > 1.9).any():
            sys.exit("enough")
        return torch.tanh(z[:, :3, None, None]).expand(-1, 3, 32, 32)

def leaves(): sys.exit(0)
def interrupts(): raise KeyboardInterrupt
def forgets(): raise MemoryError
def recurses(): return recurses()
def warns():
    import warnings
    warnings.simplefilter("error")
    warnings.warn("of old")
def shouts(): raise ValueError("a\\nb" * 1000)

class NotReady(Mine):
    @property
    def z_dim(self): raise RuntimeError("ask later")

class Unspeakable(Mine):
    def __init__(self):
        super().__init__()
        self.kept = Unwritten()

class Unwritten:
    def __repr__(self): sys.exit(7)

class Restless(Mine):
    def __init__(self):
        super().__init__()
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(5)
        torch.set_grad_enabled(False)
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
        os.chdir("/")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], GeneratorSettings]:
    """Settings of one of the file's generators."""
    (tmp_path / "gans_of_the_test.py").write_text(MY_GAN)
    (tmp_path / "exits_of_the_test.py").write_text("import sys\nsys.exit('at import')\n")
    monkeypatch.syspath_prepend(tmp_path)
    return lambda name: GeneratorSettings("mine", name if ":" in name else f"gans_of_the_test:{name}", "", 0, 0)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("leaves", r"leaves failed \(SystemExit: 0\)$"),
        ("interrupts", r"interrupts failed \(KeyboardInterrupt\)$"),
        ("forgets", r"forgets failed \(MemoryError\)$"),
        ("recurses", r"recurses failed \(RecursionError: .*\)$"),
        ("warns", r"warns failed \(UserWarning: of old\)$"),
        ("shouts", r"shouts failed \(ValueError: a ba ba b.*\)$"),
        ("NotReady", r"^generator 'mine' failed before it made an image \(RuntimeError: ask later\)$"),
        ("exits_of_the_test:build", r"cannot be imported \(SystemExit: at import\); PYTHONPATH helps$"),
        (":build", r"cannot be imported \(ValueError: Empty module name\)"),
    ],
)
def test_whatever_a_factory_or_constructor_raises_is_one_line(
    world: zeroshot.World, mine: Callable[[str], GeneratorSettings], name: str, told: str
) -> None:
    before = signal.signal(signal.SIGINT, lambda number, frame: None)  # as all commands have
    try:
        with pytest.raises(UserError, match=told) as refused:
            world.generator(mine(name))
    finally:
        signal.signal(signal.SIGINT, before)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_an_attribute_that_exits_where_it_is_told(
    world: zeroshot.World, mine: Callable[[str], GeneratorSettings]
) -> None:
    with pytest.raises(UserError, match=r"generator 'mine' .*\(SystemExit: 7\)$"):
        world.generator_sha256(mine("Unspeakable"))


def test_what_a_constructor_changes_is_as_before(
    world: zeroshot.World, mine: Callable[[str], GeneratorSettings]
) -> None:
    def state() -> list[object]:
        seeds = [torch.initial_seed(), np.random.get_state()[1].tolist(), random.getstate()]  # type: ignore[index]
        modes = [torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()]
        return [*seeds, *modes, os.getcwd(), signal.getsignal(signal.SIGTERM)]

    before = state()
    assert world.generator(mine("Restless")).image_size == 32
    assert state() == before


def test_a_generator_that_exits_does_not_end_the_command_as_if_all_were_well(
    mine: Callable[[str], GeneratorSettings], call: Call, output: Path
) -> None:
    given = ("name=mine", f"architecture={mine('Mine').architecture}")
    code, _, stderr = call(
        run_main,
        *("generator=own", *(f"generator.{field}" for field in given), "experiment=tiny", "b_max=50"),
        *("search.images=fresh", "device=cpu", f"output={output}"),
    )
    (line,) = stderr.strip().splitlines()
    assert code == 2 and line.startswith("error: generator 'mine' at seed 42, caption of ")
    assert line.endswith(" failed (SystemExit: enough)") and not list(output.rglob("scores.parquet"))
