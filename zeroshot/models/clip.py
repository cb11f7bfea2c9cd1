"""CLIP through open_clip: sentences and images to unit vectors."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import open_clip
import torch
import torch.nn.functional as F
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import nn
from torchvision.transforms.v2 import functional as TF
from tqdm import tqdm

from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models.clip_checkpoints import model_by_tag, model_from_file
from zeroshot.models.generators.base import check_state
from zeroshot.models.identity import clip_identity, vocabulary_identity
from zeroshot.models.precision import arithmetic
from zeroshot.models.weights import load_tensors
from zeroshot.storage.pins import sha256_of


class Tokenizer(Protocol):
    """Any of open_clip's tokenisers: texts in, tokens int64 [N, context_length] out, cut and padded."""

    def __call__(self, texts: list[str]) -> torch.Tensor: ...


class Clip:
    """An open_clip model with its tokeniser and its preprocessing. Build it with `load` or `untrained`.

    Args:
        model: an open_clip model; its device and number type are used as they are.
        tokenizer: open_clip's tokeniser for it.
        preprocess: size, mean, standard deviation and resize of the pictures that it was trained on.
        identity: what its embeddings depend on (model, weights, vocabulary, precision), for cache keys and reports.
    """

    def __init__(
        self, model: nn.Module, tokenizer: Tokenizer, preprocess: PreprocessCfg, identity: dict[str, Any]
    ) -> None:
        self.model: Any = model  # open_clip.CLIP or CustomTextCLIP: what nn.Module does not tell a type checker
        self.tokenizer, self.identity = tokenizer, identity
        self.precision = "fp32"  # on CUDA: whether fp32 arithmetic is tf32's, see zeroshot/models/precision.py
        self.normalises = True  # False: generated images go in as they are in [-1, 1], as in the authors' released code
        size = preprocess.size
        self.image_size = int(size if isinstance(size, int) else size[0])
        self._preprocess = preprocess
        self._picture = image_transform_v2(preprocess, is_train=False)
        # (x / 2 + 1/2 - mean) / std as one multiply-add, [3, 1, 1] each
        std = torch.tensor(preprocess.std, device=self.device)[:, None, None]
        self._scale = 0.5 / std
        self._shift = (0.5 - torch.tensor(preprocess.mean, device=self.device)[:, None, None]) / std
        empty = tokenizer([""])[0]
        self.context_length, self._padding = len(empty), int(empty[-1])

    @classmethod
    def load(
        cls,
        model: str | Path,
        weights: str | Path,
        vocabulary: str | Path | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Clip:
        """A trained CLIP in evaluation mode.

        Args:
            model: an open_clip model configuration (a path that ends in .json), or the name of an open_clip model.
            weights: for a configuration a safetensors file whose sha256 is pinned beside it; for a name one of
                open_clip's pretrained tags, or a file, or a folder with a file that open_clip would find in it.
            vocabulary: gzip file of byte-pair merges for open_clip's SimpleTokenizer; None: the model's own.
            device: where the model runs.
            dtype: number type of the model's weights; embeddings are float32 whatever it is.

        Raises:
            EnvironmentFailure: a file is missing, damaged or does not fit the model; the message names it.
            UserError: open_clip knows no such model, or no such tag of it; the tag's activation is not the model's; a
                folder holds no weights; a file holds code.
        """
        if str(model).endswith(".json"):
            clip = cls.untrained(model, vocabulary=vocabulary)
            state = load_tensors(Path(weights))
            check_state({key: value.shape for key, value in clip.model.state_dict().items()}, state, str(weights))
            clip.model.load_state_dict(state)
        else:
            clip = cls._pretrained(str(model), str(weights), vocabulary)
        numbers = str(dtype).removeprefix("torch.")
        clip.identity |= clip_identity(model, weights, vocabulary, numbers) or {"precision": numbers}
        module = clip.model.to(device, dtype, memory_format=torch.channels_last).eval().requires_grad_(False)
        return cls(module, clip.tokenizer, clip._preprocess, clip.identity)

    @classmethod
    def untrained(
        cls, model: str | Path, vocabulary: str | Path | None = None, device: torch.device | str = "cpu"
    ) -> Clip:
        """The model of a configuration file with random weights, in training mode: where a training recipe starts.

        Raises EnvironmentFailure where the configuration or the vocabulary is missing, damaged or does not fit.
        """
        path = Path(model)
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            module = open_clip.CLIP(**fields)
        except (OSError, ValueError, TypeError) as error:
            raise EnvironmentFailure(f"model configuration {path} cannot be used ({error}): restore it") from None
        tokenizer = _simple_tokenizer(module.context_length, vocabulary)
        if tokenizer.vocab_size != module.vocab_size:
            raise EnvironmentFailure(
                f"{path} has vocab_size = {module.vocab_size}, but the vocabulary {vocabulary or 'of open_clip'} "
                f"has {tokenizer.vocab_size} tokens"
            )
        identity = {"model": path.stem, "config": sha256_of(path), "vocabulary": vocabulary_identity(vocabulary)}
        module = module.to(device, memory_format=torch.channels_last)
        return cls(module, tokenizer, PreprocessCfg(size=module.visual.image_size), identity)

    @classmethod
    def _pretrained(cls, name: str, weights: str, vocabulary: str | Path | None) -> Clip:
        """One of open_clip's own models, on the CPU."""
        if name not in open_clip.list_models():
            raise UserError(f"CLIP model {name!r} is unknown: give a .json file or a name of open_clip.list_models()")
        tags = open_clip.list_pretrained_tags_by_model(name)
        is_file = bool(weights) and Path(weights).expanduser().exists()
        if is_file:
            module: Any = model_from_file(name, Path(weights).expanduser())
        elif weights in tags:
            module = model_by_tag(name, weights)
        else:
            raise UserError(f"CLIP weights {weights!r} for {name}: give a file, or one of {', '.join(tags) or 'none'}")
        tokenizer = (
            _simple_tokenizer(module.context_length, vocabulary) if vocabulary else open_clip.get_tokenizer(name)
        )
        identity = {"model": name, "vocabulary": vocabulary_identity(vocabulary)}
        if not is_file:  # which would say what they are
            identity |= {"pretrained": weights, "weights": _state_sha256(module)}
        return cls(module, tokenizer, PreprocessCfg(**module.visual.preprocess_cfg), identity)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.logit_scale.device

    @property
    def dtype(self) -> torch.dtype:
        """Number type of the model's weights."""
        return self.model.logit_scale.dtype

    @property
    def logit_scale(self) -> float:
        """The learnt inverse temperature of CLIP's similarities; scores here are plain cosines and do not use it."""
        return float(self.model.logit_scale.exp())

    @cached_property
    def embed_dim(self) -> int:
        """Dimension D of the embeddings."""
        return self.encode_text([""]).shape[1]

    def tokenise(self, texts: Sequence[str]) -> tuple[torch.Tensor, list[int | None]]:
        """Tokens of texts, and where the context cut them.

        Any text tokenises: it is lower-cased, white space counts once, and words never seen in training fall into
        pieces, in the end into bytes. An empty text is its start and end alone.

        Returns:
            int64 [N, context_length], and for each text the index of the first character that is left out, or None
            where nothing is. `text[:index]` has the same tokens as the whole text.
        """
        tokens = self.tokenizer(list(texts))
        full = (tokens[:, -1] != self._padding).tolist()
        return tokens, [self._cut(text, row) if f else None for text, row, f in zip(texts, tokens, full, strict=True)]

    def _cut(self, text: str, row: torch.Tensor) -> int | None:
        """Length of the shortest beginning of `text` with the tokens `row`; None if it is the whole text."""
        length = len(text.rstrip())

        def enough(end: int) -> bool:
            return torch.equal(self.tokenizer([text[:end]])[0], row)

        high = self.context_length
        while high < length and not enough(high):
            high *= 2  # a text may be far longer than what is kept of it
        low, high = high // 2, min(high, length)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle + 1, high)
        return low if low < length else None

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str], batch_size: int = 256) -> torch.Tensor:
        """Unit vectors float32 [N, D] of texts, on the model's device; a progress bar where it takes long."""
        parts = []
        starts = range(0, max(len(texts), 1), batch_size)
        for start in tqdm(starts, desc="texts", unit="batch", leave=False, disable=None, delay=2):
            tokens = self.tokenizer([*texts[start : start + batch_size]] or [""]).to(self.device)
            with arithmetic(self.precision):
                parts.append(F.normalize(self.model.encode_text(tokens).float(), dim=-1))
        return torch.cat(parts)[: len(texts)]

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Images float [N, 3, H, W] in [-1, 1] -> what the image tower takes [N, 3, S, S]: CLIP's own preprocessing.

        Anti-aliased resize of the shorter side and centre crop (nothing where the size is right already), cut to the
        range of a picture, as a picture's bytes would be, then CLIP's mean and standard deviation.
        """
        side = self.image_size
        if images.shape[-2:] != (side, side):
            target = [side, side] if self._preprocess.resize_mode == "squash" else [side]
            mode = TF.InterpolationMode(self._preprocess.interpolation)
            images = TF.resize(images.float(), target, mode, antialias=True).clamp(-1, 1)
            images = TF.center_crop(images, [side, side])  # [N, 3, S, S]
        return self.normalise(images)

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Images [N, 3, S, S] in [-1, 1] -> [0, 1] -> CLIP's mean and standard deviation; S is the tower's already."""
        if not self.normalises:
            return images.to(self.dtype).contiguous(memory_format=torch.channels_last)
        images = torch.addcmul(self._shift, images.float(), self._scale)
        return images.to(self.dtype).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def encode_images(self, images: torch.Tensor) -> torch.Tensor:
        """Unit vectors float32 [N, D] of images [N, 3, H, W] in [-1, 1] on the model's device."""
        return self.forward(images)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`encode_images` for torch.compile, which cannot trace what is in inference mode."""
        return F.normalize(self.model.encode_image(self.prepare(images)).float(), dim=-1)

    @torch.inference_mode()
    def encode_prepared(self, images: torch.Tensor) -> torch.Tensor:
        """Unit vectors float32 [N, D] of images [N, 3, S, S] that the image tower takes as they are."""
        images = images.to(self.dtype).contiguous(memory_format=torch.channels_last)
        return F.normalize(self.model.encode_image(images).float(), dim=-1)

    @torch.inference_mode()
    def encode_pil(self, pictures: Sequence[Image.Image], batch_size: int = 256) -> torch.Tensor:
        """Unit vectors float32 [N, D] of pictures of any size, prepared by open_clip's own transform for the model."""
        parts = [torch.empty(0, self.embed_dim, device=self.device)]
        for start in range(0, len(pictures), batch_size):
            batch = torch.stack([self._picture(p.convert("RGB")) for p in pictures[start : start + batch_size]])
            batch = batch.to(self.device, self.dtype, memory_format=torch.channels_last)  # [n, 3, S, S]
            with arithmetic(self.precision):
                parts.append(F.normalize(self.model.encode_image(batch).float(), dim=-1))
        return torch.cat(parts)


def _simple_tokenizer(context_length: int, vocabulary: str | Path | None) -> SimpleTokenizer:
    try:
        if vocabulary is None:
            return SimpleTokenizer(context_length=context_length)
        return SimpleTokenizer(bpe_path=str(vocabulary), context_length=context_length)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise EnvironmentFailure(f"vocabulary {vocabulary} cannot be read ({error}): restore it") from None


def _state_sha256(module: nn.Module) -> str:
    """Hexadecimal sha256 over the names and bytes of a model's tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
