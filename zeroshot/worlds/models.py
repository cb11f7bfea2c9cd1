"""A world's models on one device, each loaded when it is first used."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from torch import nn

from zeroshot.limits import CLASSES
from zeroshot.metrics.features import FeatureExtractor
from zeroshot.models.clip import Clip
from zeroshot.models.devices import choose_device, device_name
from zeroshot.models.generators.base import Generator
from zeroshot.models.generators.own import OwnGenerator
from zeroshot.models.precision import DTYPES, check_device
from zeroshot.progress import doing
from zeroshot.searching.batches import find_batch
from zeroshot.searching.engine import Engine, addresses
from zeroshot.settings import GeneratorSettings, RunSettings
from zeroshot.worlds.loading import load_clip, load_features, load_generator
from zeroshot.worlds.protocols import in_protocol


class Models:
    """CLIP, generators and feature extractor of a world's settings, all in evaluation mode.

    Raises UserError for a device that this machine lacks, or that cannot compute in the settings' precision.
    """

    def __init__(self, settings: RunSettings, device: str) -> None:
        self.settings = settings
        self.device = choose_device(device)
        check_device(settings.precision, settings.compile, self.device)
        self.device_name = device_name(self.device)
        self._generators: dict[str, Generator] = {}
        self._engines: dict[tuple[str, int], Engine] = {}
        self._best_batches: dict[str, int] = {}

    @cached_property
    def clip(self) -> Clip:
        """CLIP in its precision, which prepares generated images as the protocol says."""
        with doing("loading CLIP"):
            clip = load_clip(self.settings.clip, self.device, self.clip_precision)
        protocol = self.settings.protocol
        clip.resize, clip.normalises = protocol.clip_resize, protocol.clip_normalisation
        return clip

    @property
    def clip_precision(self) -> str:
        """The settings' precision; half where that is fp32 and the protocol wants CLIP in half on a GPU."""
        halved = self.settings.protocol.clip_half_on_gpu and self.device.type == "cuda"
        return "fp16" if halved and self.settings.precision == "fp32" else self.settings.precision

    @cached_property
    def features(self) -> FeatureExtractor:
        """The feature extractor of the Fréchet distance."""
        with doing("loading the feature extractor"):
            extractor = load_features(self.settings.features).to(self.device)
        return extractor.to(memory_format=torch.channels_last).eval()

    def add_own(self, name: str, module: nn.Module) -> GeneratorSettings:
        """Check a generator of the user's and keep it; returns its settings, by which `generator` finds it."""
        own = OwnGenerator(module, name, CLASSES, self.device)
        settings = own.settings()
        self._generators[repr(settings)] = own
        return settings

    def generator(
        self, settings: GeneratorSettings, load: Callable[[GeneratorSettings], Generator] = load_generator
    ) -> Generator:
        """A generator in single precision; `load` makes it the first time."""
        settings = in_protocol(settings, self.settings.protocol)
        key = repr(settings)
        if key not in self._generators:
            with doing(f"loading {settings.name}"):
                self._generators[key] = load(settings).to(self.device).eval()
        return self._generators[key]

    def engine(self, settings: GeneratorSettings, batch_size: int) -> Engine:
        """A generator and CLIP in batches of one physical size, in the settings' precision."""
        key = (repr(settings), batch_size)
        if key not in self._engines:
            self._engines[key] = self._engine(settings, batch_size)
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

    def best_batch(self, settings: GeneratorSettings) -> int:
        """The batch size that batch_size=auto stands for, found by trying, once."""
        key = repr(settings)
        if key not in self._best_batches:
            self._best_batches[key] = find_batch(self.device, self._rate(settings))
        return self._best_batches[key]

    def _rate(self, settings: GeneratorSettings) -> Callable[[int], float]:
        def rate(size: int) -> float:
            engine = self._engine(settings, size)
            where = addresses(0, "auto", 1, 2 * size + 1, np.arange(CLASSES), engine.generator.z_dim)
            seconds = []
            for _ in range(4):
                started = time.perf_counter()
                engine.embed(where)
                seconds.append(time.perf_counter() - started)
                if engine.batch_size < size:
                    raise MemoryError  # it would be halved at once
            return len(where) / min(seconds[1:])  # the first is slower: allocations, choice of kernels, compilation

        return rate
