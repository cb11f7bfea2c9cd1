"""A world in memory: labels, CLIP, generators, features, captions and photographs, each loaded when first used."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from zeroshot.cache import Cache
from zeroshot.clip import Clip
from zeroshot.data.base import CaptionedImages, caption_of, hash_order
from zeroshot.data.parquet import read_parquet
from zeroshot.engine import Engine
from zeroshot.errors import UserError
from zeroshot.generators.base import Generator
from zeroshot.generators.biggan import BigGAN
from zeroshot.generators.sagan import SAGAN
from zeroshot.labels import label_prompt, rank_labels, read_labels
from zeroshot.metrics.features import SmallFeatures
from zeroshot.search import Task
from zeroshot.settings import GeneratorSettings, RunSettings, default_run, world_parts
from zeroshot.weights import load_tensors, resolve, sha256_of

_PHOTO_BATCH = 64


def choose_device(name: str = "auto") -> torch.device:
    """auto: CUDA where there is one, else the CPU. Raises UserError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda") and not name.startswith("cuda:"):
        raise UserError(f"device = {name!r}, but allowed are auto, cpu, cuda and cuda:<number>")
    if name.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = name.partition(":")[2] or "0"
        if not index.isdecimal() or int(index) >= count:
            raise UserError(
                f"device = {name}, but this machine has {count} CUDA devices: give device=cpu or device=auto"
            )
    return torch.device(name)


class World:
    """The parts named by `settings`, on one device; what is constant is computed once and kept in `cache`."""

    def __init__(self, settings: RunSettings, device: str = "auto", cache: Path | None = None) -> None:
        self.settings = settings
        self.device = choose_device(device)
        self.cache = Cache(cache)
        self._generators: dict[str, Generator] = {}
        self._engines: dict[tuple[str, int], Engine] = {}

    @property
    def name(self) -> str:
        """`miniature` or `paper`."""
        return self.settings.world.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The 1,000 ImageNet labels, in the order of their class index."""
        return read_labels()

    @property
    def generator_names(self) -> tuple[str, ...]:
        """Names that `search` and `engine` take."""
        return tuple(world_parts(self.name).generators)

    @cached_property
    def clip(self) -> Clip:
        """The world's CLIP, in evaluation mode."""
        return load_clip(self.settings, self.device)

    def generator(self, settings: GeneratorSettings | str) -> Generator:
        """A generator in evaluation mode, by its settings or its name. Raises UserError for an unknown name."""
        if isinstance(settings, str):
            settings = default_run(self.name, settings).generator
        key = repr(settings)
        if key not in self._generators:
            self._generators[key] = load_generator(settings).to(self.device).eval()
        return self._generators[key]

    def engine(self, settings: GeneratorSettings | str, batch_size: int = 64) -> Engine:
        """Generator and CLIP in batches of one physical size."""
        generator = self.generator(settings)
        key = (repr(settings), batch_size)
        if key not in self._engines:
            self._engines[key] = Engine(generator, self.clip, batch_size)
        return self._engines[key]

    @cached_property
    def train(self) -> CaptionedImages:
        """Photographs and captions of the train split."""
        return self._read(self.settings.data.train)

    @cached_property
    def test(self) -> CaptionedImages:
        """Photographs and captions of the test split."""
        return self._read(self.settings.data.test)

    def _read(self, path: str) -> CaptionedImages:
        data = self.settings.data
        return read_parquet(resolve(path), image_id=data.image_id, image=data.image, captions=data.captions)

    @cached_property
    def label_embeddings(self) -> np.ndarray:
        """CLIP embeddings of the labels' prompts, unit vectors float32 [1000, D]."""
        prompts = [label_prompt(label, self.settings.world.label_prompt) for label in self.labels]
        return self.encode_texts("labels", prompts)

    def encode_texts(self, name: str, texts: list[str]) -> np.ndarray:
        """CLIP embeddings of texts, unit vectors float32 [n, D], cached under the texts and CLIP's identity."""
        key = {"clip": self.clip.identity, "texts": texts}
        return self.cache.get(name, key, lambda: self.clip.encode_text(texts).cpu().numpy())

    def rank(self, text_embeddings: np.ndarray) -> np.ndarray:
        """Class indices by descending similarity to each text: int64 [n, 1000]."""
        return rank_labels(torch.from_numpy(text_embeddings), torch.from_numpy(self.label_embeddings)).numpy()

    def tasks(self, image_ids: list[str], captions: list[str]) -> list[Task]:
        """What Algorithm 1 needs to know of each caption."""
        text = self.encode_texts("captions", captions)
        ranking = self.rank(text)
        return [Task(*row) for row in zip(image_ids, text, ranking, strict=True)]

    @cached_property
    def threshold(self) -> float:
        """Mean over the train split of a photograph's CLIP score with each of its captions."""
        counts = [len(captions) for captions in self.train.captions]
        key = {"clip": self.clip.identity, "train": sha256_of(resolve(self.settings.data.train))}

        def compute() -> np.ndarray:
            text = self.clip.encode_text([c for captions in self.train.captions for c in captions]).cpu().double()
            photographs = self._photographs(self.train, "threshold", self.clip.encode_pil).double()
            scores = (text * photographs.repeat_interleave(torch.tensor(counts), dim=0)).sum(dim=1)
            return scores.mean().numpy()

        return float(self.cache.get("threshold", key, compute))

    @cached_property
    def features(self) -> SmallFeatures:
        """The feature extractor of the Fréchet distance, in evaluation mode."""
        extractor = SmallFeatures()
        extractor.load_state_dict(load_tensors(resolve(self.settings.features.weights)))
        return extractor.to(self.device).to(memory_format=torch.channels_last).eval()

    @torch.inference_mode()
    def extract(self, images: np.ndarray) -> np.ndarray:
        """Features of pictures uint8 [n, S, S, 3]: float64 [n, dim]; photographs and generated images take this way."""
        parts = []
        for start in range(0, len(images), _PHOTO_BATCH):
            batch = torch.from_numpy(images[start : start + _PHOTO_BATCH]).to(self.device).permute(0, 3, 1, 2)
            parts.append(self.features(batch.float() / 127.5 - 1).double().cpu())
        return torch.cat(parts).numpy()

    @cached_property
    def test_features(self) -> np.ndarray:
        """Features of all test photographs, float64 [n, dim]."""
        data, features = self.settings.data, self.settings.features
        key = {"test": sha256_of(resolve(data.test)), "features": sha256_of(resolve(features.weights))}

        def prepare(pictures: list[Any]) -> torch.Tensor:
            side = (self.features.image_size, self.features.image_size)
            arrays = [np.asarray(p if p.size == side else p.resize(side)) for p in pictures]
            return torch.from_numpy(self.extract(np.stack(arrays)))

        return self.cache.get(
            "test-features", key, lambda: self._photographs(self.test, "photographs", prepare).numpy()
        )

    def _photographs(self, data: CaptionedImages, name: str, encode: Any) -> torch.Tensor:
        parts = []
        for start in tqdm(range(0, len(data), _PHOTO_BATCH), desc=name, unit="batch", leave=False, disable=None):
            pictures = [data.image(i) for i in range(start, min(start + _PHOTO_BATCH, len(data)))]
            parts.append(encode(pictures).cpu())
        return torch.cat(parts)

    def weights_sha256(self, generator: GeneratorSettings) -> dict[str, str]:
        """sha256 of every file that decides a run's numbers."""
        settings = self.settings
        paths = [
            generator.weights,
            generator.config,
            settings.clip.model,
            settings.clip.weights,
            settings.clip.vocabulary,
        ]
        paths += [settings.features.weights, settings.data.train, settings.data.test]
        return {path: sha256_of(resolve(path)) for path in paths if path}


def load_world(name: str = "miniature", *, device: str = "auto", cache: str | Path | None = None) -> World:
    """Load a world by name.

    Args:
        name: `miniature`.
        device: auto, cpu, cuda or cuda:<number>.
        cache: a folder in which embeddings are kept; None: nothing is written.

    Raises:
        UserError: unknown world or device.

    Example:
        >>> world = load_world("miniature", device="cpu")
        >>> len(world.labels)
        1000
    """
    generators = world_parts(name).generators
    return World(default_run(name, next(iter(generators))), device, None if cache is None else Path(cache))


def load_generator(settings: GeneratorSettings) -> Generator:
    """Build a generator and load its weights. Raises UserError for an unknown architecture."""
    state = load_tensors(resolve(settings.weights))
    if settings.architecture == "sagan":
        return SAGAN.from_state(
            state,
            image_size=settings.image_size,
            z_dim=settings.z_dim,
            g_conv_dim=settings.g_conv_dim,
            attention_after=settings.attention_after,
        )
    if settings.architecture == "biggan" and settings.config:
        config = json.loads(resolve(settings.config).read_text(encoding="utf-8"))
        return BigGAN(config, state, truncation=settings.truncation)
    raise UserError(
        f"architecture = {settings.architecture!r}, but allowed are sagan and biggan (which needs a config)"
    )


def load_clip(settings: RunSettings, device: torch.device) -> Clip:
    """The CLIP that the settings name."""
    clip = settings.clip
    vocabulary = resolve(clip.vocabulary) if clip.vocabulary else None
    return Clip.load(resolve(clip.model), resolve(clip.weights), vocabulary, device)


def chosen_captions(data: CaptionedImages, count: int) -> tuple[list[str], list[int], list[str]]:
    """The test images searched for and their one caption each: image ids, caption ids, captions.

    The images are the first `count` in the order of a hash of their id: a smaller number is a sample of a larger.
    """
    if not 1 <= count <= len(data):
        raise UserError(
            f"captions = {count}, but this world's test split has {len(data)} images: give 1 to {len(data)}"
        )
    rows = hash_order(data.image_ids)[:count]
    image_ids = [data.image_ids[i] for i in rows]
    caption_ids = [caption_of(data.image_ids[i], len(data.captions[i])) for i in rows]
    return image_ids, caption_ids, [data.captions[i][c] for i, c in zip(rows, caption_ids, strict=True)]
