"""Checkpoints of other people's making: read as plain tensors or not at all, nothing in them is ever run."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.serialization import safe_globals

from zeroshot.errors import UserError
from zeroshot.limits import LARGEST_SIDE, LARGEST_WIDTH, LARGEST_Z
from zeroshot.models.biggan_library import BigGANConfig
from zeroshot.storage.json_files import read_json

WRAPPERS = ("module", "_orig_mod")  # what DistributedDataParallel and torch.compile put into keys
# NumPy's single numbers and names, such as the best FID beside a state_dict: what builds them, by its place in NumPy 1
# and in 2, and nothing else of NumPy.
NUMBERS: list[Any] = [
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *(np.dtype, *(type(np.dtype(kind)) for kind in "?bBhHiIlLqQefdgSU")),
]
BIGGAN_FILES = ("config.json", "pytorch_model.bin")  # as pytorch-pretrained-biggan's from_pretrained names them


def read_checkpoint(path: Path, error: type[Exception] = UserError) -> dict[str, torch.Tensor]:
    """Tensors of a checkpoint: safetensors by its suffix, anything else what torch.save wrote (zip or older format).

    Args:
        path: the file. It holds a state_dict, or a dictionary with one under "state_dict"; what else such a dictionary
            holds (optimiser, step, seed, NumPy's numbers: StudioGAN's) is left out.
        error: what is raised for a file that is missing or damaged.

    Returns:
        Key -> tensor on the CPU, floating point as float32; keys without the marks of DistributedDataParallel and
        torch.compile, wherever they stand.

    Raises:
        UserError: the file names code, or holds something that is not a tensor. Nothing of it was run.
    """
    if not path.is_file():
        raise error(f"checkpoint {path} is missing: give the path of a file")
    content = _read_safetensors(path, error) if path.suffix == ".safetensors" else _read_pickled(path, error)
    state = content.get("state_dict", content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not state:
        raise UserError(f"checkpoint {path} holds {_kind(state)}, but a dictionary of tensors is expected")
    tensors: dict[str, torch.Tensor] = {}
    for key, value in state.items():
        name = _key(key, path)
        if name in tensors:
            raise UserError(
                f"checkpoint {path} holds {name} twice, with and without a wrapper's mark: which one is meant?"
            )
        tensors[name] = plain_tensor(key, value, path)
    return tensors


def _read_safetensors(path: Path, error: type[Exception]) -> Any:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as reason:
        raise error(f"checkpoint {path} cannot be read ({_line(reason)}): get it again") from None


def _read_pickled(path: Path, error: type[Exception]) -> Any:
    if is_torchscript(path):
        raise UserError(f"checkpoint {path} is a TorchScript archive, which is a program: give a file of plain tensors")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols; what cannot be read is an error below
            with safe_globals(NUMBERS):
                return torch.load(path, map_location="cpu", weights_only=True, mmap=_can_be_mapped(path))
    except pickle.UnpicklingError as reason:
        named = re.search(r"GLOBAL (\S+)", str(reason)) or re.search(r"[Cc]lass '?([\w.]+\.\w+)", str(reason))
        if named:
            raise UserError(
                f"checkpoint {path} is refused: it names {named[1]}, which is no tensor; nothing of it was run. "
                "Give a file of plain tensors"
            ) from None
        raise error(f"checkpoint {path} is no file of plain tensors, or damaged: get it again") from None
    except Exception as reason:  # torch's readers raise whatever the first damaged byte leads to
        raise error(f"checkpoint {path} cannot be read ({_line(reason)}): it is damaged, get it again") from None


def is_torchscript(path: Path) -> bool:
    """Whether a file is an archive of torch.jit.save."""
    return any(name.rpartition("/")[2] == "constants.pkl" for name, _ in _members(path))


def _can_be_mapped(path: Path) -> bool:
    """Whether torch can map the file instead of reading it, which spares an optimiser's state from being read."""
    members = _members(path)
    return bool(members) and all(compression == zipfile.ZIP_STORED for _, compression in members)


def _members(path: Path) -> list[tuple[str, int]]:
    """Names and compressions in a zip file; empty for anything else."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [(member.filename, member.compress_type) for member in archive.infolist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def _key(key: object, path: Path) -> str:
    """A key as the model itself names it."""
    plain = [part for part in key.split(".") if part not in WRAPPERS] if isinstance(key, str) else []
    if not any(plain):
        raise UserError(f"checkpoint {path} has the key {key!r:.60}, but keys are names: it is no state_dict")
    return ".".join(plain)


def plain_tensor(key: object, value: object, path: Path) -> torch.Tensor:
    """The tensor in memory of its own: no longer bound to the file, and no larger than what the file holds."""
    if not isinstance(value, torch.Tensor):
        raise UserError(f"checkpoint {path} holds {_kind(value)} under {key}, but every value must be a tensor")
    dense = value.layout == torch.strided and not value.is_quantized and value.device.type == "cpu"
    if not dense or value.untyped_storage().nbytes() < value.numel() * value.element_size():
        raise UserError(f"checkpoint {path}: {key} {list(value.shape)} is not stored in full, so it is no plain tensor")
    value = value.detach().clone(memory_format=torch.contiguous_format)
    return value.float() if value.is_floating_point() else value


def load_biggan_folder(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """BigGANConfig's fields and the state of a folder as pytorch-pretrained-biggan's from_pretrained expects it.

    It holds config.json and pytorch_model.bin. Keys and shapes are compared when a BigGAN is built of them. Raises
    UserError where a file is missing or damaged or the configuration is none.
    """
    missing = [name for name in BIGGAN_FILES if not (folder / name).is_file()]
    if missing:
        raise UserError(f"BigGAN folder {folder} has no {' and no '.join(missing)}: it must hold both")
    return read_biggan_config(folder / BIGGAN_FILES[0]), read_checkpoint(folder / BIGGAN_FILES[1])


def read_biggan_config(path: Path) -> dict[str, Any]:
    """Fields of BigGANConfig from JSON, all of them, with values of a generator that can be built and called.

    Raises UserError that names the field.
    """
    try:
        config = read_json(path)
    except (OSError, ValueError) as reason:
        raise UserError(f"BigGAN configuration {path} cannot be read ({_line(reason)}): get it again") from None
    fields = set(BigGANConfig().to_dict())
    if not isinstance(config, dict) or set(config) != fields:
        names = ", ".join(sorted(set(config) ^ fields)) if isinstance(config, dict) else _kind(config)
        raise UserError(f"BigGAN configuration {path} must have exactly BigGANConfig's fields; at fault: {names:.200}")
    for name, value in config.items():
        allowed = _allowed(name, value)
        if allowed:
            raise UserError(
                f"BigGAN configuration {path}: {name} = {value!r:.80} is no value of BigGANConfig's {name}: {allowed}"
            )
    side = 4 * 2 ** sum(row[0] for row in config["layers"])
    if config["output_dim"] != side:
        raise UserError(
            f"BigGAN configuration {path}: output_dim = {config['output_dim']}, but its layers make images of {side} "
            "pixels a side"
        )
    return config


_BOUNDS = {
    "output_dim": (8, LARGEST_SIDE),
    "z_dim": (1, LARGEST_Z),
    "class_embed_dim": (1, LARGEST_Z),
    "channel_width": (8, LARGEST_WIDTH),  # of which attention takes an eighth
    "num_classes": (1, 1_000_000),
    "n_stats": (1, 10_000),
    "attention_layer_position": (-1, 64),  # -1: nowhere
}
_MOST_LAYERS = 64
_FIRST = 16  # of a BigGAN's layers, whose channels are in units of channel_width


def _allowed(name: str, value: object) -> str | None:
    """What a field may be, where this value is not among it."""
    if name == "layers":
        rows = value if isinstance(value, list) else []
        if not all(isinstance(row, list) and [type(x) for x in row] == [bool, int, int] for row in rows):
            return "allowed are lists of true or false and two numbers"
        widths = [_FIRST, *(row[2] for row in rows)]
        falling = all(a >= b >= 1 for a, b in pairwise(widths)) and [row[1] for row in rows] == widths[:-1]
        if falling and widths[-1] == 1 and len(rows) <= _MOST_LAYERS:
            return None
        return f"each of 1 to {_MOST_LAYERS} begins where the one before ends, from {_FIRST} down to 1"
    if name == "eps":
        return None if isinstance(value, float) and 0 < value < 1 else "allowed is a number above 0 and below 1"
    low, most = _BOUNDS[name]
    fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= most
    return None if fits else f"allowed is {low} to {most:,}"


def _kind(value: object) -> str:
    return "nothing" if isinstance(value, Mapping) and not value else f"a value of type {type(value).__name__}"


def _line(reason: Exception) -> str:
    """An error's first sentence on one line; torch's go on with advice to switch its protection off."""
    return re.split(r"\. |\n", str(reason), maxsplit=1)[0].strip()[:200] or type(reason).__name__
