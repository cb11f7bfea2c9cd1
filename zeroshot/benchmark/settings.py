"""The benchmark's settings: each default stands here once, chosen so that all of it takes ten minutes on two cores."""

from __future__ import annotations

from dataclasses import dataclass, field

from zeroshot.errors import UserError
from zeroshot.limits import PRECISIONS, check_device_name, check_folder

PARTS = {
    "a": "engine against the bare models",
    "b": "engine against the released code's loop",
    "c": "pool against fresh images",
    "d": "how time and memory grow",
    "e": "Fréchet distance",
    "f": "true size, of what the device can do",
    "g": "what commands cost before they work",
    "h": "what search strategies add to the models",
}
MODELS = ("auto", "miniature", "true_size")


@dataclass
class ReleasedSettings:
    """Part b: a search of this size by both loops."""

    captions: int = 16  # the released loop takes 16 at a time
    k: int = 10
    b_max: int = 50
    repetitions: int = 3


@dataclass
class GridSettings:
    """Part c: a grid small enough for a minute or two; the larger it is, the more a pool saves."""

    generators: list[str] = field(default_factory=lambda: ["sagan", "biggan"])
    k: list[int] = field(default_factory=lambda: [1, 10, 1000])
    seeds: list[int] = field(default_factory=lambda: [42, 43, 44])
    captions: int = 48
    b_max: int = 40


@dataclass
class GrowthSettings:
    """Part d: one run in a fresh process per point; the first entries are the base, of which one at a time grows.

    The second entries fill one block of a run (1,600 images): from there on memory must not grow.
    """

    generator: str = "sagan"
    captions: list[int] = field(default_factory=lambda: [16, 64, 256])
    k: list[int] = field(default_factory=lambda: [10, 1, 1000])
    b_max: list[int] = field(default_factory=lambda: [25, 100, 400])
    repetitions: int = 3


@dataclass
class FrechetSettings:
    """Part e: the sample sizes are those of the two worlds' test splits."""

    images: int = 256  # extracted into the miniature's features, and on a GPU into Inception's
    inception_images: int = 8  # on a CPU
    dim: int = 2048  # of synthetic features
    samples: int = 2778
    repetitions: int = 2  # at `dim`; the miniature's features take the benchmark's


@dataclass
class TrueSizeSettings:
    """Part f: null stands for what suits the device, a GPU or a CPU."""

    generators: list[str] = field(default_factory=lambda: ["sagan", "biggan"])
    batch_size: int | None = None  # null: 256 on a GPU, 2 on a CPU
    matrix: int | None = None  # side of the matrices multiplied; null: 8192 on a GPU, 1024 on a CPU
    copy_megabytes: int | None = None  # null: 4096 on a GPU, 256 on a CPU


@dataclass
class StartSettings:
    """Part g: each command in a process of its own."""

    repetitions: int = 5


@dataclass
class StrategiesSettings:
    """Part h: as many captions as a batch holds, with this budget each."""

    b_max: int = 24
    repetitions: int = 2


@dataclass
class BenchmarkSettings:
    """Everything that `experiments.benchmark` takes."""

    only: list[str] | None = None  # parts, of a b c d e f g h; null: all, but f only where there is a GPU
    # Many and short, since what else a machine does comes and goes within seconds.
    repetitions: int = 21  # of each thing measured, in turn; parts b, d and e have their own where theirs are slow
    batch_size: int = 64  # images the models see at once
    images: int = 256  # per repetition of part a; whole batches
    # Parts a and b. miniature: the embedded world; true_size: the real architectures with random weights; auto: the
    # first on a CPU, the second on a GPU, which the miniature's small layers cannot occupy.
    models: str = "auto"
    precision: str = "fp32"
    compile: bool = False  # let torch.compile fuse the models' element-wise work
    device: str = "auto"  # auto, cpu, cuda, cuda:<number>
    output: str = "outputs"  # benchmarks/<time>.json and .md go there
    released: ReleasedSettings = field(default_factory=ReleasedSettings)
    grid: GridSettings = field(default_factory=GridSettings)
    growth: GrowthSettings = field(default_factory=GrowthSettings)
    frechet: FrechetSettings = field(default_factory=FrechetSettings)
    true_size: TrueSizeSettings = field(default_factory=TrueSizeSettings)
    start: StartSettings = field(default_factory=StartSettings)
    strategies: StrategiesSettings = field(default_factory=StrategiesSettings)


def check(settings: BenchmarkSettings) -> None:
    """Refuse, with what was given and what is allowed, what cannot be measured. Raises UserError."""
    unknown = [part for part in settings.only or [] if part not in PARTS]
    if unknown or settings.only == []:
        raise UserError(f"only = {settings.only}, but allowed are {', '.join(PARTS)}, at least one of them")
    check_folder("output", settings.output)
    check_device_name(settings.device)
    if settings.models not in MODELS:
        raise UserError(f"models = {settings.models!r}, but allowed are {', '.join(MODELS)}")
    if settings.precision not in PRECISIONS:
        raise UserError(f"precision = {settings.precision!r}, but allowed are {', '.join(PRECISIONS)}")
    for key, number, least in (
        ("repetitions", settings.repetitions, 1),
        ("released.repetitions", settings.released.repetitions, 1),
        ("growth.repetitions", settings.growth.repetitions, 1),
        ("start.repetitions", settings.start.repetitions, 1),
        ("strategies.repetitions", settings.strategies.repetitions, 1),
        ("strategies.b_max", settings.strategies.b_max, 20),
        ("frechet.repetitions", settings.frechet.repetitions, 1),
        ("batch_size", settings.batch_size, 1),
        ("images", settings.images, 1),
        ("frechet.images", settings.frechet.images, 2),
        ("frechet.samples", settings.frechet.samples, 2),
        ("frechet.dim", settings.frechet.dim, 1),
    ):
        if number < least:
            raise UserError(f"{key} = {number}, but it must be {least} or more")
    for key, entries in (
        ("grid.generators", settings.grid.generators),
        ("grid.k", settings.grid.k),
        ("growth.captions", settings.growth.captions),
        ("growth.k", settings.growth.k),
        ("growth.b_max", settings.growth.b_max),
        ("true_size.generators", settings.true_size.generators),
    ):
        if not entries:
            raise UserError(f"{key} is empty: give at least one")
    if len(settings.grid.seeds) < 2:
        raise UserError(
            f"grid.seeds = {settings.grid.seeds}, but differences are told in their spread: give 2 seeds or more"
        )
