"""A generator of one's own: imported or handed over, checked once, and known by what it is made of."""

from __future__ import annotations

import copy
import hashlib
import importlib
import inspect
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from zeroshot.errors import UserError
from zeroshot.models.generators.base import Generator
from zeroshot.settings import IN_MEMORY, GeneratorSettings
from zeroshot.storage.paths import resolve

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_CHECKED = 4  # images generated to check a generator
_OWN_FIELDS = frozenset(vars(nn.Module()))  # what PyTorch keeps in every module


class OwnGenerator(Generator):
    """Any module with `z_dim`, `num_classes`, `image_size` and `forward(z, class_index)` behind the usual interface.

    Its own `latent` is used where it has one. Making it generates a few images and checks them.

    Args:
        module: images float [N, 3, image_size, image_size] in [-1, 1] from z float32 [N, z_dim] and class_index
            int64 [N]; in evaluation mode, deterministic, each image independent of its neighbours in a batch.
        name: what runs and tables call it: small letters, digits, - and _.
        classes: how many labels the world has; the module must have as many.

    Raises:
        UserError: one of these does not hold.
    """

    def __init__(self, module: nn.Module, name: str, classes: int) -> None:
        super().__init__()
        self.name = name
        if not _NAME.fullmatch(name):
            raise UserError(f"generator {name!r}: a name is made of small letters, digits, - and _, e.g. my-gan")
        if not isinstance(module, nn.Module):
            raise UserError(f"generator {name!r} is a {type(module).__name__}, but it must be a torch.nn.Module")
        for key in ("z_dim", "num_classes", "image_size"):
            value = getattr(module, key, None)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"generator {name!r} has {key} = {value!r}, but a number of 1 or more is needed")
            setattr(self, key, value)
        if self.num_classes != classes:
            raise UserError(f"generator {name!r} has num_classes = {self.num_classes}, but this world has {classes:,}")
        training = [path or "the module" for path, part in module.named_modules() if part.training]
        if training:
            raise UserError(f"generator {name!r} is in training mode ({training[0]}): call .eval() on it first")
        self.module = module
        self.autocast: torch.dtype | None = None
        self.eval()
        _check(self)

    def latent(self, uniforms: torch.Tensor) -> torch.Tensor:
        """The module's own `latent`, else N(0, I): float64 [N, z_dim] in (0, 1) -> float32 [N, z_dim]."""
        own = getattr(self.module, "latent", None)
        return own(uniforms) if callable(own) else super().latent(uniforms)

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
        """Images float32 [N, 3, image_size, image_size]."""
        with torch.autocast(z.device.type, self.autocast, enabled=self.autocast is not None):
            return self.module(z, class_index).float()

    def settings(self) -> GeneratorSettings:
        """What a run's settings say of a generator that was handed over: its class and its identity."""
        kind = type(self.module)
        architecture, weights = f"{kind.__module__}:{kind.__qualname__}", IN_MEMORY + identity_of(self.module)
        return GeneratorSettings(self.name, architecture, weights, self.image_size, self.z_dim)


def load_own(settings: GeneratorSettings, classes: int) -> OwnGenerator:
    """Import and call `package.module:factory`, with the path of the weights if one is given; put into evaluation mode.

    Raises UserError where that fails, or where the generator was handed over in another program.
    """
    what = f"generator.architecture = {settings.architecture!r}"
    if settings.weights.startswith(IN_MEMORY):
        raise UserError(
            f"generator {settings.name!r} ({settings.architecture}) was handed over in Python and is not here: "
            f"call world.add_generator({settings.name!r}, module) with the very same one first"
        )
    path, _, attribute = settings.architecture.partition(":")
    try:
        factory = getattr(importlib.import_module(path), attribute)
    except Exception as error:  # importing runs the user's code: anything may happen
        raise UserError(f"{what} cannot be imported ({type(error).__name__}: {error}); PYTHONPATH helps") from error
    try:
        module = factory(resolve(settings.weights)) if settings.weights else factory()
    except Exception as error:
        raise UserError(f"{what}: {attribute} failed ({type(error).__name__}: {error})") from error
    own = OwnGenerator(module.eval() if isinstance(module, nn.Module) else module, settings.name, classes)
    for key, given in (("image_size", settings.image_size), ("z_dim", settings.z_dim)):
        if given and given != getattr(own, key):
            raise UserError(f"generator.{key} = {given}, but {settings.architecture} has {getattr(own, key)}")
    return own


def checked_identity(generator: Generator, settings: GeneratorSettings) -> str:
    """The identity of an own generator as it is now. Raises UserError where it changed since it was handed over."""
    assert isinstance(generator, OwnGenerator)
    identity = identity_of(generator.module)
    if settings.weights.startswith(IN_MEMORY) and settings.weights != IN_MEMORY + identity:
        raise UserError(
            f"generator {settings.name!r} has changed since it was added: "
            f"call world.add_generator({settings.name!r}, module) again, and take the settings anew"
        )
    return identity


@torch.inference_mode()
def _check(generator: OwnGenerator) -> None:
    """A few images: shape, numbers, range, and that an image depends on its own z and class only."""
    what, size = f"generator {generator.name!r}", generator.image_size
    device = next((t.device for t in [*generator.parameters(), *generator.buffers()]), torch.device("cpu"))
    uniforms = torch.rand(
        _CHECKED, generator.z_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).clamp_min(torch.finfo(torch.float64).tiny)
    classes = torch.linspace(0, generator.num_classes - 1, _CHECKED).long().to(device)
    try:
        z = generator.latent(uniforms).to(device)
        raw = generator.module(z, classes)
        again, fewer = generator.module(z, classes), generator.module(z[:1], classes[:1])
    except Exception as error:  # the user's code: anything may happen
        raise UserError(
            f"{what} failed on z {[_CHECKED, generator.z_dim]} and class_index {[_CHECKED]} "
            f"({type(error).__name__}: {error})"
        ) from error
    if not isinstance(raw, torch.Tensor) or not raw.is_floating_point():
        given = raw.dtype if isinstance(raw, torch.Tensor) else type(raw).__name__
        raise UserError(f"{what} returns {given}, but a floating-point tensor is needed")
    expected = [_CHECKED, 3, size, size]
    if list(raw.shape) != expected:
        raise UserError(f"{what} returns images of shape {list(raw.shape)}, but {expected} is needed")
    if not raw.isfinite().all():
        raise UserError(f"{what} returns images that are not finite (NaN or infinity)")
    low, high = float(raw.min()), float(raw.max())
    if low < -1.001 or high > 1.001:
        raise UserError(f"{what} returns values from {low:.3g} to {high:.3g}, but images are in [-1, 1]: scale them")
    if low >= 0:
        warnings.warn(f"{what}: no value is below 0; images are in [-1, 1], not in [0, 1]", stacklevel=4)
    if not torch.allclose(raw, again, atol=1e-4, rtol=0):
        raise UserError(f"{what} gives other images for the same z and class: all randomness must come from z")
    if not torch.allclose(raw[:1], fewer, atol=0.02, rtol=0):  # half precision may move the last bits
        raise UserError(f"{what}: an image depends on its neighbours in the batch, e.g. by batch statistics")


def identity_of(module: nn.Module) -> str:
    """sha256 of what a module is made of: its tensors, plain attributes and the source of its classes.

    What `forward` reads from elsewhere (global variables, files) is not seen.
    """
    digest = hashlib.sha256()
    for path, part in module.named_modules(remove_duplicate=False):
        kind = type(part)
        digest.update(f"\n{path} {kind.__module__}.{kind.__qualname__} {getattr(part, 'code', '')}".encode())
        if kind.__module__.partition(".")[0] == "torch":  # its source goes with its version: its settings suffice
            digest.update(part.extra_repr().encode())
            continue
        for base in kind.__mro__:
            if base.__module__.partition(".")[0] not in ("torch", "builtins", "abc"):
                _add_all(digest.update, {k: v for k, v in vars(base).items() if callable(v) or not k.startswith("__")})
        _add_all(digest.update, {key: value for key, value in vars(part).items() if key not in _OWN_FIELDS})
    _add_all(digest.update, dict(module.named_parameters(remove_duplicate=False)))
    _add_all(digest.update, dict(module.named_buffers(remove_duplicate=False)))
    return digest.hexdigest()


def _add_all(add: Callable[[bytes], None], values: dict[str, Any]) -> None:
    for key in sorted(values):
        add(f"\n{key} ".encode())
        _add(add, values[key])


def _add(add: Callable[[bytes], None], value: Any) -> None:
    """The bytes of one attribute; of an object without a stable text only its class."""
    value = getattr(value, "__func__", getattr(value, "fget", value))  # methods, properties
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        add(f"{value.dtype} {list(value.shape)}".encode())
        add(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(value, np.ndarray):
        add(f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, dict):
        _add_all(add, {str(key): item for key, item in value.items()})
    elif isinstance(value, list | tuple):
        _add_all(add, {f"{place:09d}": item for place, item in enumerate(value)})
    elif inspect.isfunction(value):
        add(_source(value).encode())
    else:
        text = repr(value)
        add((type(value).__qualname__ if " at 0x" in text else text).encode())


def _source(function: Callable[..., Any]) -> str:
    """A function's source, or what it was compiled to where there is none."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        code = function.__code__
        constants = [item for item in code.co_consts if not inspect.iscode(item)]
        return f"{code.co_code.hex()} {constants} {code.co_names}"
