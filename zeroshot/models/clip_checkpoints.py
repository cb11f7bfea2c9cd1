"""CLIP's checkpoints: open_clip's by tag, anybody's from a file or a folder, OpenAI's own archives by their sha256."""

from __future__ import annotations

import copy
import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import convert_to_custom_text_state_dict
from torch import nn

from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models.checkpoints import is_torchscript, plain_tensor, read_checkpoint
from zeroshot.models.clip_config import ClipConfig, config_of
from zeroshot.models.generators.base import check_state

# open_clip's names of a folder's weights, and Hugging Face's, in the order in which open_clip prefers them.
CLIP_FILES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
# OpenAI's TorchScript archives, by the sha256 that is a part of their download addresses.
OPENAI_ARCHIVES = {
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af": "ViT-B-32.pt",
    "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f": "ViT-B-16.pt",
    "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836": "ViT-L-14.pt",
    "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02": "ViT-L-14-336px.pt",
}
TRANSFORMERS_KEYS = ("text_model.", "vision_model.")
OPENAI_SIZES = ("input_resolution", "context_length", "vocab_size")  # numbers beside the weights in those archives


def model_by_tag(name: str, tag: str) -> nn.Module:
    """An open_clip model with the weights that open_clip downloads, or finds in its cache, for a tag."""
    if open_clip.get_pretrained_cfg(name, tag).get("quick_gelu") and not _has_quick_gelu(name):
        # open_clip only warns and goes on with another activation than the weights were trained with.
        raise UserError(f"CLIP weights {tag!r} need QuickGELU, which {name} lacks: give clip.model={name}-quickgelu")
    try:
        return open_clip.create_model(name, pretrained=tag, require_pretrained=True)
    except Exception as error:  # the network, the disk, torch's and safetensors' own errors
        reason = " ".join(str(error).split())[:300]
        raise EnvironmentFailure(f"weights {tag} of {name} cannot be loaded: {reason}") from error


def model_from_file(name: str, path: Path) -> tuple[nn.Module, ClipConfig]:
    """A model with the weights of a file or a folder, every key and shape checked, built as the configuration beside
    them says; without one, as open_clip's model of that name is."""
    path = clip_file(path)
    config = config_of(name, path)
    state = read_clip_checkpoint(path, EnvironmentFailure)
    if _is_archive(path) and not config.model.get("quick_gelu"):
        raise UserError(f"{path} is OpenAI's and needs QuickGELU, which {name} lacks: give clip.model={name}-quickgelu")
    if any(key.startswith(TRANSFORMERS_KEYS) for key in state):
        raise UserError(
            f"{path} is in the layout of transformers ({TRANSFORMERS_KEYS[0]}…), not in open_clip's: give a file of "
            f"open_clip for the same model, often {CLIP_FILES[0]}, or one of its tags"
        )
    module = build(config.model)
    expected = module.state_dict()
    if "positional_embedding" in state and "text.positional_embedding" in expected:
        state = convert_to_custom_text_state_dict(state)
    for key in ("logit_scale", "logit_bias"):  # a number in some checkpoints, a vector of one in others
        if key in state and key in expected and state[key].numel() == expected[key].numel():
            state[key] = state[key].reshape(expected[key].shape)
    module.load_state_dict(check_state(expected, state, str(path)))
    return module, config


def build(model: dict[str, Any]) -> nn.Module:
    """The model of a model_cfg, with random weights. Raises EnvironmentFailure where open_clip cannot build it."""
    fields = copy.deepcopy(model)
    custom = fields.pop("custom_text", False) or "hf_model_name" in fields["text_cfg"]
    fields["vision_cfg"]["timm_model_pretrained"] = fields["text_cfg"]["hf_model_pretrained"] = False  # no downloads
    kind = open_clip.CLIP if not custom else open_clip.CoCa if "multimodal_cfg" in fields else open_clip.CustomTextCLIP
    try:
        return kind(**fields)
    except Exception as error:  # a package is missing, or two of its numbers do not go together
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise EnvironmentFailure(f"open_clip cannot build this CLIP ({reason}): mend its configuration") from None


def _has_quick_gelu(name: str) -> bool:
    return bool((open_clip.get_model_config(name) or {}).get("quick_gelu"))


def _is_archive(path: Path) -> bool:
    return path.suffix != ".safetensors" and is_torchscript(path)


def clip_file(path: Path) -> Path:
    """The file itself, or the first of CLIP_FILES in a folder. Raises UserError for a folder without weights."""
    if not path.is_dir():
        return path
    for name in CLIP_FILES:
        if (path / name).is_file():
            return path / name
    raise UserError(f"CLIP folder {path} holds no weights: it must have one of {', '.join(CLIP_FILES)}")


def read_clip_checkpoint(path: Path, error: type[Exception] = UserError) -> dict[str, torch.Tensor]:
    """State of a CLIP in open_clip's keys, from a file.

    Files of plain tensors are read as read_checkpoint does. A TorchScript archive is a program: it is opened only if
    it is, byte for byte, one of OpenAI's own. `error` is raised for what is missing or damaged, UserError for what is
    refused.
    """
    if not _is_archive(path):
        return read_checkpoint(path, error)
    content = path.read_bytes()  # hashed and opened from the same memory: the file cannot change in between
    digest = hashlib.sha256(content).hexdigest()
    if digest not in OPENAI_ARCHIVES:
        raise UserError(
            f"CLIP weights {path} are a TorchScript archive, which is a program, and its sha256 {digest} is not "
            f"that of OpenAI's {', '.join(OPENAI_ARCHIVES.values())}: refused; give safetensors or a state_dict"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated
        state = torch.jit.load(io.BytesIO(content), map_location="cpu").state_dict()
    return {key: plain_tensor(key, tensor, path) for key, tensor in state.items() if key not in OPENAI_SIZES}
