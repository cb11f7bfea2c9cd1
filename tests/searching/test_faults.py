"""What a generator of the user's does wrong for some images only, found with the image's address."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import zeroshot
from zeroshot.errors import UserError
from zeroshot.models.generators.own import OwnGenerator
from zeroshot.searching.engine import Addresses, Engine, addresses
from zeroshot.searching.faults import FaultAt, Watch, addressed

RARE = 1.2  # z[1] beyond it: about every ninth image, and none of the four that check a generator


class Plain(nn.Module):
    """A plain colour of z, in [-1, 1]."""

    z_dim, num_classes, image_size = 4, 1000, 32

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z[:, :3, None, None]).expand(-1, 3, 32, 32)


def rarely(spoil: Callable[[torch.Tensor, torch.Tensor], Any], module: type[Plain] = Plain) -> nn.Module:
    """A Plain that does something else to the images where a batch has a rare z: spoil(images, which)."""

    class Rare(module):  # type: ignore[misc, valid-type]
        def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> Any:
            images = super().forward(z, class_index)
            which = z[:, 1] > RARE
            return spoil(images, which) if which.any() else images

    return Rare().eval()


def spoilt(images: torch.Tensor, which: torch.Tensor, value: float) -> torch.Tensor:
    """One pixel of the images meant."""
    images = images.clone()
    images[which, 1, 5, 7] = value
    return images


def fail(images: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    raise ValueError(f"{int(which.sum())} of {len(which)}")


def engine_of(world: zeroshot.World, module: nn.Module, batch_size: int = 8, compiled: bool = False) -> Engine:
    return Engine(OwnGenerator(module, "mine", 1000), world.clip, batch_size, compiled)


@pytest.fixture(scope="module")
def where() -> Addresses:
    return addresses(9, "a", 1, 31, np.arange(1000), Plain.z_dim)


def first_rare(where: Addresses) -> int:
    z = torch.special.ndtri(torch.from_numpy(where.latent)).float()
    return int((z[:, 1] > RARE).int().argmax())


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda images, which: spoilt(images, which, 2.25), r"returns values from -0\.\d+ to 2\.25, but images are in"),
        (lambda images, which: spoilt(images, which, -1.0011), r"returns values from -1\.0011 to 0\.\d+, but images"),
        (lambda images, which: spoilt(images, which, np.nan), r"returns images that are not finite \(values from nan"),
        (lambda images, which: spoilt(images, which, np.inf), r"not finite \(values from -0\.\d+ to inf\)"),
        (lambda images, which: spoilt(images, which, -np.inf), r"not finite \(values from -inf to 0\.\d+\)"),
        (fail, r"failed \(ValueError: 8 of 8\)"),
        (lambda images, which: sys.exit(3), r"failed \(SystemExit: 3\)"),
        (lambda images, which: None, r"returns NoneType, but a floating-point tensor is needed"),
        (lambda images, which: images.numpy(), r"returns ndarray, but"),
        (lambda images, which: (images * 127).to(torch.int8), r"returns torch\.int8, but"),
        (lambda images, which: images.to_sparse(), r"returns torch\.sparse_coo, but"),
        (lambda images, which: images[..., :16], r"of shape \[8, 3, 32, 16\], but \[8, 3, 32, 32\] is needed"),
        (lambda images, which: images[:1], r"of shape \[1, 3, 32, 32\], but \[8, 3, 32, 32\] is needed"),
        (lambda images, which: images.to("meta"), r"returns images on meta, but z came on cpu"),
    ],
)
def test_a_fault_of_some_images_names_the_first(
    world: zeroshot.World, where: Addresses, spoil: Callable, told: str
) -> None:
    first = first_rare(where)
    assert first > 8  # in a later batch
    engine = engine_of(world, rarely(spoil))
    for call in (engine.embed, engine.pictures):
        with pytest.raises(FaultAt) as fault:
            call(where)
        said = str(fault.value)
        assert re.fullmatch(
            rf"generator 'mine' at image {first + 1} of a call, class {where.class_index[first]} .*{told}.*", said
        )
        assert fault.value.row == first and "\n" not in said and isinstance(fault.value, UserError)
    with (
        pytest.raises(UserError, match=r"^generator 'mine' at seed 9, b = \d+, class \d+ "),
        addressed(lambda row: f"seed 9, b = {row + 1}"),
    ):
        engine.embed(where)


def test_a_fault_that_needs_its_neighbours_names_them_all(world: zeroshot.World, where: Addresses) -> None:
    def together(images: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        return images * (3 if len(which.unique()) == 2 else 1)

    with pytest.raises(FaultAt, match=r"\(or one of the \d images behind it\) returns values from") as fault:
        engine_of(world, rarely(together)).embed(where)
    first = first_rare(where)
    assert fault.value.row <= first <= fault.value.row + fault.value.others < fault.value.row + 8


def test_a_fault_that_does_not_come_again_names_the_call(world: zeroshot.World, where: Addresses) -> None:
    module, once = Plain().eval(), iter([2.0])
    engine = engine_of(world, module)
    module.register_forward_hook(lambda module, given, images: images * next(once, 1.0))
    with pytest.raises(FaultAt, match=r"at image 1 of a call, .* \(or one of the 29 images behind it\) returns values"):
        engine.embed(where)


def test_a_little_beyond_the_range_is_fine(world: zeroshot.World, where: Addresses) -> None:
    engine_of(world, rarely(lambda images, which: spoilt(images, which, -1.0009))).embed(where)


def test_the_range_is_read_at_the_end_only() -> None:
    watch = Watch()
    for _ in range(3):
        watch.add(torch.empty(2, 3, 4, 4, device="meta"))  # which has no values to wait for
    images = torch.zeros(2, 3, 4, 4)
    watch = Watch()
    watch.add(images)
    assert watch.fault() is None and Watch().fault() is None
    images[1, 2, 3, 3] = torch.nan
    watch.add(images)
    watch.add(torch.zeros(1, 3, 4, 4))
    assert watch.fault() == "returns images that are not finite (values from nan to nan)"


@pytest.mark.slow
def test_a_compiled_generator_is_watched_too(world: zeroshot.World, where: Addresses) -> None:
    first = first_rare(where)

    class Loud(Plain):
        def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
            return super().forward(z, class_index) * torch.where(z[:, 1] > RARE, 5.0, 1.0)[:, None, None, None]

    with pytest.raises(FaultAt, match="returns values from") as fault:
        engine_of(world, Loud().eval(), compiled=True).embed(where)
    assert fault.value.row == first
    for spoil, told in ((fail, "ValueError"), (lambda *_: sys.exit(3), "SystemExit: 3"), (lambda *_: None, "NoneType")):
        with pytest.raises(FaultAt, match=told) as fault:
            engine_of(world, rarely(spoil), compiled=True).embed(where)
        assert fault.value.row == first


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_too(world: zeroshot.World, where: Addresses, dtype: torch.dtype) -> None:
    own = OwnGenerator(rarely(lambda images, which: spoilt(images, which, 1.5)), "mine", 1000).in_precision(dtype)
    with pytest.raises(FaultAt, match=r"to 1\.5, but") as fault:
        Engine(own, world.clip, 8).embed(where)
    assert fault.value.row == first_rare(where)


# What is unusual and does no harm


def reference(world: zeroshot.World, where: Addresses) -> np.ndarray:
    return engine_of(world, Plain().eval()).embed(where)


class Reuses(Plain):
    """Writes all images into one piece of memory, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.memory: dict[int, torch.Tensor] = {}
        self.calls = 0

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        memory = self.memory.setdefault(len(z), torch.empty(len(z), 3, 32, 32))
        return memory.copy_(super().forward(z, class_index))


class WritesIntoZ(Plain):
    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        class_index.zero_()
        return z.tanh_()[:, :3, None, None].expand(-1, 3, 32, 32)  # and is a view of it


class Learns(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    @torch.inference_mode(False)
    @torch.enable_grad()
    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        images = super().forward(z.clone(), class_index) * self.one
        assert images.requires_grad
        return images.double()


def changes_everything(images: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_num_threads(7)
    torch.backends.cudnn.allow_tf32 = True
    torch.manual_seed(1)
    return images


@pytest.mark.parametrize(
    "make", [Reuses, WritesIntoZ, Learns, lambda: rarely(changes_everything)], ids=["memory", "z", "grad", "process"]
)
def test_what_does_no_harm_gives_the_same_scores(world: zeroshot.World, where: Addresses, make: Callable) -> None:
    before = torch.get_default_dtype(), torch.get_num_threads(), torch.get_rng_state()
    np.testing.assert_array_equal(engine_of(world, make().eval()).embed(where), reference(world, where))
    after = torch.get_default_dtype(), torch.get_num_threads(), torch.get_rng_state()
    assert before[:2] == after[:2] and torch.equal(before[2], after[2])


def test_memory_that_a_generator_reuses_is_not_what_it_is(world: zeroshot.World, where: Addresses) -> None:
    module = Reuses().eval()
    own = OwnGenerator(module, "mine", 1000)
    before = own.identity()
    Engine(own, world.clip, 8).embed(where)
    assert own.identity() == before
    module.image_size = 33
    assert own.identity() != before


# Latents of its own


def with_latent(latent: Callable[[torch.Tensor], Any]) -> nn.Module:
    module = Plain().eval()
    module.latent = latent  # type: ignore[assignment]
    return module


def normal(uniforms: torch.Tensor) -> torch.Tensor:
    return torch.special.ndtri(uniforms)


def rare_latent(then: Callable[[torch.Tensor], Any]) -> nn.Module:
    return with_latent(lambda uniforms: then(z) if ((z := normal(uniforms))[:, 1] > RARE).any() else z)


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (lambda z: sys.exit("no"), r"failed in latent \(SystemExit: no\)"),
        (lambda z: z[:, :2], r"returns latents of shape \[8, 2\], but \[8, 4\] is needed"),
        (lambda z: z[:-1], r"returns latents of shape \[7, 4\]"),
        (lambda z: None, "returns NoneType"),
        (lambda z: z * torch.nan, "not finite"),
    ],
)
def test_a_fault_in_its_latent_names_the_image(
    world: zeroshot.World, where: Addresses, then: Callable, told: str
) -> None:
    with pytest.raises(FaultAt, match=told) as fault:
        engine_of(world, rare_latent(then)).embed(where)
    assert fault.value.row == first_rare(where)


def test_what_its_latent_changes_meets_no_batch(world: zeroshot.World, where: Addresses) -> None:
    def latent(uniforms: torch.Tensor) -> torch.Tensor:
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(5)
        return normal(uniforms)

    threads = torch.get_num_threads()
    np.testing.assert_array_equal(engine_of(world, with_latent(latent)).embed(where), reference(world, where))
    assert torch.get_default_dtype() == torch.float32 and torch.get_num_threads() == threads


# Memory


def test_out_of_memory_is_no_fault(world: zeroshot.World, where: Addresses, caplog: pytest.LogCaptureFixture) -> None:
    class Large(Plain):
        def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
            if len(z) > 4:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(z, class_index)

    engine = engine_of(world, Large().eval(), 16)
    np.testing.assert_allclose(engine.embed(where), reference(world, where), atol=1e-5)
    assert engine.batch_size == 4 and "at a batch of 16 images of generator 'mine'" in caplog.messages[0]
