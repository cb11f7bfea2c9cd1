"""A world in memory: labels, CLIP, generators, features, captions and photographs, each loaded when first used."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot.errors import UserError
from zeroshot.limits import check_batch_size, check_device_name
from zeroshot.progress import doing
from zeroshot.settings import GeneratorSettings, RunSettings
from zeroshot.storage.cache import Cache
from zeroshot.storage.paths import resolve
from zeroshot.worlds import sources
from zeroshot.worlds.finite import check_rows
from zeroshot.worlds.labels import read_labels
from zeroshot.worlds.parts import world_parts
from zeroshot.worlds.protocols import Searched, label_prompts, searched
from zeroshot.worlds.rankings import read_rankings
from zeroshot.worlds.splits import load_split, split_identity

if TYPE_CHECKING:  # much of a world is known without its models, whose libraries take seconds to import
    import torch
    from torch import nn

    from zeroshot.data.base import CaptionedImages
    from zeroshot.metrics.features import FeatureExtractor
    from zeroshot.models.clip import Clip
    from zeroshot.models.generators.base import Generator
    from zeroshot.searching.algorithm1 import Task
    from zeroshot.searching.engine import Engine
    from zeroshot.strategy_settings import StartSettings
    from zeroshot.worlds.models import Models


class World:
    """The parts named by `settings`, on one device; what is constant is computed once and kept in `cache`."""

    def __init__(self, settings: RunSettings, device: str = "auto", cache: Path | None = None) -> None:
        check_device_name(device)
        self.settings = settings
        self._wanted_device = device
        self.cache = Cache(cache)
        self._own: dict[str, GeneratorSettings] = {}  # handed over in Python
        self.made: dict[str, Any] = {}  # networks of strategies, where the cache keeps nothing

    @cached_property
    def models(self) -> Models:
        """What computes. Raises UserError for a device that this machine lacks."""
        with doing("loading PyTorch and open_clip"):
            from zeroshot.worlds.models import Models
        return Models(self.settings, self._wanted_device)

    @property
    def device(self) -> torch.device:
        """Where the models run."""
        return self.models.device

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
        return (*world_parts(self.name).generators, *self._own)

    def add_generator(self, name: str, module: nn.Module) -> GeneratorSettings:
        """Let `search`, `evaluate` and `run` use a generator of one's own under a name; a name can be given again.

        Args:
            name: small letters, digits, - and _; not that of one of the world's own.
            module: see `zeroshot.models.generators.own.OwnGenerator`; it is moved to the world's device.

        Returns:
            its settings, for `zeroshot.runs.run.run`. They hold a sha256 of its tensors and source, so that the runs of
            a changed generator lie elsewhere.

        Raises:
            UserError: the name is taken, or a check of a few images fails.
        """
        if name in world_parts(self.name).generators:
            raise UserError(f"generator {name!r} is one of this world's own: give another name")
        self._own[name] = self.models.add_own(name, module)
        return self._own[name]

    def generator_settings(self, name: str) -> GeneratorSettings:
        """The settings of a generator by its name. Raises UserError for an unknown one."""
        if name not in self.generator_names:
            raise UserError(f"generator = {name!r}, but world {self.name!r} has {', '.join(self.generator_names)}")
        return self._own[name] if name in self._own else world_parts(self.name).generators[name]

    @property
    def clip(self) -> Clip:
        """The world's CLIP, in evaluation mode."""
        return self.models.clip

    @cached_property
    def clip_identity(self) -> dict[str, Any]:
        """What CLIP's embeddings depend on, for cache keys; told from its files where they are known."""
        return sources.clip_identity(self.settings.clip, self.clip_precision) or self.clip.identity

    @property
    def clip_precision(self) -> str:
        """The settings' precision, or what the protocol makes of it on this device (`Models.clip_precision`)."""
        asked = self.settings.protocol.clip_half_on_gpu and self._wanted_device != "cpu"
        return self.models.clip_precision if asked else self.settings.precision

    @cached_property
    def rankings(self) -> dict[str, np.ndarray] | None:
        """Class indices, best first, by image id, int64 [1000] each, where the protocol names a file of them."""
        path = self.settings.protocol.rankings
        return read_rankings(resolve(path), self.test.image_ids) if path else None

    @property
    def rankings_sha256(self) -> dict[str, str]:
        """sha256 of the file of rankings that the protocol names; empty where it names none."""
        path = self.settings.protocol.rankings
        return {path: sources.checked_sha256(path)} if path else {}

    def searched(self, settings: RunSettings) -> list[Searched]:
        """The test images that a run searches for. Raises UserError as `zeroshot.worlds.protocols.searched`."""
        protocol, captions = settings.protocol, settings.captions
        return searched(self.test, protocol, captions, settings.b_max, settings.seed, self.rankings)

    @property
    def features(self) -> FeatureExtractor:
        """The feature extractor of the Fréchet distance, in evaluation mode."""
        return self.models.features

    def generator(self, settings: GeneratorSettings | str) -> Generator:
        """A generator in evaluation mode, by its settings or its name. Raises UserError for an unknown name."""
        return self.models.generator(self.generator_settings(settings) if isinstance(settings, str) else settings)

    def engine(self, settings: GeneratorSettings | str, batch_size: int | str = 64) -> Engine:
        """Generator and CLIP in batches of one physical size, in the world's precision; `auto` finds the size."""
        if isinstance(settings, str):
            settings = self.generator_settings(settings)
        return self.models.engine(settings, self.physical_batch(settings, batch_size))

    def physical_batch(self, settings: GeneratorSettings, batch_size: int | str) -> int:
        """The number that a batch size stands for: `auto` is found by trying, once for a device, models and precision,
        and remembered in the cache."""
        check_batch_size(batch_size)
        if isinstance(batch_size, int):
            return batch_size
        key = {
            "device": self.models.device_name,
            "generator": dataclasses.asdict(settings),
            "weights": self.generator_sha256(settings),
            "clip": self.clip_identity,
            "precision": self.settings.precision,
            "compile": self.settings.compile,
        }
        return int(self.cache.get("batch-size", key, lambda: np.array(self.models.best_batch(settings))))

    @cached_property
    def train(self) -> CaptionedImages:
        """Photographs and captions of the train split."""
        return load_split(self.settings.data, "train")

    @cached_property
    def test(self) -> CaptionedImages:
        """Photographs and captions of the test split."""
        return load_split(self.settings.data, "test")

    @cached_property
    def label_embeddings(self) -> np.ndarray:
        """CLIP embeddings of the labels' prompts, unit vectors float32 [1000, D]."""
        return self.encode_texts("labels", label_prompts(self.settings.protocol))

    def encode_texts(self, name: str, texts: list[str]) -> np.ndarray:
        """CLIP embeddings of texts, unit vectors float32 [n, D], cached under the texts and CLIP's identity."""
        key = {"clip": self.clip_identity, "texts": texts}

        def compute() -> np.ndarray:
            size = self._references.TEXTS
            with self.cache.parts(key) as rows:
                made = rows(name, len(texts), size, lambda a, b: self.clip.encode_text(texts[a:b]).cpu().numpy())
            return check_rows(made, lambda row: f"CLIP's vector of {texts[row]!r}")

        return self.cache.get(name, key, compute)

    def rank(self, text_embeddings: np.ndarray) -> np.ndarray:
        """Class indices by descending similarity to each text: int64 [n, 1000]."""
        import torch

        from zeroshot.searching.algorithm1 import rank_labels

        return rank_labels(torch.from_numpy(text_embeddings), torch.from_numpy(self.label_embeddings)).numpy()

    def tasks(self, images: list[Searched], start: StartSettings | None = None) -> list[Task]:
        """What Algorithm 1 needs to know of each test image searched for; its labels drawn as `start` says."""
        from zeroshot.searching.algorithm1 import Task
        from zeroshot.searching.strategies.softmax import drawn_by

        text = self.encode_texts("captions", [caption for image in images for caption in image.captions])
        ranking = self.rank(text)
        stops = np.cumsum([len(image.captions) for image in images])
        parts = zip(images, np.split(text, stops[:-1]), np.split(ranking, stops[:-1]), strict=True)
        tasks = [
            Task(i.image_id, t, r if i.ranking is None else i.ranking[None], i.caption, i.ranked_by, i.ranked)
            for i, t, r in parts
        ]
        return drawn_by(tasks, start, self.label_embeddings)

    @cached_property
    def train_scores(self) -> np.ndarray:
        """`zeroshot.worlds.references.train_scores` of the train split, float64 [pairs]."""
        key = self._threshold_key

        def compute() -> np.ndarray:
            with self.cache.parts(key) as rows:
                return self._references.train_scores(self.clip, self.train, self.settings.protocol, rows)

        return self.cache.get("train-scores", key, compute)

    @cached_property
    def threshold(self) -> float:
        """Mean over the train split of a photograph's CLIP score with each of its captions."""
        # Kept beside the scores: the last bit of a mean may depend on the number of threads.
        key, protocol = self._threshold_key, self.settings.protocol
        mean = self.cache.get("threshold", key, lambda: self._references.mean_score(self.train_scores, protocol))
        return float(mean)

    @property
    def _references(self) -> ModuleType:
        from zeroshot.worlds import references

        return references

    @property
    def _threshold_key(self) -> dict[str, Any]:
        protocol = self.settings.protocol
        return {
            "clip": self.clip_identity,
            "train": self.data_identity("train"),
            "photographs": protocol.threshold,
            "characters": protocol.caption_characters,
        }

    @cached_property
    def test_features(self) -> np.ndarray:
        """Features of all test photographs, float64 [n, dim]."""
        features = sources.checked_sha256(self.settings.features.weights)
        key = {"test": self.data_identity("test"), "features": features}

        def compute() -> np.ndarray:
            with self.cache.parts(key) as rows:
                return self._references.photograph_features(self.features, self.test, rows)

        return self.cache.get("test-features", key, compute)

    def extract(self, pictures: np.ndarray | list[np.ndarray]) -> np.ndarray:
        """Features of pictures uint8 [S, S, 3]: float64 [n, dim]. Photographs and selected images take this way."""
        return self._references.extract(self.features, pictures)

    def data_identity(self, split: str) -> str:
        """What a split's captions and photographs depend on: the file's sha256, or that of ids, captions and sizes."""
        return split_identity(self.settings.data, split, lambda: getattr(self, split))

    def photographs_missing(self) -> dict[str, tuple[int, int]]:
        """Split -> (photographs left out, images) where data.allow_missing leaves some out; else empty."""
        if not self.settings.data.allow_missing:
            return {}
        splits = {"test": self.test, "train": self.train}
        return {name: (len(split.missing), len(split)) for name, split in splits.items() if split.missing}

    def generator_sha256(self, generator: GeneratorSettings) -> dict[str, str]:
        """sha256 of a generator's files, and what says which one an own generator is."""
        known = sources.generator_sha256(generator)
        if generator.is_own:
            from zeroshot.models.generators.own import checked_identity

            known[generator.architecture] = checked_identity(self.generator(generator), generator)
        return known

    def models_sha256(self, generator: GeneratorSettings) -> dict[str, str]:
        """sha256 of what decides a search's scores: a generator and CLIP."""
        clip = self.settings.clip
        known = self.generator_sha256(generator) | sources.clip_sha256(clip)
        if not clip.model.endswith(".json"):
            known[f"{clip.model} {clip.weights}"] = self.clip_identity["weights"]
            known |= self.clip_identity.get("beside", {})
        return known

    def weights_sha256(self, generator: GeneratorSettings) -> dict[str, str]:
        """sha256 of everything that decides a run's numbers."""
        features = self.settings.features.weights
        known = self.models_sha256(generator) | {features: sources.checked_sha256(features)} | self.rankings_sha256
        return known | {f"data {split}": self.data_identity(split) for split in ("train", "test")}
