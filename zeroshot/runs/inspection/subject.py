"""A generator that is to be looked at: one of the world's, one of one's own, or a floor."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from torch import nn

from zeroshot.limits import CLASSES
from zeroshot.models.generators.own import OwnGenerator, build_own, check_stated
from zeroshot.models.generators.suspect import Suspect
from zeroshot.models.precision import DTYPES
from zeroshot.searching.engine import Engine
from zeroshot.settings import IN_MEMORY, GeneratorSettings
from zeroshot.worlds.sources import generator_sha256
from zeroshot.worlds.world import World

BATCH = 64  # images at a time; halved where memory ends


@dataclass(frozen=True)
class Subject:
    """A generator under its name, with a digest of what it is."""

    name: str
    suspect: Suspect
    identity: str
    architecture: str  # for people
    by_factory: bool = False

    def engine(self, world: World, suspect: Suspect | None = None) -> Engine:
        """Its images in batches, in the world's precision; of a mended one where it is given."""
        generator = (suspect or self.suspect).in_precision(DTYPES[world.settings.precision])
        return Engine(generator, world.clip, BATCH)


def subject(world: World, generator: str | GeneratorSettings | nn.Module, name: str = "") -> Subject:
    """Load a generator without refusals.

    Args:
        world: whose device and protocol it gets.
        generator: one of `world.generator_names`, its settings, or a module that need not be sound.
        name: of a module.

    Raises:
        UserError: unknown name; not a module, without the attributes that it needs, or its code raises.
    """
    if isinstance(generator, str):
        generator = world.generator_settings(generator)
    if isinstance(generator, GeneratorSettings):
        return _by_settings(world, generator)
    return _of_module(world, generator, name)


def _by_settings(world: World, settings: GeneratorSettings) -> Subject:
    if settings.is_own and not settings.weights.startswith(IN_MEMORY):
        module = build_own(settings)
        made = _of_module(world, module, settings.name)
        check_stated(made.suspect, settings)
        return Subject(
            made.name, made.suspect, _digest(made.identity, generator_sha256(settings)), made.architecture, True
        )
    generator = world.generator(settings)
    if isinstance(generator, OwnGenerator):
        return _of_module(world, generator.module, settings.name)
    suspect = Suspect(generator, settings.name, CLASSES, world.device)
    identity = _digest(settings, world.generator_sha256(settings), world.settings.protocol.truncation)
    return Subject(settings.name, suspect, identity, settings.architecture)


def _of_module(world: World, module: nn.Module, name: str) -> Subject:
    suspect = Suspect(module, name, CLASSES, world.device)
    kind = type(module)
    return Subject(name, suspect, suspect.identity(), f"{kind.__module__}:{kind.__qualname__}")


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
