"""Checkpoints of other people: plain tensors are read, anything else is refused and never run."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models.checkpoints import read_checkpoint

TENSORS = OrderedDict(weight=torch.arange(600.0).view(20, 30), half=torch.ones(3).half(), steps=torch.tensor(7))


def legacy(content: object, path: Path) -> None:
    """The format of torch.save before 1.6, in which pytorch-fid's and BigGAN's files are."""
    torch.save(content, path, _use_new_zipfile_serialization=False)


def compressed(content: object, path: Path) -> None:
    """torch.save's archive, packed again by an ordinary zip tool: what must not be mapped into memory."""
    torch.save(content, path.with_suffix(".stored"))
    with zipfile.ZipFile(path.with_suffix(".stored")) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))


WRITERS: list[Callable[[Any, Path], None]] = [torch.save, legacy, compressed]


def refused(path: Path, message: str) -> None:
    """read_checkpoint refuses the file in one line that names it and gives no advice to switch protection off."""
    with pytest.raises(UserError, match=message) as caught:
        read_checkpoint(path)
    text = str(caught.value)
    assert str(path) in text and "\n" not in text and "weights_only" not in text and len(text) < len(str(path)) + 250


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("wrapped", [False, True])
def test_plain_tensors_are_read_in_every_format(tmp_path: Path, write: Callable, wrapped: bool) -> None:
    path = tmp_path / "file.pth"
    write({"state_dict": TENSORS, "step": 3, "run_name": "SAGAN", "ada_p": None} if wrapped else TENSORS, path)
    state = read_checkpoint(path)
    assert list(state) == list(TENSORS)
    assert all(torch.equal(state[key], TENSORS[key].to(state[key].dtype)) for key in TENSORS)
    assert (state["half"].dtype, state["steps"].dtype) == (torch.float32, torch.int64)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("place", ["core", "_core"])
@pytest.mark.parametrize(
    "number", [np.float64(34.7), np.float32(1), np.int64(920_000), np.bool_(True), np.str_("best")]
)
def test_numpys_numbers_beside_a_state_are_left_out(
    tmp_path: Path, write: Callable, place: str, number: np.generic, monkeypatch: pytest.MonkeyPatch
) -> None:
    scalar = np.float64(0).__reduce__()[0]
    monkeypatch.setattr(scalar, "__module__", f"numpy.{place}.multiarray", raising=False)
    path = tmp_path / "file.pth"
    write({"state_dict": TENSORS, "best_fid": number, "best": {"step": [number]}}, path)
    assert list(read_checkpoint(path)) == list(TENSORS)


@pytest.mark.parametrize("key", ["module.{}", "_orig_mod.{}", "module._orig_mod.module.{}", "net._orig_mod.{}"])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_the_marks_of_wrappers_are_left_out_of_keys(tmp_path: Path, key: str, suffix: str) -> None:
    path = tmp_path / f"file.{suffix}"
    marked = {key.format(name): tensor for name, tensor in TENSORS.items()}
    torch.save(marked, path) if suffix == "pth" else save_file(marked, path)
    expected = {f"{'net.' * key.startswith('net')}{name}" for name in TENSORS}
    assert set(read_checkpoint(path)) == expected


def test_safetensors_are_read_by_suffix(tmp_path: Path) -> None:
    save_file(dict(TENSORS), tmp_path / "file.safetensors")
    state = read_checkpoint(tmp_path / "file.safetensors")
    assert torch.equal(state["weight"], TENSORS["weight"]) and state["half"].dtype == torch.float32


def test_what_was_read_does_not_change_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    torch.save({"a": torch.ones(100_000)}, path)
    state = read_checkpoint(path)
    path.write_bytes(b"")  # a mapped tensor would now end the process
    assert state["a"].sum() == 100_000


class Runs:
    """Names os.system in a pickle; whoever unpickles it makes a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.proof}",)


def plain_pickle(protocol: int) -> Callable[[Any, Path], None]:
    def write(content: object, path: Path) -> None:
        path.write_bytes(pickle.dumps(content, protocol=protocol))

    return write


@pytest.mark.parametrize("write", [*WRITERS, *(plain_pickle(protocol) for protocol in (0, 2, 3, 4, 5))])
@pytest.mark.parametrize("place", ["beside", "inside", "alone"])
def test_a_file_that_names_os_system_is_refused_and_nothing_runs(tmp_path: Path, write: Callable, place: str) -> None:
    path, proof = tmp_path / "file.pth", tmp_path / "proof"
    evil = Runs(proof)
    whole = {"beside": {"state_dict": dict(TENSORS), "x": evil}, "inside": {"state_dict": {"x": evil}}, "alone": evil}
    write(whole[place], path)
    refused(path, r"names \S+, which is no tensor; nothing of it was run|no file of plain tensors")
    assert not proof.exists()
    with path.open("rb") as file:  # the attack is a real one
        if write not in WRITERS:
            pickle.load(file)
            assert proof.exists()


def test_torch_saves_attack_is_a_real_one_too(tmp_path: Path) -> None:
    torch.save(Runs(tmp_path / "proof"), tmp_path / "file.pth")
    torch.load(tmp_path / "file.pth", weights_only=False)
    assert (tmp_path / "proof").exists()


@pytest.mark.parametrize("name", ["file.pth", "file.bin", "file.safetensors"])
def test_a_missing_file_or_a_folder_is_said_to_be_missing(tmp_path: Path, name: str) -> None:
    refused(tmp_path / name, "is missing")
    (tmp_path / name).mkdir()
    refused(tmp_path / name, "is missing")


@pytest.mark.parametrize("kept", [0, 1, 20, 1000, -1, -200])
@pytest.mark.parametrize("write", [torch.save, legacy, lambda content, path: save_file(dict(content), path)])
def test_a_truncated_file_is_refused(tmp_path: Path, write: Callable, kept: int) -> None:
    path = tmp_path / ("file.pth" if write in WRITERS else "file.safetensors")
    write(TENSORS, path)
    path.write_bytes(path.read_bytes()[:kept])
    refused(path, "get it again")
    with pytest.raises(EnvironmentFailure, match="get it again"):
        read_checkpoint(path, EnvironmentFailure)


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><title>Quota exceeded</title>", b"\x80", b"PK\x03\x04", b"\n" * 99]
)
@pytest.mark.parametrize("name", ["file.pth", "file.safetensors"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, "get it again")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": torch.ones(2), "b": 3}, r"holds a value of type int under b, but every value must be a tensor"),
        ({"a": {"b": torch.ones(2)}}, "holds a value of type dict under a"),
        ({"state_dict": {"a": [torch.ones(2)]}}, "holds a value of type list under a"),
        ({"state_dict": torch.ones(2)}, "holds a value of type Tensor, but a dictionary"),
        (torch.ones(2), "holds a value of type Tensor, but a dictionary"),
        ([torch.ones(2)], "holds a value of type list, but a dictionary"),
        ({}, "holds nothing, but a dictionary"),
        ({"state_dict": {}, "step": 3}, "holds nothing, but a dictionary"),
        ({3: torch.ones(2)}, "has the key 3"),
        ({"a": torch.zeros(1).expand(10**13)}, r"a \[10000000000000\] is not stored in full"),
        ({"a": torch.eye(2).to_sparse()}, "a .* is not stored in full|cannot be read"),
        ({"a": np.float64(3)}, "holds a value of type float64 under a"),
        ({"a": torch.ones(2), "module.a": torch.ones(2)}, "holds a twice, with and without a wrapper's mark"),
        ({"module": torch.ones(2)}, "has the key 'module'"),
        ({"state_dict": TENSORS, "x": np.ones(3)}, r"names numpy\S*\._reconstruct, which is no tensor"),
        (
            {"state_dict": TENSORS, "x": np.datetime64("2021-02-11")},
            r"names numpy\.dtypes\.DateTime64DType, which is no tensor",
        ),
        ({"a": nn.Linear(1, 1)}, r"names torch\.nn\.modules\.linear\.Linear, which is no tensor"),
    ],
)
@pytest.mark.parametrize("write", [torch.save, legacy])
def test_what_is_not_a_plain_tensor_is_refused(tmp_path: Path, write: Callable, content: object, message: str) -> None:
    write(content, tmp_path / "file.pth")
    refused(tmp_path / "file.pth", message)
