"""A world in memory: labels, CLIP, generators, features, captions and photographs, each loaded when first used."""

from __future__ import annotations

import copy
import dataclasses
import json
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from zeroshot.data.base import CaptionedImages
from zeroshot.errors import UserError
from zeroshot.metrics.features import FeatureExtractor
from zeroshot.models.clip import Clip
from zeroshot.models.devices import choose_device, device_name
from zeroshot.models.generators.base import Generator
from zeroshot.models.generators.own import IN_MEMORY, OwnGenerator, checked_identity, is_own
from zeroshot.models.precision import DTYPES, check_device
from zeroshot.searching.algorithm1 import Task, rank_labels
from zeroshot.searching.batches import AUTO, find_batch
from zeroshot.searching.engine import Engine, addresses
from zeroshot.settings import GeneratorSettings, RunSettings
from zeroshot.storage.cache import Cache
from zeroshot.storage.paths import resolve
from zeroshot.storage.pins import folder_sha256
from zeroshot.worlds import references
from zeroshot.worlds.finite import check_rows
from zeroshot.worlds.labels import read_labels
from zeroshot.worlds.loading import load_clip, load_features, load_generator, load_split, split_identity
from zeroshot.worlds.parts import default_run, world_parts
from zeroshot.worlds.protocols import Searched, in_protocol, label_prompts


class World:
    """The parts named by `settings`, on one device; what is constant is computed once and kept in `cache`."""

    def __init__(self, settings: RunSettings, device: str = "auto", cache: Path | None = None) -> None:
        self.settings = settings
        self.device = choose_device(device)
        check_device(settings.precision, settings.compile, self.device)
        self.cache = Cache(cache)
        self._generators: dict[str, Generator] = {}
        self._own: dict[str, GeneratorSettings] = {}  # handed over in Python
        self._engines: dict[tuple[str, int], Engine] = {}
        self._batches: dict[str, int] = {}  # what batch_size=auto was found to be

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
        if isinstance(module, nn.Module):
            module.to(self.device)
        own = OwnGenerator(module, name, len(self.labels))
        settings = self._own[name] = own.settings()
        self._generators[repr(settings)] = own
        return settings

    def generator_settings(self, name: str) -> GeneratorSettings:
        """The settings of a generator by its name. Raises UserError for an unknown one."""
        if name not in self.generator_names:
            raise UserError(f"generator = {name!r}, but world {self.name!r} has {', '.join(self.generator_names)}")
        return self._own[name] if name in self._own else world_parts(self.name).generators[name]

    @cached_property
    def clip(self) -> Clip:
        """The world's CLIP, in evaluation mode."""
        clip = load_clip(self.settings.clip, self.device, self.settings.precision)
        clip.normalises = self.settings.protocol.clip_normalisation
        return clip

    def generator(self, settings: GeneratorSettings | str) -> Generator:
        """A generator in evaluation mode, by its settings or its name. Raises UserError for an unknown name."""
        if isinstance(settings, str):
            settings = self.generator_settings(settings)
        settings = in_protocol(settings, self.settings.protocol)
        key = repr(settings)
        if key not in self._generators:
            self._generators[key] = load_generator(settings).to(self.device).eval()
        return self._generators[key]

    def engine(self, settings: GeneratorSettings | str, batch_size: int | str = 64) -> Engine:
        """Generator and CLIP in batches of one physical size, in the world's precision; `auto` finds the size."""
        if isinstance(settings, str):
            settings = self.generator_settings(settings)
        size = self.physical_batch(settings, batch_size)
        key = (repr(settings), size)
        if key not in self._engines:
            self._engines[key] = self._engine(settings, size)
        return self._engines[key]

    def _engine(self, settings: GeneratorSettings, batch_size: int) -> Engine:
        key = f"{in_protocol(settings, self.settings.protocol)!r} in {self.settings.precision}"
        if key not in self._generators:
            generator = self.generator(settings)
            dtype = DTYPES[self.settings.precision]
            if dtype != generator.input_dtype and not isinstance(generator, OwnGenerator):
                generator = copy.deepcopy(generator)  # the one in float32 keeps its weights
            self._generators[key] = generator.in_precision(dtype)
        return Engine(self._generators[key], self.clip, batch_size, self.settings.compile)

    def physical_batch(self, settings: GeneratorSettings, batch_size: int | str) -> int:
        """The number that a batch size stands for: `auto` is found by trying, once for a device, models and precision,
        and remembered in the cache."""
        if isinstance(batch_size, int):
            return batch_size
        if batch_size != AUTO:
            raise UserError(f"batch_size = {batch_size!r}, but allowed are auto and a number of 1 or more")
        key = {
            "device": device_name(self.device),
            "generator": dataclasses.asdict(settings),
            "weights": self.generator_sha256(settings),
            "clip": self.clip.identity,
            "precision": self.settings.precision,
            "compile": self.settings.compile,
        }
        name = json.dumps(key, sort_keys=True)
        if name not in self._batches:
            found = self.cache.get("batch-size", key, lambda: np.array(find_batch(self.device, self._rate(settings))))
            self._batches[name] = int(found)
        return self._batches[name]

    def _rate(self, settings: GeneratorSettings) -> Callable[[int], float]:
        def rate(size: int) -> float:
            engine = self._engine(settings, size)
            where = addresses(0, AUTO, 1, 2 * size + 1, np.arange(len(self.labels)), engine.generator.z_dim)
            seconds = []
            for _ in range(4):
                started = time.perf_counter()
                engine.embed(where)
                seconds.append(time.perf_counter() - started)
                if engine.batch_size < size:
                    raise MemoryError  # it would be halved at once
            return len(where) / min(seconds[1:])  # the first is slower: allocations, choice of kernels, compilation

        return rate

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
        return self.encode_texts("labels", label_prompts(self.labels, self.settings.protocol))

    def encode_texts(self, name: str, texts: list[str]) -> np.ndarray:
        """CLIP embeddings of texts, unit vectors float32 [n, D], cached under the texts and CLIP's identity."""
        key = {"clip": self.clip.identity, "texts": texts}

        def compute() -> np.ndarray:
            return check_rows(
                self.clip.encode_text(texts).cpu().numpy(), lambda row: f"CLIP's vector of {texts[row]!r}"
            )

        return self.cache.get(name, key, compute)

    def rank(self, text_embeddings: np.ndarray) -> np.ndarray:
        """Class indices by descending similarity to each text: int64 [n, 1000]."""
        return rank_labels(torch.from_numpy(text_embeddings), torch.from_numpy(self.label_embeddings)).numpy()

    def tasks(self, images: list[Searched]) -> list[Task]:
        """What Algorithm 1 needs to know of each test image searched for."""
        text = self.encode_texts("captions", [caption for image in images for caption in image.captions])
        ranking = self.rank(text)
        stops = np.cumsum([len(image.captions) for image in images])
        parts = zip(images, np.split(text, stops[:-1]), np.split(ranking, stops[:-1]), strict=True)
        return [Task(i.image_id, t, r, i.caption, i.ranked_by, i.ranked) for i, t, r in parts]

    @cached_property
    def train_scores(self) -> np.ndarray:
        """CLIP score of each train photograph with each of its captions, float64 [pairs], in the order of
        `train.photographed_captions`; rounded to half precision where the protocol's threshold is."""
        return references.train_scores(self)

    @cached_property
    def threshold(self) -> float:
        """Mean over the train split of a photograph's CLIP score with each of its captions."""
        return references.threshold(self)

    @cached_property
    def features(self) -> FeatureExtractor:
        """The feature extractor of the Fréchet distance, in evaluation mode."""
        return load_features(self.settings.features).to(self.device).to(memory_format=torch.channels_last).eval()

    @cached_property
    def test_features(self) -> np.ndarray:
        """Features of all test photographs, float64 [n, dim]."""
        return references.reference_features(self)

    def extract(self, pictures: np.ndarray | list[np.ndarray]) -> np.ndarray:
        """Features of pictures uint8 [S, S, 3]: float64 [n, dim]. Photographs and selected images take this way."""
        return references.extract(self, pictures)

    def data_identity(self, split: str) -> str:
        """What a split's captions and photographs depend on: the file's sha256, or that of ids, captions and sizes."""
        return split_identity(self.settings.data, split, lambda: getattr(self, split))

    def photographs_missing(self) -> dict[str, tuple[int, int]]:
        """Split -> (photographs left out, images) where data.allow_missing leaves some out; else empty."""
        if not self.settings.data.allow_missing:
            return {}
        splits = {"test": self.test, "train": self.train}
        return {name: (len(split.missing), len(split)) for name, split in splits.items() if split.missing}

    def partial_note(self) -> str:
        """The same for a title, empty where nothing is left out: `, without 3 of 40 test photographs`."""
        parts = [f"{lacking:,} of {of:,} {split}" for split, (lacking, of) in self.photographs_missing().items()]
        return f", without {' and '.join(parts)} photographs" if parts else ""

    def generator_sha256(self, generator: GeneratorSettings) -> dict[str, str]:
        """sha256 of a generator's files, and what says which one an own generator is."""
        files = [path for path in (generator.weights, generator.config) if path and not path.startswith(IN_MEMORY)]
        known = {path: folder_sha256(resolve(path)) for path in files}
        if is_own(generator):
            known[generator.architecture] = checked_identity(self.generator(generator), generator)
        return known

    def weights_sha256(self, generator: GeneratorSettings) -> dict[str, str]:
        """sha256 of everything that decides a run's numbers."""
        features = self.settings.features.weights
        known = self.models_sha256(generator) | {features: folder_sha256(resolve(features))}
        return known | {f"data {split}": self.data_identity(split) for split in ("train", "test")}

    def models_sha256(self, generator: GeneratorSettings) -> dict[str, str]:
        """sha256 of what decides a search's scores: a generator and CLIP."""
        clip = self.settings.clip
        files = [clip.vocabulary]
        files += [clip.model, clip.weights] if clip.model.endswith(".json") else []
        known = self.generator_sha256(generator) | {path: folder_sha256(resolve(path)) for path in files if path}
        if not clip.model.endswith(".json"):
            known[f"{clip.model} {clip.weights}"] = self.clip.identity["weights"]
        return known


def load_world(
    name: str = "miniature",
    *,
    device: str = "auto",
    cache: str | Path | None = None,
    precision: str = "fp32",
    compile: bool = False,
) -> World:
    """Load a world by name.

    Args:
        name: `miniature` or `paper`.
        device: auto, cpu, cuda or cuda:<number>.
        cache: a folder in which embeddings are kept; None: nothing is written.
        precision: fp32, tf32 (CUDA), bf16 or fp16 (CUDA).
        compile: let torch.compile fuse the models' element-wise work.

    Raises:
        UserError: unknown world, device or precision, or one that this machine does not have.

    Example:
        >>> world = load_world("miniature", device="cpu")
        >>> len(world.labels)
        1000
    """
    generators = world_parts(name).generators
    settings = dataclasses.replace(default_run(name, next(iter(generators))), precision=precision, compile=compile)
    return World(settings, device, None if cache is None else Path(cache))
