"""What a generator of one's own is: a sha256 of what it is made of, so that runs of another one are others."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch
from torch import nn

_OWN_FIELDS = frozenset(vars(nn.Module()))  # what PyTorch keeps in every module


def identity_of(module: nn.Module, scratch: Collection[str] = ()) -> str:
    """sha256 of what a module is made of: its tensors, plain attributes and the source of its classes.

    What `forward` reads from elsewhere (global variables, files) is not seen, nor are the attributes in `scratch`.
    """
    digest = hashlib.sha256()
    for path, part in module.named_modules(remove_duplicate=False):
        kind = type(part)
        digest.update(f"\n{path} {kind.__module__}.{kind.__qualname__} {getattr(part, 'code', '')}".encode())
        if _is_torchs(kind):  # its source goes with its version: its settings suffice
            digest.update(part.extra_repr().encode())
            continue
        for base in kind.__mro__:
            if base.__module__.partition(".")[0] not in ("torch", "builtins", "abc"):
                _add_all(digest.update, {k: v for k, v in vars(base).items() if callable(v) or not k.startswith("__")})
    _add_all(digest.update, {key: value for key, value in _attributes(module).items() if key not in scratch})
    _add_all(digest.update, dict(module.named_parameters(remove_duplicate=False)))
    return digest.hexdigest()


def scratch_of(module: nn.Module, call: Callable[[], object]) -> frozenset[str]:
    """Attributes and buffers that a call changes: a counter, memory for intermediate results."""

    def digests() -> dict[str, bytes]:
        found = {}
        for key, value in _attributes(module).items():
            digest = hashlib.sha256()
            _add(digest.update, value)
            found[key] = digest.digest()
        return found

    before = digests()
    call()
    after = digests()
    return frozenset(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _attributes(module: nn.Module) -> dict[str, Any]:
    """Plain attributes of the user's own modules, and all buffers, by their dotted names."""
    found = dict(module.named_buffers(remove_duplicate=False))
    for path, part in module.named_modules(remove_duplicate=False):
        if not _is_torchs(type(part)):
            found |= {f"{path}.{key}": value for key, value in vars(part).items() if key not in _OWN_FIELDS}
    return found


def _is_torchs(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "torch"


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
