"""An engine's stages one by one, on one batch of tensors that are ready: for measuring where its time goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from zeroshot.searching.engine import Engine


@dataclass(frozen=True)
class Stages:
    """An engine's models as it calls them: in its layout, precision and compilation, on its batch and device."""

    generate: Callable[[], torch.Tensor]
    prepare: Callable[[], torch.Tensor]
    embed: Callable[[], torch.Tensor]


def stages_of(engine: Engine) -> Stages:
    """Each stage on the tensors that the one before it gave."""
    generator, clip, rng = engine.generator, engine.clip, np.random.default_rng(0)
    uniforms = torch.from_numpy(rng.uniform(size=(engine.batch_size, generator.z_dim)))
    z = generator.latent(uniforms).to(engine.device, generator.input_dtype)  # [batch, z_dim]
    y = torch.from_numpy(rng.integers(0, generator.num_classes, engine.batch_size)).to(engine.device)
    tower = torch.compile(clip.model.encode_image, dynamic=False) if engine.compiled else clip.model.encode_image

    def as_the_engine(work: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
        def run() -> torch.Tensor:
            with engine.computing():
                return work()

        return run

    generate = as_the_engine(lambda: engine.generate(z, y))
    images = generate()
    prepare = as_the_engine(lambda: clip.prepare(images))
    prepared = prepare()
    return Stages(generate, prepare, as_the_engine(lambda: tower(prepared)))
