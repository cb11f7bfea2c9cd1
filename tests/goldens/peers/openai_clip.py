"""OpenAI's CLIP: ViT-B/32 from an archive and from plain files, in half and in single precision, and its tokeniser."""

from __future__ import annotations

import importlib
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tests.goldens.golden import numbers
from tests.goldens.inputs import CAPTIONS, READ_OTHERWISE, SPOKEN, photographs
from tests.goldens.weights import state

COMPONENTS = 16  # of the embeddings' 512


def run(checkout: Path) -> dict[str, Any]:
    """The cases of a checkout.

    Of a file, `load` gives the state to `build_model`, which rounds the weights to half precision, as OpenAI's archives
    hold them, and on a CPU makes them single again. The archive goes through `load`; its way for plain files fails with
    PyTorch 2 (it reads on at their end), so their state goes to `build_model` from here. A file in single precision is
    also given to the class itself, unrounded.
    """
    warnings.simplefilter("ignore")  # that TorchScript is deprecated
    sys.path.insert(0, str(checkout))
    clip, module = importlib.import_module("clip"), importlib.import_module("clip.model")
    model = module.CLIP(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12).eval()
    model.load_state_dict(state({key: tuple(t.shape) for key, t in model.state_dict().items()}))
    cases = {"tokens": _tokens(clip), "fp32 state_dict, unrounded": _embeddings(clip, model)}
    cases["fp32 state_dict"] = _embeddings(clip, module.build_model(model.state_dict()).float())
    module.convert_weights(model)
    cases["fp16 state_dict"] = _embeddings(clip, module.build_model(model.state_dict()).float())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ViT-B-32.pt"
        example = torch.zeros(1, 3, 224, 224, dtype=torch.half), clip.tokenize(["a bird"])
        with torch.inference_mode():
            torch.jit.save(torch.jit.trace(model, example, check_trace=False), str(path))
        cases["archive"] = _embeddings(clip, clip.load(str(path), device="cpu")[0])
    return cases


def _tokens(clip: Any) -> dict[str, Any]:
    def rows(texts: Sequence[str]) -> list[list[int]]:
        return [[token for token in row if token] for row in clip.tokenize(list(texts), truncate=True).tolist()]

    return {
        "captions": rows(CAPTIONS),
        "read otherwise: the peer's own": rows(list(READ_OTHERWISE)),
        "read otherwise: as the project reads them": rows(list(READ_OTHERWISE.values())),
    }


@torch.inference_mode()
def _embeddings(clip: Any, model: Any) -> dict[str, Any]:
    prepare = importlib.import_module("clip.clip")._transform(model.visual.input_resolution)
    images, text = torch.stack([prepare(one) for one in photographs()]), clip.tokenize(list(SPOKEN))
    logits, _ = model(images, text)
    parts = {"image": model.encode_image(images), "text": model.encode_text(text)}
    unit = {name: part / part.norm(dim=1, keepdim=True) for name, part in parts.items()}
    return {name: numbers(part[:, :COMPONENTS]) for name, part in unit.items()} | {"logits": numbers(logits)}
