from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import zeroshot
from tests.conftest import ROOT
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.limits import PRECISIONS
from zeroshot.models.devices import is_out_of_memory
from zeroshot.models.generators.base import Generator
from zeroshot.models.precision import DTYPES, check_device
from zeroshot.runs.run import run, run_path
from zeroshot.searching.batches import find_batch
from zeroshot.searching.engine import Addresses, Engine, addresses

# Of a score in bf16, which keeps 8 bits, against fp32's. Measured over 256 images x 1,000 sentences of each generator:
# at most 0.028, 0.003 on average.
BF16_TOLERANCE = 0.04


@pytest.mark.parametrize("generator", ["sagan", "biggan"])
def test_same_address_same_image_whatever_the_batch(world: zeroshot.World, generator: str) -> None:
    model = world.generator(generator)
    where = addresses(42, "some image", 1, 12, np.arange(1000), model.z_dim)
    reference = Engine(model, world.clip, batch_size=1)
    images = reference._each(where, torch.clone)
    for batch_size in (3, 11, 64):
        engine = Engine(model, world.clip, batch_size)
        np.testing.assert_allclose(engine._each(where, torch.clone), images, atol=1e-5)
        np.testing.assert_allclose(engine.embed(where), reference.embed(where), atol=1e-5)


def test_neighbours_and_place_do_not_change_a_bit_at_one_batch_size(world: zeroshot.World) -> None:
    engine = world.engine("sagan", 16)
    z_dim = engine.generator.z_dim
    one = addresses(1, "a", 1, 5, np.arange(1000), z_dim)
    other = addresses(1, "b", 1, 30, np.arange(1000), z_dim)
    together = engine.embed(type(one).join([other, one]))
    np.testing.assert_array_equal(together[-4:], engine.embed(one))


def test_no_addresses_no_embeddings_and_no_pictures(world: zeroshot.World) -> None:
    engine = world.engine("sagan")
    nothing = addresses(1, "a", 1, 1, np.arange(3), engine.generator.z_dim)
    assert engine.embed(nothing).shape == (0, world.clip.embed_dim)
    assert engine.pictures(nothing).shape == (0, 64, 64, 3)


@torch.inference_mode()
def test_the_pipeline_gives_the_bits_of_plain_steps_one_after_another(world: zeroshot.World) -> None:
    engine = world.engine("biggan", 4)
    model = engine.generator
    where = addresses(7, "c", 1, 12, np.arange(1000), model.z_dim)  # 11: the last batch has one row of padding
    rows = [*range(11), 10]
    z = model.latent(torch.from_numpy(where.latent))[rows].split(4)
    class_index = torch.from_numpy(where.class_index)[rows].split(4)
    plain = torch.cat([world.clip.encode_images(model(*inputs)) for inputs in zip(z, class_index, strict=True)])[:11]
    np.testing.assert_array_equal(engine.embed(where), plain.numpy())


# Precision and compilation


def test_bf16_scores_are_near_those_of_fp32_and_cached_apart(world: zeroshot.World, tmp_path: Path) -> None:
    half = zeroshot.load_world("miniature", device="cpu", cache=tmp_path, precision="bf16")
    assert half.clip.identity["precision"] != world.clip.identity["precision"]
    text = half.label_embeddings
    half.encode_texts("labels", ["a bird"])
    zeroshot.load_world("miniature", device="cpu", cache=tmp_path).encode_texts("labels", ["a bird"])
    assert len(list(tmp_path.glob("labels-*.npy"))) == 3  # the labels once, the sentence once in each precision
    for name in ("sagan", "biggan"):
        ours, theirs = half.engine(name, 16), world.engine(name, 16)
        assert ours.generator.input_dtype == torch.bfloat16 and half.generator(name).input_dtype == torch.float32
        where = addresses(3, "d", 1, 41, np.arange(1000), ours.generator.z_dim)
        embedded = ours.embed(where)
        assert embedded.dtype == np.float32 and text.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-5)
        moved = ours.scores(where, text[:40]) - theirs.scores(where, world.label_embeddings[:40])
        assert 0 < np.abs(moved).max() < BF16_TOLERANCE


def test_the_precisions_of_settings_and_models_are_the_same() -> None:
    assert set(PRECISIONS) == set(DTYPES)


@pytest.mark.parametrize("precision", ["tf32", "fp16", "fp8"])
def test_a_precision_that_the_device_lacks_is_refused(precision: str) -> None:
    with pytest.raises(UserError, match=f"precision = '?{precision}"):
        check_device(precision, False, torch.device("cpu"))


def test_compilation_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"compile = true, but torch.compile needs a C\+\+ compiler"):
        check_device("fp32", True, torch.device("cpu"))


def test_a_run_in_another_precision_than_its_worlds_is_refused(world: zeroshot.World, tmp_path: Path) -> None:
    settings = dataclasses.replace(world.settings, precision="bf16", b_max=2, captions=2)
    with pytest.raises(UserError, match="precision = bf16, but this world was loaded with precision = fp32"):
        run(world, settings, tmp_path)
    assert not list(tmp_path.rglob("config.yaml"))


# Batch size


@pytest.mark.parametrize(
    ("rates", "fits", "expected"),
    [
        ({8: 10, 16: 15, 32: 15.5, 64: 99}, 64, 16),  # the first doubling that does not pay ends it
        ({8: 10, 16: 20, 32: 40, 64: 80}, 64, 64),  # the limit
        ({8: 10, 16: 20, 32: 40, 64: 80}, 20, 16),  # memory ends
        ({1: 1, 2: 1.5, 4: 2}, 3, 2),  # not even the first fits
    ],
)
def test_auto_doubles_while_it_pays_and_fits(rates: dict[int, float], fits: int, expected: int) -> None:
    def rate(size: int) -> float:
        if size > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return rates[size]

    assert find_batch(torch.device("cpu"), rate) == expected


@pytest.mark.slow
def test_auto_is_remembered_on_disk_and_a_runs_path_does_not_depend_on_it(
    world: zeroshot.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []

    def found(device: torch.device, rate: Callable[[int], float]) -> int:
        tried.append(rate(2))
        return 2

    monkeypatch.setattr("zeroshot.worlds.models.find_batch", found)
    settings = dataclasses.replace(world.settings, batch_size="auto", b_max=3, captions=2)
    fresh = dataclasses.replace(settings, search=dataclasses.replace(settings.search, images="fresh"))
    ours = zeroshot.load_world("miniature", device="cpu", cache=tmp_path / "cache")
    monkeypatch.setattr("zeroshot.runs.computing.measure", lambda *_: {"images_generated": 0})
    run(ours, fresh, tmp_path)
    assert tried[0] > 0 and ours.physical_batch(fresh.generator, "auto") == 2
    again = zeroshot.load_world("miniature", device="cpu", cache=tmp_path / "cache")
    assert again.engine(fresh.generator, "auto").batch_size == 2 and len(tried) == 1

    config = (run_path(tmp_path, fresh) / "config.yaml").read_text()
    assert "batch_size: 2\n" in config and "batch_size: auto" in config  # the number, and what was asked for
    monkeypatch.setattr(zeroshot.World, "physical_batch", lambda *_: pytest.fail("the run's own number counts"))
    run(again, fresh, tmp_path)


@pytest.mark.parametrize("batch_size", [0, -1, "many"])
def test_other_batch_sizes_are_refused(world: zeroshot.World, batch_size: int | str) -> None:
    with pytest.raises(UserError, match="batch_size"):
        zeroshot.search(world, "a bird", batch_size=batch_size)


# Out of memory


class Hungry(Generator):
    """Really allocates `needed` bytes for each image of a batch."""

    image_size, z_dim, num_classes, needed = 64, 4, 1000, 1 << 20

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        torch.empty(len(z), self.needed, dtype=torch.uint8).fill_(1)
        return torch.tanh(z.mean(dim=1) + class_index / 1000)[:, None, None, None].expand(-1, 3, 64, 64)


class Limited(Hungry):
    """Says what CUDA would say above `most` images."""

    most = 6

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        if len(z) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().forward(z, class_index)


@pytest.fixture
def where() -> Iterator[Addresses]:
    yield addresses(1, "e", 1, 31, np.arange(1000), Hungry.z_dim)


def test_out_of_memory_halves_the_batch_and_goes_on(
    world: zeroshot.World, where: Addresses, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(Limited(), world.clip, batch_size=16)
    with caplog.at_level(logging.WARNING):
        embedded = engine.embed(where)
    np.testing.assert_allclose(embedded, Engine(Hungry(), world.clip, 16).embed(where), atol=1e-5)
    assert engine.batch_size == 4 and len(caplog.messages) == 2
    assert "out of memory at a batch of 16 images of Limited" in caplog.messages[0]
    assert "going on with 8" in caplog.messages[0]


def test_out_of_memory_at_one_image_says_what_was_tried(world: zeroshot.World, where: Addresses) -> None:
    greedy = Limited()
    greedy.most = 0
    with pytest.raises(EnvironmentFailure, match="out of memory: not even one image of Limited fits"):
        Engine(greedy, world.clip, batch_size=4).embed(where)


def test_other_errors_are_not_taken_for_it() -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert is_out_of_memory(MemoryError()) and is_out_of_memory(torch.OutOfMemoryError())


REAL = """
import logging, resource, numpy as np, torch, zeroshot
from tests.searching.test_engine import Hungry
from zeroshot.searching.engine import Engine, addresses
logging.basicConfig()
world = zeroshot.load_world("miniature", device="cpu")
where = addresses(1, "e", 1, 31, np.arange(1000), Hungry.z_dim)
engine = Engine(Hungry(), world.clip, 16)
reference = engine.embed(where)
engine.generator.needed = 128 << 20  # 2 GB for a batch
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), resource.RLIM_INFINITY))
np.testing.assert_allclose(engine.embed(where), reference, atol=1e-5)
print(engine.batch_size)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="an address space of limited size is Linux's")
def test_a_real_failure_to_allocate_halves_the_batch() -> None:
    done = subprocess.run([sys.executable, "-c", REAL], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) in (4, 2)  # 1 GB, less what else the process asks for
    assert "can't allocate memory" in done.stderr and "going on with 8" in done.stderr
