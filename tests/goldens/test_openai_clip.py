"""CLIP ViT-B/32 against OpenAI's own class and tokeniser, from an archive as OpenAI's and from plain files."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
import torchvision.transforms.functional as TF
from torch import Tensor

from tests.goldens.golden import read
from tests.goldens.inputs import CAPTIONS, READ_OTHERWISE, SPOKEN, photographs
from tests.goldens.weights import state
from tests.models.test_clip_checkpoints import Archive
from zeroshot.models import clip_checkpoints
from zeroshot.models.clip import Clip
from zeroshot.models.clip_text import Reader

NAME = "ViT-B-32-quickgelu"
GOLDEN = read("openai_clip")
SINGLE = ("ln_", "embedding", "logit_scale")  # what stays in single precision in OpenAI's archives
# A component of a unit vector of 512 numbers is about 0.044, so that this is 5e-5 of one. Sums in another order move it
# by 2e-7, rounding the weights to half precision by 7e-5.
ATOL = 2e-6
SCALE = 100  # of the cosines in logits


def saved(folder: Path, kind: str) -> Path:
    """A file of the formula's weights; an archive's three numbers stand beside them."""
    with torch.device("meta"):
        model = clip_checkpoints.build(open_clip.get_model_config(NAME) or {})
    weights = state({key: tuple(t.shape) for key, t in model.state_dict().items()})
    if not kind.startswith("fp32"):
        weights = {k: t if any(part in k for part in SINGLE) else t.half() for k, t in weights.items()}
    path = folder / "ViT-B-32.pt"
    if kind != "archive":
        torch.save(weights, path)
        return path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated
        torch.jit.save(torch.jit.trace(Archive(weights), torch.ones(1)), path)
    return path


def compare(clip: Clip, golden: dict[str, Any]) -> None:
    """Embeddings of texts, of photographs and of a tensor as generators make it, and the logits of all."""
    pictures = photographs()
    image, text = clip.encode_pil(pictures), clip.encode_text(SPOKEN)
    tensor = clip.encode_images(TF.to_tensor(pictures[0])[None] * 2 - 1)  # has CLIP's side already
    for ours, theirs in ((image, golden["image"]), (tensor, golden["image"][:1]), (text, golden["text"])):
        torch.testing.assert_close(ours[:, : len(theirs[0])], torch.tensor(theirs), atol=ATOL, rtol=0)
    logits = clip.logit_scale * image @ text.T
    torch.testing.assert_close(logits, torch.tensor(golden["logits"]), atol=SCALE * ATOL, rtol=0)


@pytest.mark.parametrize(
    ("kind", "golden"),
    [
        ("archive", "archive"),
        pytest.param("fp16 state_dict", "fp16 state_dict", marks=pytest.mark.slow),
        pytest.param("fp32 state_dict", "fp32 state_dict, unrounded", marks=pytest.mark.slow),
    ],
)
def test_clip_gives_openais_embeddings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, golden: str) -> None:
    path = saved(tmp_path, kind)
    pin = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name}
    monkeypatch.setattr(clip_checkpoints, "OPENAI_ARCHIVES", pin)
    compare(Clip.load(NAME, path), GOLDEN[golden])


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(open_clip.get_tokenizer(NAME))


def ids(reader: Reader, text: str) -> list[int]:
    (row,), _ = reader.tokenise([text])
    return [token for token in row.tolist() if token]  # 0 fills the row


@pytest.mark.parametrize("number", range(len(CAPTIONS)))
def test_odd_captions_have_openais_tokens(reader: Reader, number: int) -> None:
    assert ids(reader, CAPTIONS[number]) == GOLDEN["tokens"]["captions"][number]


@pytest.mark.parametrize("number", range(len(READ_OTHERWISE)))
def test_what_is_read_otherwise_on_purpose(reader: Reader, number: int) -> None:
    ours = ids(reader, list(READ_OTHERWISE)[number])
    assert ours == GOLDEN["tokens"]["read otherwise: as the project reads them"][number]
    assert ours != GOLDEN["tokens"]["read otherwise: the peer's own"][number]


def test_rounding_to_half_precision_is_seen() -> None:
    """OpenAI's loader rounds a file in single precision too, where the project computes with what the file holds."""
    rounded, unrounded = (Tensor(GOLDEN[kind]["text"]) for kind in ("fp32 state_dict", "fp32 state_dict, unrounded"))
    assert (rounded - unrounded).abs().max() > 10 * ATOL
    assert GOLDEN["fp32 state_dict"] == GOLDEN["fp16 state_dict"] == GOLDEN["archive"]
