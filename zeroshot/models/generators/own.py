"""A generator of one's own: imported or handed over, checked once, and watched at every call."""

from __future__ import annotations

import copy
import importlib
import math
import warnings

import torch
from torch import nn

from zeroshot.errors import UserError
from zeroshot.limits import LARGEST_SIDE, LARGEST_Z, check_name
from zeroshot.models.devices import is_out_of_memory
from zeroshot.models.generators.base import Generator
from zeroshot.models.generators.guest import ARITHMETIC, GuestFault, guest, named, put_back
from zeroshot.models.generators.own_identity import identity_of, scratch_of
from zeroshot.settings import IN_MEMORY, GeneratorSettings
from zeroshot.storage.paths import resolve

_CHECKED = 4  # images generated to check a generator
_LARGEST = 1.001  # of an image's values, which rounding may take a little beyond 1


class OwnGenerator(Generator):
    """Any module with `z_dim`, `num_classes`, `image_size` and `forward(z, class_index)` behind the usual interface.

    Its own `latent` is used where it has one. Making it generates a few images and checks them.

    Args:
        module: images float [N, 3, image_size, image_size] in [-1, 1] from z float32 [N, z_dim] and class_index
            int64 [N]; in evaluation mode, deterministic, each image independent of its neighbours in a batch.
        name: what runs and tables call it: small letters, digits, - and _.
        classes: how many labels the world has; the module must have as many.
        device: where the module is moved to; None: it stays where it is.

    Raises:
        UserError: one of these does not hold, or the module's code raises whatever it may be.
    """

    def __init__(self, module: nn.Module, name: str, classes: int, device: torch.device | None = None) -> None:
        super().__init__()
        check_name("generator.name", name)
        self.name = name
        if not isinstance(module, nn.Module):
            raise GuestFault(self.called, f"is a {type(module).__name__}, but it must be a torch.nn.Module")
        with guest(self.called, "failed before it made an image"):
            self._take(module.to(device), classes)
        self.autocast: torch.dtype | None = None
        self.scratch = frozenset[str]()  # attributes that change at every call, so that they are not its identity
        self._try()

    def _try(self) -> None:
        """A few images, and what speaks against them. Raises GuestFault."""
        _check(self)

    def _refuse_training(self, parts: list[str]) -> None:
        """What is said of modules that came in training mode; there is at least one. Raises GuestFault."""
        raise GuestFault(self.called, f"is in training mode ({parts[0]}): call .eval() on it first")

    def _take(self, module: nn.Module, classes: int) -> None:
        for key, most in (("z_dim", LARGEST_Z), ("num_classes", classes), ("image_size", LARGEST_SIDE)):
            value = getattr(module, key, None)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise GuestFault(self.called, f"has {key} = {value!r:.80}, but a number of 1 to {most:,} is needed")
            setattr(self, key, value)
        if self.num_classes != classes:
            raise GuestFault(self.called, f"has num_classes = {self.num_classes}, but this world has {classes:,}")
        training = [path or "the module" for path, part in module.named_modules() if part.training]
        if training:
            self._refuse_training(training)
        self.module = module
        self.mixes_classes = getattr(module, "mixes_classes", False) is True
        self.eval()

    @property
    def called(self) -> str:
        """By the name that its owner gave."""
        return f"generator {self.name!r}"

    @property
    def has_latent(self) -> bool:
        """Whether the module makes its own z."""
        return callable(getattr(self.module, "latent", None))

    def latent(self, uniforms: torch.Tensor) -> torch.Tensor:
        """The module's own `latent`, else N(0, I): float64 [N, z_dim] in (0, 1) -> float32 [N, z_dim] on the CPU.

        Raises GuestFault.
        """
        if not self.has_latent:
            return super().latent(uniforms)
        with named(self.called, "failed in latent", is_out_of_memory), put_back(ARITHMETIC):
            z = self.module.latent(uniforms)  # type: ignore[operator]
        self._require(z, [len(uniforms), self.z_dim], "latents")
        return _kept(z).to("cpu", torch.float32)

    @property
    def input_dtype(self) -> torch.dtype:
        """float32, whatever the module's parameters are."""
        return torch.float32

    def in_precision(self, dtype: torch.dtype) -> OwnGenerator:
        """The same module under autocast: its weights are its owner's, and it may make float32 tensors of its own."""
        if dtype == torch.float32:
            return self
        other = copy.copy(self)
        other.autocast = dtype
        return other

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """Images float32 [N, 3, image_size, image_size]; what the module raises passes as it is.

        Raises GuestFault for what is no batch of images, told without waiting for the device.
        """
        with torch.autocast(z.device.type, self.autocast, enabled=self.autocast is not None):
            images = self.module(z, class_index)
        self._require(images, [len(z), 3, self.image_size, self.image_size], "images")
        if images.device != z.device:
            raise GuestFault(self.called, f"returns images on {images.device}, but z came on {z.device}")
        return _kept(images).float()

    def _require(self, given: object, shape: list[int], what: str) -> None:
        if not isinstance(given, torch.Tensor):
            raise GuestFault(self.called, f"returns {type(given).__name__}, but a floating-point tensor is needed")
        if not given.is_floating_point() or given.layout != torch.strided:
            kind = given.layout if given.is_floating_point() else given.dtype
            raise GuestFault(self.called, f"returns {kind}, but a floating-point tensor is needed")
        if list(given.shape) != shape:
            raise GuestFault(self.called, f"returns {what} of shape {list(given.shape)}, but {shape} is needed")

    def identity(self) -> str:
        """sha256 of what it is made of, as it is now. Raises GuestFault."""
        with guest(self.called, "cannot be told from another"):
            return identity_of(self.module, self.scratch)

    def settings(self) -> GeneratorSettings:
        """What a run's settings say of a generator that was handed over: its class and its identity."""
        kind = type(self.module)
        architecture, weights = f"{kind.__module__}:{kind.__qualname__}", IN_MEMORY + self.identity()
        return GeneratorSettings(self.name, architecture, weights, self.image_size, self.z_dim)


def _kept(made: torch.Tensor) -> torch.Tensor:
    """What a module made, with its graph only where somebody wants gradients."""
    return made if torch.is_grad_enabled() else made.detach()


def load_own(settings: GeneratorSettings, classes: int) -> OwnGenerator:
    """What `build_own` makes, put into evaluation mode and checked. Raises UserError as it does, and where a check of
    a few images fails."""
    module = build_own(settings)
    own = OwnGenerator(module.eval() if isinstance(module, nn.Module) else module, settings.name, classes)
    check_stated(own, settings)
    return own


def check_stated(own: OwnGenerator, settings: GeneratorSettings) -> None:
    """Raise UserError where the settings state another size than the generator has."""
    for key, given in (("image_size", settings.image_size), ("z_dim", settings.z_dim)):
        if given and given != getattr(own, key):
            raise UserError(f"generator.{key} = {given}, but {settings.architecture} has {getattr(own, key)}")


def build_own(settings: GeneratorSettings) -> nn.Module:
    """Import and call `package.module:factory`, with the path of the weights if one is given.

    Raises UserError where that fails, or where the generator was handed over in another program.
    """
    who = f"generator.architecture = {settings.architecture!r:.80}"
    if settings.weights.startswith(IN_MEMORY):
        raise UserError(
            f"generator {settings.name!r} ({settings.architecture}) was handed over in Python and is not here: "
            f"call world.add_generator({settings.name!r}, module) with the very same one first"
        )
    path, _, attribute = settings.architecture.partition(":")
    with guest(who, "cannot be imported", mend="; PYTHONPATH helps"):
        factory = getattr(importlib.import_module(path), attribute)
    with guest(who, f"{attribute} failed"):
        return factory(resolve(settings.weights)) if settings.weights else factory()


def checked_identity(generator: Generator, settings: GeneratorSettings) -> str:
    """The identity of an own generator as it is now. Raises UserError where it changed since it was handed over."""
    assert isinstance(generator, OwnGenerator)
    identity = generator.identity()
    if settings.weights.startswith(IN_MEMORY) and settings.weights != IN_MEMORY + identity:
        raise UserError(
            f"generator {settings.name!r} has changed since it was added: "
            f"call world.add_generator({settings.name!r}, module) again, and take the settings anew"
        )
    return identity


def out_of_range(low: float, high: float) -> str | None:
    """What is wrong with images of these smallest and largest values, in words; None where nothing is."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"returns images that are not finite (values from {low:.5g} to {high:.5g})"
    if low < -_LARGEST or high > _LARGEST:
        return f"returns values from {low:.5g} to {high:.5g}, but images are in [-1, 1]: scale them"
    return None


@torch.inference_mode()
def _check(generator: OwnGenerator) -> None:
    """A few images: shape, numbers, range, and that an image depends on its own z and class only."""
    device = next((t.device for t in [*generator.parameters(), *generator.buffers()]), torch.device("cpu"))
    uniforms = torch.rand(
        _CHECKED, generator.z_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).clamp_min(torch.finfo(torch.float64).tiny)
    classes = torch.linspace(0, generator.num_classes - 1, _CHECKED).long().to(device)

    def images(rows: slice) -> torch.Tensor:
        """In memory of their own, as are z and classes: the module may write into both."""
        return generator(z[rows].clone(), classes[rows].clone()).clone()

    with guest(generator.called, f"failed on z {[_CHECKED, generator.z_dim]} and class_index {[_CHECKED]}"):
        z = generator.latent(uniforms).to(device)
        first, again, fewer = images(slice(None)), images(slice(None)), images(slice(1))
        generator.scratch = scratch_of(generator.module, lambda: images(slice(1, None)))
    fault = out_of_range(float(first.min()), float(first.max()))
    if fault:
        raise GuestFault(generator.called, fault)
    if first.min() >= 0:
        said = f"{generator.called}: no value is below 0; images are in [-1, 1], not in [0, 1]"
        warnings.warn(said, stacklevel=5)
    if not torch.allclose(first, again, atol=1e-4, rtol=0):
        raise GuestFault(
            generator.called, "gives other images for the same z and class: all randomness must come from z"
        )
    if not torch.allclose(first[:1], fewer, atol=0.02, rtol=0):  # half precision may move the last bits
        raise GuestFault(
            generator.called, "makes an image that depends on its neighbours in the batch, e.g. by batch statistics"
        )
