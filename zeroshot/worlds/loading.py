"""From settings to models and data: what each architecture, source and extractor's name stands for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import torch

from zeroshot.data.base import CaptionedImages
from zeroshot.data.ccub import read_ccub
from zeroshot.data.cub import check_counts, read_cub
from zeroshot.data.hub import read_hub
from zeroshot.data.parquet import read_parquet
from zeroshot.data.reed import read_reed
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.metrics.features import FeatureExtractor, SmallFeatures
from zeroshot.metrics.inception import InceptionFeatures
from zeroshot.models.checkpoints import load_biggan_folder, read_biggan_config, read_checkpoint
from zeroshot.models.clip import Clip
from zeroshot.models.generators.base import Generator
from zeroshot.models.generators.biggan import BigGAN
from zeroshot.models.generators.own import is_own, load_own
from zeroshot.models.generators.sagan import SAGAN
from zeroshot.models.precision import DTYPES
from zeroshot.models.weights import load_tensors
from zeroshot.settings import ClipSettings, DataSettings, FeaturesSettings, GeneratorSettings, RunSettings
from zeroshot.storage.paths import is_packaged, resolve
from zeroshot.storage.pins import check_pin, sha256_of
from zeroshot.worlds.labels import read_labels


def check_present(settings: RunSettings) -> None:
    """Before anything runs: raise EnvironmentFailure that names every download that a run needs and is not there."""
    data, clip = settings.data, settings.clip
    needed = [settings.generator.weights, settings.generator.config, settings.features.weights, clip.weights]
    needed += {"ccub": [data.photographs, data.split], "reed": [data.photographs, data.split, data.text]}.get(
        data.source, []
    )
    places = [resolve(path) for path in needed if path and path.startswith("cache:")]
    missing = [str(place) for place in places if not place.exists()]
    if missing:
        raise EnvironmentFailure(
            f"not downloaded yet: {', '.join(missing)}; run `make prepare WORLD={settings.world.name}`, which says "
            "where each comes from, or name files of your own (docs/running-the-paper.md)"
        )


def load_generator(settings: GeneratorSettings) -> Generator:
    """Build a generator and load its weights. Raises UserError for an unknown architecture or unfitting weights."""
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
    if settings.architecture == "biggan" and resolve(settings.weights).is_dir():
        return BigGAN(*load_biggan_folder(resolve(settings.weights)), settings.truncation, settings.weights, error)
    if settings.architecture == "biggan" and settings.config:
        config = read_biggan_config(resolve(settings.config))
        return BigGAN(config, load_state(settings.weights), settings.truncation, settings.weights, error)
    if is_own(settings):
        return load_own(settings, len(read_labels()))
    raise UserError(
        f"architecture = {settings.architecture!r}, but allowed are sagan, biggan (which needs a config, or as its "
        "weights a folder with config.json and pytorch_model.bin) and package.module:factory for one of your own"
    )


def load_state(weights: str) -> dict[str, torch.Tensor]:
    """A checkpoint's tensors; the package's own only with their pinned sha256, others with theirs if one is known."""
    path = resolve(weights)
    if is_packaged(weights):
        return load_tensors(path)
    check_pin(path)
    return read_checkpoint(path)


def load_clip(settings: ClipSettings, device: torch.device, precision: str = "fp32") -> Clip:
    """The CLIP that the settings name, in one of `zeroshot.models.precision.DTYPES`."""
    vocabulary = resolve(settings.vocabulary) if settings.vocabulary else None
    local = settings.weights.startswith(("package:", "cache:"))
    model = resolve(settings.model) if settings.model.endswith(".json") else settings.model
    weights = resolve(settings.weights) if local else settings.weights
    clip = Clip.load(model, weights, vocabulary, device, DTYPES[precision])
    clip.precision = precision
    if precision == "tf32":  # float32 like fp32's, but not its numbers
        clip.identity["precision"] = precision
    return clip


def load_features(settings: FeaturesSettings) -> FeatureExtractor:
    """The feature extractor of the Fréchet distance. Raises UserError for a name that is none."""
    if settings.name == "small":
        extractor = SmallFeatures()
        extractor.load_state_dict(load_state(settings.weights))
        return extractor
    if settings.name == "inception":
        path = resolve(settings.weights)
        check_pin(path)
        return InceptionFeatures.from_checkpoint(path)
    raise UserError(f"features.name = {settings.name!r}, but allowed are small and inception")


def load_split(data: DataSettings, split: str) -> CaptionedImages:
    """Captions and photographs of the `train` or the `test` split, from whichever source. Raises UserError."""
    images = _read(data, split)
    check_counts(f"the {split} split", len(images), getattr(data, f"expected_{split}"))
    return images


def _read(data: DataSettings, split: str) -> CaptionedImages:
    if data.source == "parquet":
        path = resolve(_given(data, split))
        columns = {"image_id": _given(data, "image_id"), "image": data.image, "captions": data.captions}
        return read_parquet(path, **columns, allow_missing=data.allow_missing)
    if data.source == "hub":
        name, part = _given(data, "name"), _given(data, split)
        names = (data.image_id, data.image, data.captions)
        return read_hub(name, part, *names, revision=data.revision, allow_missing=data.allow_missing)
    captions = read_ccub(resolve(_given(data, "split")))[split]
    if data.source == "reed":
        text = read_reed(resolve(_given(data, "text")))
        unknown = [image_id for image_id in captions if image_id not in text]
        if unknown:
            raise UserError(f"{data.text} has no captions of {len(unknown)} images of the split, e.g. {unknown[0]}")
        captions = {image_id: text[image_id] for image_id in captions}
    return read_cub(resolve(_given(data, "photographs")), captions, data.allow_missing)


def _given(data: DataSettings, field: str) -> str:
    value = getattr(data, field)
    if not value:
        raise UserError(f"data.{field} is empty, but data.source = {data.source} needs it")
    return value


def split_identity(data: DataSettings, split: str, images: Callable[[], CaptionedImages]) -> str:
    """What a split is: the sha256 of its parquet file, or that of its image ids and captions, and what it lacks."""
    known = [sha256_of(resolve(_given(data, split)))] if data.source == "parquet" else []
    if known and not data.allow_missing:
        return known[0]
    read = images()
    lacking = [sorted(read.missing)] if read.missing else []
    return hashlib.sha256(json.dumps([*known, read.image_ids, read.captions, *lacking]).encode()).hexdigest()
