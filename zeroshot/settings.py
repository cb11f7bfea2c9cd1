"""What can be set, with its type, its default and its reason: each default stands here once.

The dataclasses describe a world's parts and one run; the command line registers them as Hydra's schema (conf/), so a
wrong key or type is refused before anything runs.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from zeroshot.errors import UserError


@dataclass
class GeneratorSettings:
    """A class-conditional generator; paths may begin with `package:` (the folder of the zeroshot package)."""

    name: str
    architecture: str  # sagan | biggan
    weights: str  # safetensors
    image_size: int  # pixels a side
    z_dim: int
    # SAGAN only: StudioGAN's g_conv_dim and the block after which self-attention stands.
    g_conv_dim: int = 64
    attention_after: int = 4
    # BigGAN only: the library's configuration (JSON), and the truncation t in (0, 1] of z and of the batch-norm
    # statistics. null is the paper's Algorithm 1: z ~ N(0, I) with the statistics of 1.0.
    config: str | None = None
    truncation: float | None = None


@dataclass
class ClipSettings:
    """CLIP: an open_clip configuration (JSON file or model name), its weights and its tokeniser's vocabulary."""

    model: str
    weights: str
    vocabulary: str | None = None  # null: open_clip's own


@dataclass
class DataSettings:
    """Captioned photographs of a train split (threshold) and a test split (captions searched for, Fréchet distance)."""

    train: str
    test: str
    image_id: str = "image_id"  # names of the columns
    image: str = "image"
    captions: str = "captions"


@dataclass
class FeaturesSettings:
    """The feature extractor of the Fréchet distance."""

    name: str
    weights: str


@dataclass
class WorldSettings:
    """Everything one experiment needs, by name."""

    name: str
    label_prompt: str = "An image of {label}"  # Algorithm 1, step 2


@dataclass
class ProtocolSettings:
    """paper: the method as written, one caption per test image, fixed by a hash of its image id."""

    name: str = "paper"


@dataclass
class SearchSettings:
    """fresh: Algorithm 1 to the letter, every caption draws its own images."""

    images: str = "fresh"


@dataclass
class RunSettings:
    """All that decides the numbers of one run."""

    world: WorldSettings
    generator: GeneratorSettings
    clip: ClipSettings
    data: DataSettings
    features: FeaturesSettings
    protocol: ProtocolSettings = field(default_factory=ProtocolSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    k: int = 10  # labels kept
    seed: int = 42
    b_max: int = 100  # images drawn per caption
    captions: int = 80  # test images searched for, one caption each
    batch_size: int = 64  # physical batch: changes the last bits of a score on CPUs, so it belongs to the run
    precision: str = "fp32"

    def identity(self) -> dict[str, Any]:
        """Plain nested dictionary of every field."""
        return dataclasses.asdict(self)


def check_run(settings: RunSettings, classes: int) -> None:
    """Refuse, with what was given and what is allowed, settings that no run can have. Raises UserError."""
    check_settings(settings.k, settings.b_max, settings.seed, classes)
    if settings.batch_size < 1:
        raise UserError(f"batch_size = {settings.batch_size}, but a batch holds at least one image: give 1 or more")
    for key, given, allowed in (
        ("precision", settings.precision, PRECISIONS),
        ("search.images", settings.search.images, IMAGE_SOURCES),
        ("protocol.name", settings.protocol.name, PROTOCOLS),
    ):
        if given not in allowed:
            raise UserError(f"{key} = {given!r}, but allowed is {', '.join(allowed)}")
    truncation = settings.generator.truncation
    if truncation is not None and not 0 < truncation <= 1:
        raise UserError(f"generator.truncation = {truncation}, but allowed is null or a number above 0 and up to 1")


def check_settings(k: int, b_max: int, seed: int, classes: int) -> None:
    """Refuse, with both numbers, what Algorithm 1 cannot run on. Raises UserError."""
    if not 1 <= k <= classes:
        raise UserError(f"k = {k}, but this world has {classes:,} labels: give k between 1 and {classes}")
    if b_max < 1:
        raise UserError(f"b_max = {b_max}, but at least one image must be drawn: give b_max of 1 or more")
    if seed < 0:
        raise UserError(f"seed = {seed}, but seeds are counted from 0: give seed of 0 or more")


PRECISIONS = ("fp32",)
IMAGE_SOURCES = ("fresh",)
PROTOCOLS = ("paper",)

MINIATURE = "package:miniature/"

SAGAN = GeneratorSettings(
    name="sagan",
    architecture="sagan",
    weights=MINIATURE + "weights/sagan.safetensors",
    image_size=64,
    z_dim=32,
    g_conv_dim=12,
    attention_after=2,
)
BIGGAN = GeneratorSettings(
    name="biggan",
    architecture="biggan",
    weights=MINIATURE + "weights/biggan.safetensors",
    image_size=64,
    z_dim=128,
    config=MINIATURE + "biggan_config.json",
)
CLIP = ClipSettings(
    model=MINIATURE + "clip_config.json",
    weights=MINIATURE + "weights/clip.safetensors",
    vocabulary=MINIATURE + "vocabulary.txt.gz",
)
DATA = DataSettings(train=MINIATURE + "data/train.parquet", test=MINIATURE + "data/test.parquet")
FEATURES = FeaturesSettings(name="small", weights=MINIATURE + "weights/features.safetensors")


@dataclass(frozen=True)
class WorldParts:
    """The parts that a world's name stands for."""

    world: WorldSettings
    generators: dict[str, GeneratorSettings]
    clip: ClipSettings
    data: DataSettings
    features: FeaturesSettings


WORLDS = {"miniature": WorldParts(WorldSettings("miniature"), {"sagan": SAGAN, "biggan": BIGGAN}, CLIP, DATA, FEATURES)}


def world_parts(name: str) -> WorldParts:
    """The parts of a world. Raises UserError for a name that is not one."""
    if name not in WORLDS:
        raise UserError(f"world = {name!r} is unknown: give one of {', '.join(WORLDS)}")
    return WORLDS[name]


def default_run(world: str, generator: str) -> RunSettings:
    """The default settings of a world's run with one of its generators."""
    parts = world_parts(world)
    if generator not in parts.generators:
        raise UserError(f"generator = {generator!r}, but world {world!r} has {', '.join(parts.generators)}")
    return RunSettings(parts.world, parts.generators[generator], parts.clip, parts.data, parts.features)


def departures(settings: RunSettings) -> dict[str, Any]:
    """Settings that change results and differ from the world's defaults, as {"dotted.key": value}.

    k, seed, generator's name, world and protocol have their places in a run's path and are not among them.
    """
    name = (
        settings.generator.name if settings.generator.name in world_parts(settings.world.name).generators else "sagan"
    )
    default = _flat(default_run(settings.world.name, name).identity())
    placed = {"k", "seed", "generator.name", "world.name", "protocol.name"}
    ours = _flat(settings.identity())
    return {key: value for key, value in ours.items() if key not in placed and value != default.get(key)}


def variant(settings: RunSettings) -> str:
    """`<protocol>`, or `<protocol>+<8 hex>` of the departures where there are any: a folder's name."""
    changed = departures(settings)
    if not changed:
        return settings.protocol.name
    digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()
    return f"{settings.protocol.name}+{digest[:8]}"


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
