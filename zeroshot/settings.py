"""What can be set, with its type, its default and its reason: each default stands here once.

The dataclasses describe a world's parts and one run; the command line registers them as Hydra's schema (conf/), so a
wrong key or type is refused before anything runs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from zeroshot.checks import check_run
from zeroshot.strategy_settings import (
    NoRefinement,
    PriceSettings,
    RandomStart,
    RefineSettings,
    StartSettings,
    strategy_name,
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
    # How it is searched: what draws first, what the rest of the budget b_max goes to, and what b counts.
    start: StartSettings = field(default_factory=RandomStart)
    refine: RefineSettings = field(default_factory=NoRefinement)
    prices: PriceSettings = field(default_factory=PriceSettings)

    def __post_init__(self) -> None:
        check_run(self)

    @property
    def strategy(self) -> str:
        """`random`, which is Algorithm 1, or `<start>+<refine>`."""
        return strategy_name(self.start, self.refine)

    def identity(self) -> dict[str, Any]:
        """Plain nested dictionary of every field."""
        return dataclasses.asdict(self)
