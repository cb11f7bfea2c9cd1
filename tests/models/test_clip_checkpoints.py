"""CLIP's weights from tags, files, folders and OpenAI's archive: full size, and refusals."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import open_clip
import pytest
import torch
from torch import nn

from tests.models.test_checkpoints import Runs, refused
from tests.models.test_clip import pictures, tensors
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models import clip_checkpoints
from zeroshot.models.checkpoints import is_torchscript
from zeroshot.models.clip import Clip
from zeroshot.models.clip_checkpoints import CLIP_FILES, OPENAI_ARCHIVES, read_clip_checkpoint

NAME = "ViT-B-32-quickgelu"
SENTENCES = ["this bird has a yellow belly and black wings", "An image of jay"]


@pytest.fixture(scope="module")
def direct() -> nn.Module:
    """CLIP ViT-B/32 at full size with random weights."""
    torch.manual_seed(0)
    return open_clip.create_model(NAME, pretrained=None).eval()


def compare(clip: Clip, direct: nn.Module) -> None:
    """Texts and images have the direct model's embeddings."""
    assert (clip.embed_dim, clip.image_size, clip.context_length) == (512, 224, 77) and not clip.model.training
    images = tensors(pictures(2, 224, 224))
    with torch.inference_mode():
        text = direct.encode_text(open_clip.get_tokenizer(NAME)(SENTENCES), normalize=True)  # type: ignore[operator]
        image = direct.encode_image(clip.prepare(images), normalize=True)  # type: ignore[operator]
    torch.testing.assert_close(clip.encode_text(SENTENCES), text, atol=1e-6, rtol=0)
    torch.testing.assert_close(clip.encode_images(images), image, atol=1e-6, rtol=0)
    assert (text[0] - text[1]).abs().max() > 1e-3


@pytest.mark.parametrize("place", [pytest.param("file", marks=pytest.mark.slow), "folder"])
def test_clip_at_full_size_from_a_file_or_a_folder(tmp_path: Path, direct: nn.Module, place: str) -> None:
    path = tmp_path / ("vit_b_32.pt" if place == "file" else "open_clip_pytorch_model.bin")
    state = direct.state_dict()
    parallel = {f"module.{key}": tensor for key, tensor in state.items()}  # as open_clip's training saves
    torch.save({"epoch": 32, "name": "run", "state_dict": parallel} if place == "file" else state, path)
    if place == "folder":
        torch.save({}, tmp_path / "optimizer.bin")
    compare(Clip.load(NAME, path if place == "file" else tmp_path), direct)


class Archive(nn.Module):
    """Stands for OpenAI's model: the keys of its state, half precision, three numbers beside them."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__()
        for key, tensor in state.items():
            *modules, name = key.split(".")
            place: nn.Module = self
            for module in modules:
                if module not in dict(place.named_children()):
                    place.add_module(module, nn.Module())
                place = place.get_submodule(module)
            place.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
        for name, number in (("input_resolution", 224), ("context_length", 77), ("vocab_size", 49408)):
            self.register_buffer(name, torch.tensor(number))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image


@pytest.fixture(scope="module")
def archive(direct: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TorchScript archive as OpenAI's ViT-B-32.pt is one, at full size; the direct model has its rounded weights."""
    rounded = {k: t.half() if t.ndim > 1 and "embedding" not in k else t for k, t in direct.state_dict().items()}
    direct.load_state_dict(rounded)
    path = tmp_path_factory.mktemp("openai") / "ViT-B-32.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated
        torch.jit.save(torch.jit.trace(Archive(rounded), torch.ones(1)), path)
    return path


def never(*args: object, **kwargs: object) -> None:
    raise AssertionError("torch.jit.load was called")


def test_an_unknown_torchscript_archive_is_refused_unopened(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.jit, "load", never)
    assert is_torchscript(archive)
    refused(archive, "TorchScript archive, which is a program")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(UserError, match=rf"its sha256 {digest} is not that of OpenAI's ViT-B-32\.pt") as caught:
        Clip.load(NAME, archive)
    assert "\n" not in str(caught.value)


def test_openais_archive_is_opened_when_its_sha256_matches(
    archive: Path, direct: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = {hashlib.sha256(archive.read_bytes()).hexdigest(): "ViT-B-32.pt"}
    monkeypatch.setattr(clip_checkpoints, "OPENAI_ARCHIVES", pin)
    state = read_clip_checkpoint(archive)
    assert not {"input_resolution", "context_length", "vocab_size"} & set(state)
    assert all(tensor.dtype == torch.float32 for tensor in state.values())
    compare(Clip.load(NAME, archive), direct)
    with pytest.raises(UserError, match=r"needs QuickGELU, which ViT-B-32 lacks: give clip\.model=ViT-B-32-quickgelu"):
        Clip.load("ViT-B-32", archive)


def test_the_pins_are_those_in_openais_addresses() -> None:
    for digest, file in OPENAI_ARCHIVES.items():
        name = file.removesuffix(".pt").removesuffix("px")
        assert f"/{digest}/{file}" in open_clip.get_pretrained_url(name, "openai")
    assert OPENAI_ARCHIVES["40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"] == "ViT-B-32.pt"


def test_a_model_without_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"CLIP weights '' for {NAME}: give a file, or one of .*openai"):
        Clip.load(NAME, "")
    (tmp_path / "open_clip_config.json").write_text("{}")
    with pytest.raises(UserError, match=f"holds no weights: it must have one of {CLIP_FILES[0]}"):
        Clip.load(NAME, tmp_path)
    with pytest.raises(UserError, match="'None'"):
        Clip.load(NAME, "None")


def test_weights_trained_with_another_activation_are_refused() -> None:
    with pytest.raises(UserError, match=r"'openai' need QuickGELU, which ViT-B-32 lacks: .*=ViT-B-32-quickgelu"):
        Clip.load("ViT-B-32", "openai")


def test_a_tag_is_loaded_with_weights_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def create_model(name: str, **options: object) -> None:
        seen.update(options, name=name)
        raise RuntimeError("no network\nat all")

    monkeypatch.setattr(open_clip, "create_model", create_model)
    with pytest.raises(EnvironmentFailure, match=f"weights openai of {NAME} cannot be loaded: no network at all"):
        Clip.load(NAME, "openai")
    assert seen == {"name": NAME, "pretrained": "openai", "require_pretrained": True}


def test_a_clip_file_that_names_os_system_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    torch.save({"state_dict": Runs(tmp_path / "proof")}, tmp_path / "clip.pt")
    with pytest.raises(UserError, match=r"posix\.system"):
        Clip.load(NAME, tmp_path / "clip.pt")
    assert not (tmp_path / "proof").exists()


def test_a_clip_file_of_another_size_does_not_fit(tmp_path: Path) -> None:
    torch.save(open_clip.create_model("ViT-S-32-alt").state_dict(), tmp_path / "clip.pt")
    with pytest.raises(EnvironmentFailure, match=r"clip\.pt does not fit: missing: .*mis-shaped: .* instead of"):
        Clip.load(NAME, tmp_path / "clip.pt")
