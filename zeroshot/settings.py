"""What can be set, with its type, its default and its reason: each default stands here once.

The dataclasses describe a world's parts and one run; the command line registers them as Hydra's schema (conf/), so a
wrong key or type is refused before anything runs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from zeroshot.errors import UserError
from zeroshot.limits import (
    CHOICES,
    LARGEST_SIDE,
    LARGEST_WIDTH,
    LARGEST_Z,
    LONGEST_TEXT,
    MOST_CAPTIONS,
    MOST_SCORES,
    SAGAN_SIDES,
    check_batch_size,
    check_name,
    check_path,
    check_settings,
    check_values,
)

IN_MEMORY = "sha256:"  # begins the `weights` of a generator that was handed over in Python: its identity follows


@dataclass
class GeneratorSettings:
    """A class-conditional generator; paths may begin with `package:` (the folder of the zeroshot package)."""

    name: str
    # sagan | biggan | package.module:factory, one of your own (docs/adding_a_generator.md): then weights, if given, are
    # what the factory is called with, and image_size and z_dim may be 0, the generator's own.
    architecture: str
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

    @property
    def is_own(self) -> bool:
        """Whether it is one of the user's, named by an import path (`package.module:factory`)."""
        return ":" in self.architecture


@dataclass
class ClipSettings:
    """CLIP: an open_clip configuration (JSON file or model name), its weights and its tokeniser's vocabulary."""

    model: str
    weights: str
    vocabulary: str | None = None  # null: open_clip's own


@dataclass
class DataSettings:
    """Captioned photographs of a train split (threshold) and a test split (captions searched for, Fréchet distance).

    `cache:` at the beginning of a path stands for the folder of downloads.
    """

    source: str = "parquet"  # parquet | ccub | reed | hub
    # parquet: the two files. hub: a data set's name or folder, and the names of its splits. ccub, reed: unused.
    train: str | None = None
    test: str | None = None
    name: str | None = None
    revision: str | None = None
    image_id: str | None = "image_id"  # names of the columns; hub: null numbers the rows
    image: str = "image"
    captions: str = "captions"  # hub: several columns as "caption_0,caption_1"
    # ccub, reed: CUB-200-2011 as its archive unpacks, C-CUB's folder with data.pkl and split.pkl, which says what is
    # train and test, and Reed et al.'s text folders.
    photographs: str | None = None
    split: str | None = None
    text: str | None = None
    # True: go on where photographs are missing or broken. Their captions are searched for all the same; the Fréchet
    # distance and the threshold do without them, and every title says how many are left out.
    allow_missing: bool = False
    # How many images each split must have; null: any number.
    expected_train: int | None = None
    expected_test: int | None = None


@dataclass
class FeaturesSettings:
    """The feature extractor of the Fréchet distance."""

    name: str  # small | inception
    weights: str


@dataclass
class WorldSettings:
    """Everything one experiment needs, by name."""

    name: str
    captions: int = 80  # test images searched for where `captions` is not given
    images: str = "fresh"  # where images come from where `search.images` is not given
    # where `batch_size` is not given: a number or auto; Any, because OmegaConf cannot interpolate a union
    batch_size: Any = 64


@dataclass
class ProtocolSettings:
    """How the experiment is done. The defaults are the method as the paper writes it; docs/protocols.md explains each
    switch, conf/protocol/released.yaml sets all of them as the authors' released code does."""

    name: str = "paper"
    # fixed: one per test image, by a hash of its id | random: another of its captions at every b
    caption: str = "fixed"
    caption_characters: int | None = None  # stripped, lower-cased, cut to its first characters
    label_prompt: str = "An image of {label}"  # Algorithm 1, step 2
    label_names: str = "distinct"  # 1,000 different names in words | keras: great_white_shark, and `crane` twice
    # searched: labels ranked for the caption searched for | once: for one random caption of the image, the same for
    # every seed, k and generator
    ranking: str = "searched"
    rankings: str | None = None  # once: the authors' imagenet_labels.pkl instead; images it lacks draw from all labels
    unranked_every: int | None = None  # images 0, n, 2n … of the test split get no ranking and draw from all labels
    # In which test images are scored, and counted for the two switches that leave some out: hash: of a hash of their
    # ids | split: of the split's file. Fewer captions than there are images are a sample by that hash in both.
    order: str = "hash"
    clip_resize: str = "clip"  # as CLIP's own preprocessing | bilinear: without anti-aliasing, not clamped
    clip_normalisation: bool = True  # CLIP's mean and standard deviation; False: pixels in [-1, 1] as they are
    clip_half_on_gpu: bool = False  # CLIP in half precision on a GPU, where precision is fp32
    truncation: float | None = None  # of a BigGAN whose own truncation is null; null: z ~ N(0, I), statistics of 1.0
    batches_of: int | None = None  # only whole batches of captions are scored
    # clip: photographs prepared as CLIP says | raw: in [0, 1], flipped at random, half precision
    threshold: str = "clip"
    improvements_only: bool = False  # Fréchet distance without the images that were best at b = 1
    saved_side: int | None = None  # and from pictures saved at this size; null: at the size they were generated
    saved_bytes: str = "rounded"  # of 255·(x+1)/2, to the nearest | floor: of 256·(x+1)/2, down
    band_ddof: int = 1  # Figure 2's band: sample standard deviation over seeds | 0: the population's


@dataclass
class SearchSettings:
    """Where the images come from.

    fresh: Algorithm 1 to the letter, every caption draws its own. pool: captions share images (docs/pool.md); each
    caption's run is still Algorithm 1 by itself, but runs of different captions are correlated.
    """

    images: str = "fresh"
    # pool: how many images there are, as a share of all draws of all captions and k, and the k it is planned for.
    share: float = 0.2
    k: list[int] = field(default_factory=lambda: [1, 10, 20, 50, 100, 1000])

    @property
    def in_words(self) -> str:
        """For titles, which say where their images come from."""
        return "shared pool" if self.images == "pool" else "fresh images"


@dataclass
class RunSettings:
    """All that decides the numbers of one run.

    Making one checks it: raises UserError, with what was given and what is allowed, for settings that no run can have.
    """

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
    # Physical batch: changes the last bits of a score on CPUs, so it belongs to the run. auto: found by trying; a run's
    # path says auto, its config.yaml the number found.
    batch_size: int | str = 64
    # Of generator and CLIP: fp32 | tf32 (CUDA) | bf16 | fp16 (CUDA). Scores are summed in float64 whatever it is.
    precision: str = "fp32"
    compile: bool = False  # torch.compile fuses element-wise work; changes last bits

    def __post_init__(self) -> None:
        _check(self)

    def identity(self) -> dict[str, Any]:
        """Plain nested dictionary of every field."""
        return dataclasses.asdict(self)


def _check(settings: RunSettings) -> None:
    """Refuse settings that no run can have. Raises UserError."""
    for key in ("world", "protocol", "generator"):
        check_name(f"{key}.name", getattr(settings, key).name)
    for room, fields in settings.identity().items():
        for key, value in fields.items() if isinstance(fields, dict) else ():
            if isinstance(value, str) and key != "label_prompt":
                check_path(f"{room}.{key}", value)
    check_generator(settings.generator)
    check_settings(settings.k, settings.b_max, settings.seed)
    check_batch_size(settings.batch_size)
    for key, allowed in CHOICES.items():
        room, _, field = key.rpartition(".")
        given = getattr(getattr(settings, room) if room else settings, field)
        if given not in allowed:
            raise UserError(f"{key} = {given!r:.80}, but allowed is {', '.join(allowed)}")
    for key, truncation in (("generator", settings.generator.truncation), ("protocol", settings.protocol.truncation)):
        if truncation is not None and not 0 < truncation <= 1:
            raise UserError(f"{key}.truncation = {truncation}, but allowed is null or a number above 0 and up to 1")
    for key, most in (
        ("caption_characters", LONGEST_TEXT),
        ("unranked_every", MOST_CAPTIONS),
        ("batches_of", MOST_CAPTIONS),
        ("saved_side", LARGEST_SIDE),
    ):
        number = getattr(settings.protocol, key)
        if number is not None and not 1 <= number <= most:
            raise UserError(f"protocol.{key} = {number}, but allowed is null or 1 to {most:,}")
    if settings.protocol.band_ddof not in (0, 1):
        raise UserError(f"protocol.band_ddof = {settings.protocol.band_ddof}, but allowed is 0 or 1")
    if settings.protocol.rankings is not None and settings.protocol.ranking != "once":
        raise UserError(
            f"protocol.rankings is given, but protocol.ranking = {settings.protocol.ranking}: give "
            "protocol.ranking=once too, or protocol=released"
        )
    if not 0 < settings.search.share <= 1:
        raise UserError(f"search.share = {settings.search.share}, but allowed is a number above 0 and up to 1")
    _check_captions(settings)
    check_values("search.k", settings.search.k)
    for k in settings.search.k:
        check_settings(k, settings.b_max, settings.seed)
    prompt = settings.protocol.label_prompt
    if "{label}" not in prompt or len(prompt) > LONGEST_TEXT:
        raise UserError(
            f"protocol.label_prompt = {prompt!r:.80}, but it must contain {{label}} and have at most {LONGEST_TEXT:,} "
            "characters"
        )


def check_generator(generator: GeneratorSettings) -> None:
    """Refuse an architecture that there is not, and sizes that it cannot have, before memory is spent on them.

    Raises UserError.
    """
    kind, side = generator.architecture, generator.image_size
    if kind not in ("sagan", "biggan") and not generator.is_own:
        raise UserError(
            f"generator.architecture = {kind!r:.80}, but allowed are sagan, biggan and, for one of your own, "
            "package.module:factory"
        )
    least = 0 if generator.is_own else 1  # 0: what it says itself
    bounds = [("image_size", least, LARGEST_SIDE), ("z_dim", least, LARGEST_Z)]
    if kind == "sagan":
        if side not in SAGAN_SIDES:
            sides = ", ".join(map(str, SAGAN_SIDES))
            raise UserError(f"generator.image_size = {side}, but a SAGAN's images have one of {sides} pixels a side")
        bounds += [("g_conv_dim", 1, LARGEST_WIDTH), ("attention_after", 0, SAGAN_SIDES.index(side) + 4)]  # its blocks
    for key, low, most in bounds:
        given = getattr(generator, key)
        if not low <= given <= most:
            raise UserError(f"generator.{key} = {given}, but allowed is {low} to {most:,}")
    if kind == "biggan" and side.bit_count() != 1:
        raise UserError(f"generator.image_size = {side}, but a BigGAN doubles 4 pixels: give 64, 128, 256 or 512")


def _check_captions(settings: RunSettings) -> None:
    """Refuse a number of test images that cannot be searched for. Raises UserError.

    Whether the split has that many is known once it is loaded.
    """
    captions, b_max = settings.captions, settings.b_max
    if captions < 1:
        raise UserError(f"captions = {captions}, but at least one test image is searched for: give 1 or more")
    if captions < 2:
        raise UserError("captions = 1, but a Fréchet distance needs at least 2 images: give 2 or more")
    if captions > MOST_CAPTIONS:
        raise UserError(f"captions = {captions}, but at most {MOST_CAPTIONS:,} test images can be searched for")
    if captions * b_max > MOST_SCORES:
        raise UserError(
            f"captions = {captions:,} with b_max = {b_max:,} are {captions * b_max:,} scores, but a run holds at most "
            f"{MOST_SCORES:,}: give less of one"
        )
    whole_batches(captions, settings.protocol)


def whole_batches(captions: int, protocol: ProtocolSettings) -> int:
    """How many captions are searched for: whole batches where the protocol scores only these.

    Raises UserError where there is none.
    """
    kept = captions - captions % (protocol.batches_of or 1)
    if not kept:
        raise UserError(
            f"captions = {captions}, but this protocol scores whole batches of {protocol.batches_of} only: give that "
            "many or more"
        )
    return kept
