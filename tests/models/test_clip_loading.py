"""Loading a CLIP: open_clip's models by name, and refusals that name the file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from tests.models.test_clip import CONFIG, VOCABULARY, norms, pictures, pin, random_state, tensors
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models.clip import Clip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A good weights file's bytes."""
    path = tmp_path_factory.mktemp("weights") / "clip.safetensors"
    save_file(random_state(), path)
    return path.read_bytes()


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"absent\.safetensors"):
        Clip.load(CONFIG, tmp_path / "absent.safetensors", VOCABULARY)


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty"])
@pytest.mark.parametrize("pinned", ["before", "after"])
def test_damaged_weights_are_refused(tmp_path: Path, whole: bytes, damage: str, pinned: str) -> None:
    path = tmp_path / "clip.safetensors"
    path.write_bytes(whole)
    if pinned == "before":
        pin(path)
    if damage == "flipped":  # in the header, so that the format is damaged too
        path.write_bytes(whole[:20] + bytes([whole[20] ^ 255]) + whole[21:])
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "truncated" else b"")
    if pinned == "after":
        pin(path)
    with pytest.raises(EnvironmentFailure, match=r"clip\.safetensors"):
        Clip.load(CONFIG, path, VOCABULARY)


def test_weights_of_another_model_are_refused_by_name(tmp_path: Path) -> None:
    state = random_state()
    path = tmp_path / "clip.safetensors"
    for change, pattern in (
        ({"ln_final.weight": None}, r"clip\.safetensors.*missing: ln_final\.weight"),
        ({"visual.extra": torch.zeros(1)}, r"unexpected: visual\.extra"),
        ({"text_projection": torch.zeros(128, 64)}, r"text_projection \[128, 64\] instead of \[128, 128\]"),
    ):
        save_file({name: t for name, t in (state | change).items() if t is not None}, path)
        pin(path)
        with pytest.raises(EnvironmentFailure, match=pattern):
            Clip.load(CONFIG, path, VOCABULARY)


@pytest.mark.parametrize("content", [None, b"{", b"[]", b'{"embed_dim": 8}', b'{"no": "such"}', b"\xff\xfe"])
def test_a_damaged_configuration_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentFailure, match=r"config\.json"):
        Clip.untrained(path, VOCABULARY)


@pytest.mark.parametrize(
    "content", [None, b"", b"plain text", VOCABULARY.read_bytes()[:500], gzip.compress(b"\xff", mtime=0)]
)
def test_a_damaged_vocabulary_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "merges.txt.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentFailure, match=r"merges\.txt\.gz"):
        Clip.untrained(CONFIG, path)


def test_a_vocabulary_of_another_size_is_refused_with_both_numbers(tmp_path: Path) -> None:
    path = tmp_path / "merges.txt.gz"
    path.write_bytes(gzip.compress(b"#header\na b"))
    with pytest.raises(EnvironmentFailure, match=r"vocab_size = 2514.*515 tokens"):
        Clip.untrained(CONFIG, path)


def test_a_model_of_open_clip_by_name_from_a_file(tmp_path: Path) -> None:
    name = "ViT-S-32-alt"
    path = tmp_path / "weights.safetensors"
    save_file(open_clip.create_model(name).state_dict(), path)
    clip = Clip.load(name, str(path))
    assert (clip.embed_dim, clip.image_size, clip.context_length) == (256, 224, 77)
    assert not clip.model.training
    assert clip.identity["model"] == name
    embeddings = torch.cat([clip.encode_text(["a bird"]), clip.encode_images(tensors(pictures(1, 64, 64)))])
    torch.testing.assert_close(norms(embeddings), torch.ones(2).double(), atol=1e-6, rtol=0)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(EnvironmentFailure, match=r"weights\.safetensors"):
        Clip.load(name, path)


def test_unknown_models_and_tags_are_refused() -> None:
    with pytest.raises(UserError, match="'ViT-Z-99'"):
        Clip.load("ViT-Z-99", "openai")
    with pytest.raises(UserError, match=r"'nobody'.*openai"):
        Clip.load("ViT-B-32", "nobody")


def test_the_configuration_is_json_that_open_clip_builds() -> None:
    fields = json.loads(CONFIG.read_text(encoding="utf-8"))
    assert open_clip.CLIP(**fields).visual.image_size == 64
