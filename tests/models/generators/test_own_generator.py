from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import zeroshot
from tests.conftest import command
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models.generators.own_identity import identity_of
from zeroshot.runs.run import run, run_path
from zeroshot.settings import GeneratorSettings
from zeroshot.worlds.parts import default_run, departures

TINY: dict[str, int] = {"b_max": 3, "captions": 6}


class Plain(nn.Module):
    """A plain colour: of the class, shifted by z. Has no parameters."""

    z_dim, num_classes, image_size = 4, 1000, 32

    def __init__(self, strength: float = 0.3) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        colour = class_index[:, None] / 500 - 1 + self.strength * z[:, :3]  # [N, 3]
        return torch.tanh(colour)[:, :, None, None].expand(-1, 3, 32, 32)


class Learned(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(3, 1, 1))

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return (super().forward(z, class_index) + self.shift).clamp(-1, 1)


def changed(**attributes: object) -> nn.Module:
    module = Plain().eval()
    for key, value in attributes.items():
        setattr(module, key, value)
    return module


def faulty(change: str) -> nn.Module:
    """A Plain whose images are spoiled in one way."""
    spoil = {
        "range": lambda images: images * 100,
        "nan": lambda images: images * float("nan"),
        "size": lambda images: images[..., :16],
        "bytes": lambda images: (images * 127).to(torch.int8),
        "tuple": lambda images: (images, None),
        "random": lambda images: (images + 0.5 * torch.rand(len(images), 1, 1, 1)).clamp(-1, 1),
        "batch": lambda images: images - images.mean(dim=0),
        "raises": lambda images: images[len(images)],
    }[change]

    class Faulty(Plain):
        def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
            return spoil(super().forward(z, class_index))

    return Faulty().eval()


@pytest.fixture
def own_world(cache: Path) -> zeroshot.World:
    """A world that this test may add generators to."""
    return zeroshot.load_world("miniature", device="cpu", cache=cache)


REFUSED = [
    (faulty("range"), r"values from .* to .*, but images are in \[-1, 1\]"),
    (faulty("nan"), "not finite"),
    (faulty("size"), r"shape \[4, 3, 32, 16\], but \[4, 3, 32, 32\] is needed"),
    (faulty("bytes"), "returns torch.int8"),
    (faulty("tuple"), "returns tuple"),
    (faulty("random"), "other images for the same z and class"),
    (faulty("batch"), "depends on its neighbours in the batch"),
    (faulty("raises"), r"failed on z \[4, 4\] .*IndexError"),
    (Plain(), r"training mode \(the module\): call .eval\(\)"),
    (nn.Sequential(), "has z_dim = None"),
    (changed(z_dim=0), "has z_dim = 0"),
    (changed(num_classes=10), "num_classes = 10, but this world has 1,000"),
    (changed(image_size="large"), "has image_size = 'large'"),
    (len, "is a builtin_function_or_method, but it must be a torch.nn.Module"),
]


@pytest.mark.parametrize(("module", "message"), REFUSED)
def test_what_does_not_fit_is_refused_with_one_line(own_world: zeroshot.World, module: nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message) as refusal:
        own_world.add_generator("mine", module)
    assert "\n" not in str(refusal.value)
    assert own_world.generator_names == ("sagan", "biggan")


@pytest.mark.parametrize("name", ["sagan", "My GAN", "../mine", ""])
def test_names_that_cannot_be(own_world: zeroshot.World, name: str) -> None:
    with pytest.raises(UserError, match="generator"):
        own_world.add_generator(name, Plain().eval())


def test_images_in_0_to_1_get_a_warning(own_world: zeroshot.World) -> None:
    class Bright(Plain):
        def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
            return (super().forward(z, class_index) + 1) / 2

    with pytest.warns(UserWarning, match=r"not in \[0, 1\]"):
        own_world.add_generator("bright", Bright().eval())


def test_search_uses_it_by_its_name(own_world: zeroshot.World) -> None:
    own_world.add_generator("mine", Plain().eval())
    result = zeroshot.search(own_world, "a small blue bird", generator="mine", k=10, b_max=5)
    assert result.image.size == (32, 32) and result.scores.shape == (5,) and result.label in result.labels
    assert len(np.unique(np.asarray(result.image).reshape(-1, 3), axis=0)) == 1  # one plain colour
    own_world.add_generator("mine", Plain(strength=2.0).eval())  # the same name anew: not the old one's engine
    assert (
        zeroshot.search(own_world, "a small blue bird", generator="mine", k=10, b_max=5).scores != result.scores
    ).any()
    with pytest.raises(UserError, match="has sagan, biggan, mine"):
        zeroshot.search(own_world, "a bird", generator="other")


def test_its_own_latent_is_used(own_world: zeroshot.World) -> None:
    class Uniform(Plain):
        def latent(self, uniforms: torch.Tensor) -> torch.Tensor:
            return uniforms.float() * 0 + 0.25

    own_world.add_generator("uniform", Uniform().eval())
    assert (own_world.generator("uniform").latent(torch.rand(2, 4).double()) == 0.25).all()


def test_its_rows_of_table_1(own_world: zeroshot.World, tmp_path: Path) -> None:
    own_world.add_generator("mine", Plain().eval())
    table = zeroshot.evaluate(own_world, "mine", k=[1, 10], seeds=[42, 43], output=tmp_path, **TINY)
    assert list(zip(table.generator, table.k, table.seeds, strict=True)) == [("mine", 1, 2), ("mine", 10, 2)]
    assert table.notna().all(axis=None)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("metrics.json")}
    again = zeroshot.evaluate(own_world, "mine", k=[1, 10], seeds=[42, 43], output=tmp_path, **TINY)
    pd.testing.assert_frame_equal(again, table)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("metrics.json")} == before and len(before) == 4
    both = zeroshot.evaluate(own_world, ["sagan", "mine"], k=[10], seeds=[42], output=tmp_path, **TINY)
    score = both.set_index("generator").best_clip_score
    assert score["sagan"] > score["mine"] > 0  # plain colours fit a caption less than drawn birds


@pytest.mark.parametrize(
    "grid", [{"k": []}, {"k": [0]}, {"k": [1001]}, {"seeds": [-1]}, {"b_max": 0}, {"captions": 10**6}]
)
def test_an_impossible_evaluation_is_refused(own_world: zeroshot.World, tmp_path: Path, grid: dict) -> None:
    with pytest.raises(UserError):
        zeroshot.evaluate(own_world, "sagan", **({"k": [1], "seeds": [1], "output": tmp_path} | TINY | grid))
    assert not list(tmp_path.rglob("metrics.json"))


def test_a_changed_generator_is_another_run(own_world: zeroshot.World) -> None:
    def place(module: nn.Module) -> Path:
        settings = own_world.add_generator("mine", module.eval())
        assert {"generator.architecture", "generator.weights"} <= departures(
            dataclasses.replace(own_world.settings, generator=settings)
        ).keys()
        return run_path(Path("outputs"), dataclasses.replace(own_world.settings, generator=settings))

    trained = Learned()
    nn.init.constant_(trained.shift, 0.1)
    assert len({place(m) for m in (Plain(), Plain(strength=0.4), Learned(), trained)}) == 4
    assert place(Plain()) == place(Plain()) and place(Plain()).name == "seed=42"


def test_identity_sees_tensors_attributes_and_source() -> None:
    class Other(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

    first = identity_of(Other())

    class Other(nn.Module):  # type: ignore[no-redef]
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 2

    assert identity_of(Other()) != first and identity_of(Other()) == identity_of(Other())

    def with_attribute(value: object) -> str:
        module = Other()
        setattr(module, "value", value)  # noqa: B010 - nn.Module types its attributes
        return identity_of(module)

    big = np.zeros(5000)
    values: list[object] = [big, big + 1, torch.zeros(3), torch.ones(3), [torch.ones(3)], {"a": 1}, "a", None, 1.5]
    assert len({with_attribute(value) for value in values}) == len(values)
    assert with_attribute(object()) == with_attribute(object())  # whatever has no stable text
    assert len({identity_of(nn.Conv2d(3, 3, 3, padding=p).requires_grad_(False)) for p in (0, 1)}) == 2


def test_a_generator_that_changed_after_it_was_added_is_refused(own_world: zeroshot.World, tmp_path: Path) -> None:
    module = Learned().eval()
    generator = own_world.add_generator("mine", module)
    settings = dataclasses.replace(own_world.settings, generator=generator, captions=6, b_max=3)
    with torch.no_grad():
        module.shift.add_(0.1)
    with pytest.raises(UserError, match="'mine' has changed since it was added"):
        run(own_world, settings, tmp_path)


def test_another_program_without_it_says_what_to_do(own_world: zeroshot.World, world: zeroshot.World) -> None:
    settings = own_world.add_generator("mine", Plain().eval())
    with pytest.raises(UserError, match=r"call world.add_generator\('mine', module\)"):
        world.generator(settings)


MY_GAN = """
import torch
from torch import nn

class Tinted(nn.Module):
    z_dim, num_classes, image_size = 4, 1000, 32

    def __init__(self, tint=0.0):
        super().__init__()
        self.tint = tint

    def forward(self, z, class_index):
        return torch.tanh(z[:, :3, None, None] + self.tint).expand(-1, 3, 32, 32)

def build(path):
    return Tinted(float(path.read_text()))

def nothing():
    return None
"""
YAML = "defaults: [own]\nname: mine\narchitecture: my_gan_of_the_test:build\nweights: {weights}\n"


@pytest.fixture
def my_files(tmp_path: Path) -> Path:
    """What a user writes: a Python file, weights and generator/mine.yaml."""
    (tmp_path / "my_gan_of_the_test.py").write_text(MY_GAN)
    (tmp_path / "tint.txt").write_text("0.5")
    (tmp_path / "generator").mkdir()
    (tmp_path / "generator" / "mine.yaml").write_text(YAML.format(weights=tmp_path / "tint.txt"))
    return tmp_path


def test_from_the_command_line_by_an_import_path(my_files: Path, output: Path) -> None:
    done = command(
        "experiments.run",
        *(f"--config-dir={my_files}", "generator=mine", "experiment=tiny", "device=cpu", f"output={output}"),
        PYTHONPATH=str(my_files),
    )
    assert done.returncode == 0, done.stderr
    (metrics,) = output.glob("miniature/paper+*/runs/mine/k=0010/seed=42/metrics.json")
    assert json.loads(metrics.read_text())["generator"] == "mine"


def test_other_weights_under_the_same_path_are_never_mixed_in(
    my_files: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(my_files)
    weights = my_files / "tint.txt"
    own = GeneratorSettings("mine", "my_gan_of_the_test:build", str(weights), 0, 0)
    settings = dataclasses.replace(default_run("miniature", "sagan"), generator=own, captions=6, b_max=3)
    run(zeroshot.World(settings, "cpu", cache), settings, my_files)
    weights.write_text("0.625")
    with pytest.raises(EnvironmentFailure, match="belongs to another configuration"):
        run(zeroshot.World(settings, "cpu", cache), settings, my_files)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"architecture": "my_gan_of_the_test:missing"}, "cannot be imported (AttributeError"),
        ({"architecture": "no_such_module_of_mine:build"}, "cannot be imported (ModuleNotFoundError"),
        ({"architecture": "my_gan_of_the_test:build"}, "build failed (TypeError"),
        ({"architecture": "my_gan_of_the_test:nothing"}, "is a NoneType"),
        ({"architecture": "my_gan_of_the_test:Tinted", "image_size": 64}, "generator.image_size = 64, but"),
        ({"architecture": ""}, "package.module:factory"),
    ],
)
def test_import_paths_that_fail_say_so(
    world: zeroshot.World, my_files: Path, monkeypatch: pytest.MonkeyPatch, overrides: dict, message: str
) -> None:
    monkeypatch.syspath_prepend(my_files)
    settings = GeneratorSettings("mine", **({"weights": "", "image_size": 0, "z_dim": 0} | overrides))
    with pytest.raises(UserError) as refusal:
        world.generator(settings)
    assert message in str(refusal.value)


def test_a_factory_that_is_a_class_is_put_into_evaluation_mode(
    world: zeroshot.World, my_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(my_files)
    generator = world.generator(GeneratorSettings("mine", "my_gan_of_the_test:Tinted", "", 0, 0))
    assert not generator.training and generator.image_size == 32
