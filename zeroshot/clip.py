"""CLIP through open_clip: sentences and images to unit vectors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.tokenizer import SimpleTokenizer
from PIL import Image
from torch import nn
from torchvision.transforms.v2 import functional as TF

from zeroshot.errors import EnvironmentFailure
from zeroshot.generators.base import check_state
from zeroshot.weights import load_tensors, sha256_of


class Clip:
    """An open_clip model in evaluation mode with its tokeniser and its preprocessing.

    Args:
        model: an open_clip.CLIP.
        tokenizer: open_clip's SimpleTokenizer with the model's context length.
        image_size: pixels a side that the image tower takes.
        identity: what its embeddings depend on (model, weights, vocabulary), for cache keys and reports.
    """

    def __init__(self, model: nn.Module, tokenizer: SimpleTokenizer, image_size: int, identity: dict[str, Any]) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.image_size, self.identity = image_size, identity
        self.context_length = int(tokenizer.context_length)
        device = model.logit_scale.device
        self._mean = torch.tensor(OPENAI_DATASET_MEAN, device=device)[:, None, None]
        self._std = torch.tensor(OPENAI_DATASET_STD, device=device)[:, None, None]

    @classmethod
    def load(cls, config: Path, weights: Path, vocabulary: Path | None, device: torch.device) -> Clip:
        """A CLIP from an open_clip model configuration (JSON), a safetensors file and a vocabulary of merges.

        Raises EnvironmentFailure for files that are missing, damaged or do not fit, naming them.
        """
        clip = cls.untrained(config, vocabulary, device)
        state = load_tensors(weights)
        check_state({key: value.shape for key, value in clip.model.state_dict().items()}, state, str(weights))
        clip.model.load_state_dict(state)
        clip.model.eval().requires_grad_(False)
        clip.identity |= {"weights": sha256_of(weights)}
        return clip

    @classmethod
    def untrained(cls, config: Path, vocabulary: Path | None, device: torch.device) -> Clip:
        """The same model with random weights, in training mode: where the training recipe starts."""
        fields = json.loads(config.read_text(encoding="utf-8"))
        context_length = fields["text_cfg"]["context_length"]
        try:
            extra = {"bpe_path": str(vocabulary)} if vocabulary else {}
            tokenizer = SimpleTokenizer(context_length=context_length, **extra)
        except OSError as error:
            raise EnvironmentFailure(f"vocabulary {vocabulary} cannot be read ({error})") from None
        model = open_clip.CLIP(**fields).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        identity = {"model": config.stem, "config": sha256_of(config)}
        if vocabulary:
            identity["vocabulary"] = sha256_of(vocabulary)
        return cls(model, tokenizer, fields["vision_cfg"]["image_size"], identity)

    @property
    def embed_dim(self) -> int:
        """Dimension D of the embeddings."""
        return int(self.model.text_projection.shape[1])

    @property
    def logit_scale(self) -> float:
        """The learnt inverse temperature of CLIP's similarities; scores here are plain cosines and do not use it."""
        return float(self.model.logit_scale.exp())

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.logit_scale.device

    def tokenise(self, texts: Sequence[str]) -> tuple[torch.Tensor, list[int | None]]:
        """Tokens int64 [N, context_length], and for each text the character before which it was cut, or None."""
        tokens = self.tokenizer(list(texts))
        return tokens, [self._cut(text) for text in texts]

    def _cut(self, text: str) -> int | None:
        room = self.context_length - 2  # start and end
        if len(text.encode()) <= room or len(self.tokenizer.encode(text)) <= room:
            return None
        low, high = 0, len(text)  # the longest beginning that fits
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if len(self.tokenizer.encode(text[:middle])) <= room else (low, middle - 1)
        return low

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str], batch_size: int = 256) -> torch.Tensor:
        """Unit vectors float32 [N, D] on the model's device."""
        parts = [torch.empty(0, self.embed_dim, device=self.device)]
        for start in range(0, len(texts), batch_size):
            tokens = self.tokenizer(list(texts[start : start + batch_size])).to(self.device)
            parts.append(F.normalize(self.model.encode_text(tokens).float(), dim=-1))
        return torch.cat(parts)

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Images [N, 3, H, W] in [-1, 1] -> what the image tower takes [N, 3, S, S]: CLIP's own preprocessing.

        Bicubic, anti-aliased resize of the shorter side, centre crop, CLIP's mean and standard deviation.
        """
        images = images.float() * 0.5 + 0.5
        if images.shape[-2:] != (self.image_size, self.image_size):
            images = TF.resize(images, [self.image_size], TF.InterpolationMode.BICUBIC, antialias=True)
            images = TF.center_crop(images, [self.image_size]).clamp(0, 1)
        return ((images - self._mean) / self._std).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def encode_images(self, images: torch.Tensor) -> torch.Tensor:
        """Unit vectors float32 [N, D] of images [N, 3, H, W] in [-1, 1] on the model's device."""
        return F.normalize(self.model.encode_image(self.prepare(images)).float(), dim=-1)

    def encode_pil(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        """Unit vectors float32 [N, D] of RGB pictures of any size."""
        parts = [TF.pil_to_tensor(picture.convert("RGB")).float() / 127.5 - 1 for picture in pictures]
        same = len({part.shape for part in parts}) == 1
        if same:
            return self.encode_images(torch.stack(parts).to(self.device))
        return torch.cat([self.encode_images(part[None].to(self.device)) for part in parts])
