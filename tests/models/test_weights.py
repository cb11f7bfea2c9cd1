from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from zeroshot.errors import EnvironmentFailure
from zeroshot.models.weights import describe, load_tensors
from zeroshot.storage.paths import resolve
from zeroshot.storage.pins import PINS, pinned_sha256, sha256_of
from zeroshot.worlds.parts import WORLDS


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.arange(4.0).half(), "n": torch.tensor([3])}, path, metadata={"seed": "0"})
    (tmp_path / PINS).write_text(f"{sha256_of(path)}  {path.name}\n")
    return path


def test_pinned_tensors_load_as_fp32(weights: Path) -> None:
    tensors = load_tensors(weights)
    assert tensors["a"].dtype == torch.float32 and tensors["a"].tolist() == [0, 1, 2, 3]
    assert tensors["n"].dtype == torch.int64 and describe(weights) == {"seed": "0"}


@pytest.mark.parametrize("position", [0, 9, -1])
def test_one_flipped_bit_is_found_and_the_file_named(weights: Path, position: int) -> None:
    content = bytearray(weights.read_bytes())
    content[position] ^= 4
    weights.write_bytes(content)
    with pytest.raises(EnvironmentFailure, match=f"checksum mismatch: {weights}"):
        load_tensors(weights)


def test_missing_truncated_and_unpinned_files_are_refused(weights: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"other\.safetensors cannot be read"):
        load_tensors(weights.with_name("other.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(EnvironmentFailure, match="checksum mismatch"):
        load_tensors(weights)
    with pytest.raises(EnvironmentFailure, match="cannot be read"):
        load_tensors(weights, sha256_of(weights))
    (weights.parent / PINS).unlink()
    with pytest.raises(EnvironmentFailure, match="no sha256 is pinned"):
        load_tensors(weights)


def test_the_miniatures_weights_say_how_they_were_made() -> None:
    parts = WORLDS["miniature"]
    paths = [parts.clip.weights, parts.features.weights, *(g.weights for g in parts.generators.values())]
    assert sum(resolve(path).stat().st_size for path in paths) < 25e6
    for path in map(resolve, paths):
        assert pinned_sha256(path) == sha256_of(path)
        made = describe(path)
        assert made["stage"] == path.stem and made["seed"] == "0" and "steps" in made["configuration"]
        # -dirty: there were changes that were not committed when the stage began (docs/miniature.md).
        assert re.fullmatch("[0-9a-f]{40}(-dirty)?", made["recipe_commit"])
