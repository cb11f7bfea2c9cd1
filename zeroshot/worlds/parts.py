"""What a world's name stands for, and how a run's settings differ from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from zeroshot.errors import UserError
from zeroshot.settings import (
    ClipSettings,
    DataSettings,
    FeaturesSettings,
    GeneratorSettings,
    ProtocolSettings,
    RunSettings,
    SearchSettings,
    WorldSettings,
)

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


PAPER_SAGAN = GeneratorSettings(
    name="sagan",
    architecture="sagan",
    weights="cache:studiogan-sagan-128.pth",
    image_size=128,
    z_dim=128,
    g_conv_dim=64,
    attention_after=4,
)
PAPER_BIGGAN = GeneratorSettings(
    name="biggan",
    architecture="biggan",
    weights="cache:biggan-deep-256-pytorch_model.bin",
    image_size=256,
    z_dim=128,
    config="package:generators/biggan-deep-256.json",
)
PAPER_CLIP = ClipSettings(model="ViT-B-32-quickgelu", weights="cache:ViT-B-32.pt")
PAPER_DATA = DataSettings(
    source="ccub",
    photographs="cache:CUB_200_2011",
    split="cache:C-CUB/color",
    expected_train=9010,
    expected_test=2778,
)
PAPER_FEATURES = FeaturesSettings(name="inception", weights="cache:pt_inception-2015-12-05-6726825d.pth")

# The authors' released code: every departure from the paper that is known (docs/protocols.md).
RELEASED = ProtocolSettings(
    name="released",
    caption="random",
    caption_characters=70,
    label_prompt="an image of {label}",
    label_names="keras",
    ranking="once",
    unranked_every=64,
    order="split",
    clip_resize="bilinear",
    clip_normalisation=False,
    clip_half_on_gpu=True,
    truncation=0.4,
    batches_of=16,
    threshold="raw",
    improvements_only=True,
    saved_side=224,
    saved_bytes="floor",
    band_ddof=0,
)
PROTOCOLS = {"paper": ProtocolSettings(), "released": RELEASED}


@dataclass(frozen=True)
class WorldParts:
    """The parts that a world's name stands for."""

    world: WorldSettings
    generators: dict[str, GeneratorSettings]
    clip: ClipSettings
    data: DataSettings
    features: FeaturesSettings


WORLDS = {
    "miniature": WorldParts(
        WorldSettings("miniature", captions=200, images="pool"),
        {"sagan": SAGAN, "biggan": BIGGAN},
        CLIP,
        DATA,
        FEATURES,
    ),
    "paper": WorldParts(
        # auto: which batch a GPU likes best depends on its memory and on the generator. The miniature's is a number, so
        # that every machine of a kind gets the same bits.
        WorldSettings("paper", captions=2778, batch_size="auto"),
        {"sagan": PAPER_SAGAN, "biggan": PAPER_BIGGAN},
        PAPER_CLIP,
        PAPER_DATA,
        PAPER_FEATURES,
    ),
}


def world_parts(name: str) -> WorldParts:
    """The parts of a world. Raises UserError for a name that is not one."""
    if name not in WORLDS:
        raise UserError(f"world = {name!r} is unknown: give one of {', '.join(WORLDS)}")
    return WORLDS[name]


def default_run(world: str, generator: str, protocol: str = "paper") -> RunSettings:
    """The default settings of a world's run with one of its generators."""
    parts = world_parts(world)
    if generator not in parts.generators:
        raise UserError(f"generator = {generator!r}, but world {world!r} has {', '.join(parts.generators)}")
    if protocol not in PROTOCOLS:
        raise UserError(f"protocol = {protocol!r} is unknown: give one of {', '.join(PROTOCOLS)}")
    return RunSettings(
        parts.world,
        parts.generators[generator],
        parts.clip,
        parts.data,
        parts.features,
        PROTOCOLS[protocol],
        SearchSettings(parts.world.images),
        captions=parts.world.captions,
        batch_size=parts.world.batch_size,
    )


def departures(settings: RunSettings) -> dict[str, Any]:
    """Settings that change results and differ from the world's and the protocol's defaults, as {"dotted.key": value}.

    k, seed, generator's name, world and protocol have their places in a run's path and are not among them.
    """
    generators = world_parts(settings.world.name).generators
    generator = settings.generator.name if settings.generator.name in generators else "sagan"
    default = _flat(default_run(settings.world.name, generator, settings.protocol.name).identity())
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
