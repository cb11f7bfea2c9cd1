"""From settings to models: what each architecture and extractor's name stands for."""

from __future__ import annotations

import torch

from zeroshot.checks import check_generator
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.limits import CLASSES
from zeroshot.metrics.features import FeatureExtractor, SmallFeatures
from zeroshot.metrics.inception import InceptionFeatures
from zeroshot.models.checkpoints import load_biggan_folder, read_biggan_config, read_checkpoint
from zeroshot.models.clip import Clip
from zeroshot.models.generators.base import Generator, check_state
from zeroshot.models.generators.biggan import BigGAN
from zeroshot.models.generators.own import load_own
from zeroshot.models.generators.sagan import SAGAN
from zeroshot.models.identity import NUMBERS
from zeroshot.models.precision import DTYPES
from zeroshot.models.weights import load_tensors
from zeroshot.settings import ClipSettings, FeaturesSettings, GeneratorSettings
from zeroshot.storage.paths import is_packaged, resolve
from zeroshot.storage.pins import check_pin
from zeroshot.worlds.sources import clip_places


def load_generator(settings: GeneratorSettings) -> Generator:
    """Build a generator and load its weights. Raises UserError for an unknown architecture or unfitting weights."""
    check_generator(settings)
    if settings.is_own:
        return load_own(settings, CLASSES)
    error = EnvironmentFailure if is_packaged(settings.weights) else UserError
    if settings.architecture == "sagan":
        return SAGAN.from_state(
            load_state(settings.weights),
            settings.weights,
            error,
            image_size=settings.image_size,
            z_dim=settings.z_dim,
            g_conv_dim=settings.g_conv_dim,
            attention_after=settings.attention_after,
        )
    weights = resolve(settings.weights)
    if weights.is_dir():
        config, state = load_biggan_folder(weights)
    elif settings.config:
        config, state = read_biggan_config(resolve(settings.config)), load_state(settings.weights)
    else:
        raise UserError(
            "generator.architecture = biggan needs generator.config, or as generator.weights a folder with config.json "
            "and pytorch_model.bin"
        )
    if config["num_classes"] != CLASSES:
        raise UserError(
            f"{settings.config or weights}: num_classes = {config['num_classes']}, but a world has {CLASSES:,} labels"
        )
    return BigGAN(config, state, settings.truncation, settings.weights, error)


def load_state(weights: str) -> dict[str, torch.Tensor]:
    """A checkpoint's tensors; the package's own only with their pinned sha256, others with theirs if one is known."""
    path = resolve(weights)
    if is_packaged(weights):
        return load_tensors(path)
    check_pin(path)
    return read_checkpoint(path)


def load_clip(settings: ClipSettings, device: torch.device, precision: str = "fp32") -> Clip:
    """The CLIP that the settings name, in one of `zeroshot.models.precision.DTYPES`."""
    clip = Clip.load(*clip_places(settings), device, DTYPES[precision])
    clip.precision = precision
    clip.identity["precision"] = NUMBERS[precision]
    return clip


def load_features(settings: FeaturesSettings) -> FeatureExtractor:
    """The feature extractor of the Fréchet distance. Raises UserError for a name that is none, or unfitting weights."""
    if settings.name == "small":
        extractor, state = SmallFeatures(), load_state(settings.weights)
        extractor.load_state_dict(check_state(extractor.state_dict(), state, settings.weights, UserError))
        return extractor
    if settings.name == "inception":
        path = resolve(settings.weights)
        check_pin(path)
        return InceptionFeatures.from_checkpoint(path)
    raise UserError(f"features.name = {settings.name!r}, but allowed are small and inception")
