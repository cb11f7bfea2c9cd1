"""CLIP through open_clip: sentences and images to unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import nn
from tqdm import tqdm

from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models.clip_checkpoints import model_by_tag, model_from_file
from zeroshot.models.clip_pictures import fit, plainly
from zeroshot.models.clip_text import Reader, Tokenizer, configured_tokenizer, simple_tokenizer
from zeroshot.models.generators.base import check_state
from zeroshot.models.identity import clip_identity, vocabulary_identity
from zeroshot.models.precision import arithmetic
from zeroshot.models.weights import load_tensors, state_sha256
from zeroshot.storage.json_files import read_json
from zeroshot.storage.paths import at_home
from zeroshot.storage.pins import sha256_of


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
        # How generated images are prepared: `zeroshot.settings.ProtocolSettings.clip_resize` and `clip_normalisation`.
        self.resize, self.normalises = "clip", True
        size = preprocess.size
        self.image_size = int(size if isinstance(size, int) else size[0])
        self._preprocess = preprocess
        self._picture = image_transform_v2(preprocess, is_train=False)
        # (x / 2 + 1/2 - mean) / std as one multiply-add, [3, 1, 1] each
        std = torch.tensor(preprocess.std, device=self.device)[:, None, None]
        self._scale = 0.5 / std
        self._shift = (0.5 - torch.tensor(preprocess.mean, device=self.device)[:, None, None]) / std
        self.reader = Reader(tokenizer)
        self.context_length = self.reader.context_length

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
                open_clip's pretrained tags, or a file, or a folder with a file that open_clip would find in it. What
                open_clip_config.json beside the file says is obeyed (`zeroshot.models.clip_config`).
            vocabulary: gzip file of byte-pair merges for open_clip's SimpleTokenizer; None: the model's own.
            device: where the model runs.
            dtype: number type of the model's weights; embeddings are float32 whatever it is.

        Raises:
            EnvironmentFailure: a file is missing, damaged or does not fit the model; the message names it.
            UserError: open_clip knows no such model, or no such tag of it; the activation of a tag or a configuration
                is not the model's, or the configuration's architecture; nothing says how pictures are prepared; a
                folder holds no weights; a file holds code.
        """
        if str(model).endswith(".json"):
            with torch.device("meta"):  # what does not fit is refused before memory is spent on it
                expected = _built(Path(model)).state_dict()
            state = check_state(expected, load_tensors(Path(weights)), str(weights))
            clip = cls.untrained(model, vocabulary=vocabulary)
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
        module: Any = _built(path)
        tokenizer = simple_tokenizer(module.context_length, vocabulary)
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
        tags, config = open_clip.list_pretrained_tags_by_model(name), None
        if weights and at_home(weights).exists():
            module: Any
            module, config = model_from_file(name, at_home(weights))
            preprocess = PreprocessCfg(size=module.visual.image_size, **config.preprocess)
        elif weights in tags:
            module = model_by_tag(name, weights)
            preprocess = PreprocessCfg(**module.visual.preprocess_cfg)
        else:
            raise UserError(f"CLIP weights {weights!r} for {name}: give a file, or one of {', '.join(tags) or 'none'}")
        folder = config.folder if config else None
        if vocabulary:
            tokenizer = simple_tokenizer(module.context_length, vocabulary)
        else:
            text = (config.model if config else open_clip.get_model_config(name))["text_cfg"]
            tokenizer = configured_tokenizer(text, folder)
        known, used = getattr(module, "vocab_size", 0), getattr(tokenizer, "vocab_size", 0)
        if known and used > known:
            raise UserError(
                f"the vocabulary of {weights} has {used:,} tokens, but the model knows {known:,}: give its own with "
                "clip.vocabulary"
            )
        identity = {"model": name, "vocabulary": vocabulary_identity(vocabulary)}
        if config is None:  # no file says what the weights are
            identity |= {"pretrained": weights, "weights": state_sha256(module.state_dict())}
        return cls(module, tokenizer, preprocess, identity | (config.identity if config else {}))

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

        Any text but one with half a character tokenises: what no reader sees is taken out (`zeroshot.data.text`) and
        CLIP's own markers are spelt out (`zeroshot.models.clip_text`); then open_clip repairs mojibake and opens HTML
        entities, letters become small, white space counts once, and words never seen in training fall into pieces, in
        the end into bytes. An empty text is its start and end alone.

        Returns:
            int64 [N, context_length], and for each text the index of the first character that is left out, wholly or
            in part, or None where nothing is. `text[:index + 1]` has the same tokens as the whole text.

        Raises:
            UserError: half a character (a surrogate).
        """
        return self.reader.tokenise(texts)

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str], batch_size: int = 256) -> torch.Tensor:
        """Unit vectors float32 [N, D] of texts, on the model's device; a progress bar where it takes long."""
        parts = []
        starts = range(0, max(len(texts), 1), batch_size)
        for start in tqdm(starts, desc="texts", unit="batch", leave=False, disable=None, delay=2):
            tokens = self.reader.tokens(texts[start : start + batch_size] or [""]).to(self.device)
            with arithmetic(self.precision):
                parts.append(F.normalize(self.model.encode_text(tokens).float(), dim=-1))
        return torch.cat(parts)[: len(texts)]

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Images float [N, 3, H, W] in [-1, 1] -> what the image tower takes [N, 3, S, S]: CLIP's own preprocessing.

        Anti-aliased resize, for most models of the shorter side with a centre crop (nothing where the size is right
        already), then the model's mean and standard deviation; less of both where the protocol says so.
        """
        return self.normalise(self.resized(images, self.image_size))

    def resized(self, images: torch.Tensor, side: int) -> torch.Tensor:
        """Images float [N, 3, H, W] in [-1, 1] -> [N, 3, side, side] as the protocol resizes them for CLIP."""
        return plainly(images, side) if self.resize == "bilinear" else fit(images, self._preprocess, side)

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


def _built(path: Path) -> nn.Module:
    """The open_clip model of a configuration file. Raises EnvironmentFailure where it is none that can be built."""
    try:
        fields = read_json(path)
        _check_bounds("", fields)
        return open_clip.CLIP(**fields)
    except Exception as error:  # open_clip and PyTorch raise whatever the first unusable number leads to
        said = " ".join(str(error).split())[:160] or type(error).__name__
        raise EnvironmentFailure(f"model configuration {path} cannot be used ({said}): restore it") from None


def _check_bounds(key: str, value: Any) -> None:
    """Raise ValueError for a number that no CLIP has, before a model is built of it."""
    most = 1000 if key == "layers" else 1_000_000
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else [(key, part) for part in value]:
            _check_bounds(name, part)
    elif isinstance(value, int) and value > most:
        raise ValueError(f"{key} = {value!s:.40}, but at most {most:,} is possible")
