"""Hydra's schema: the library's dataclasses, registered so that a wrong key or type is refused before anything runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import II, MISSING, DictConfig, OmegaConf

from zeroshot.errors import UserError
from zeroshot.limits import check_curve, check_device_name, check_folder, check_text, check_values
from zeroshot.runs.inspection.sizes import Sizes
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
from zeroshot.storage.shard import WHOLE, Shard
from zeroshot.strategy_settings import (
    REFINEMENTS,
    STARTS,
    PriceSettings,
    RefineSettings,
    StartSettings,
    draws_are_known,
)
from zeroshot.worlds.parts import PROTOCOLS, WORLDS

MOST_SHOWN = 1000  # captions of a page
BY_WORLD = "by_world"  # search.images: as the world says, where a strategy's images can come from a pool


@dataclass
class Experiment:
    """Everything `experiments.run` takes: a run's settings and where and on what it is computed."""

    world: WorldSettings = MISSING
    generator: GeneratorSettings = MISSING
    clip: ClipSettings = MISSING
    data: DataSettings = MISSING
    features: FeaturesSettings = MISSING
    protocol: ProtocolSettings = MISSING
    search: SearchSettings = MISSING
    k: int = RunSettings.k
    seed: int = RunSettings.seed
    b_max: int = RunSettings.b_max
    captions: int = II("world.captions")
    batch_size: int | str = II("world.batch_size")
    precision: str = RunSettings.precision
    compile: bool = RunSettings.compile
    start: StartSettings = MISSING
    refine: RefineSettings = MISSING
    prices: PriceSettings = field(default_factory=PriceSettings)
    # Where and on what: no result depends on these.
    device: str = "auto"  # auto, cpu, cuda, cuda:<number>
    output: str = "outputs"
    # Which part of the run this process computes: 2/8 is the second of eight (docs/cluster.md).
    shard: str = str(WHOLE)
    # The grid of `experiments.reproduce`; `experiments.run` takes one point of it from generator, k and seed.
    grid: Grid = field(default_factory=lambda: Grid())
    figure3: Figure3 = field(default_factory=lambda: Figure3())
    # What Table 2 and Figure 2 read from the runs' scores, in every world. run: the running maximum, as the paper.
    # expected: the expected best of b of the same scores, in files of their own (table2_expected.csv, …).
    curve: str = "run"
    page: Page = field(default_factory=lambda: Page())


@dataclass
class Grid:
    """The paper's grid: Tables 1 to 3 and Figure 2."""

    generators: list[str] = field(default_factory=lambda: ["sagan", "biggan"])
    k: list[int] = field(default_factory=lambda: [1, 10, 20, 50, 100, 1000])
    seeds: list[int] = field(default_factory=lambda: [42, 43, 44])


@dataclass
class Figure3:
    """What Figure 3 shows, for grid.generators at the first of grid.seeds."""

    k: list[int] = field(default_factory=lambda: [10, 1000])
    # Image ids of the test split, or sentences. Empty: the paper's three, and in the miniature before them three test
    # captions where the search did well, middling and badly.
    captions: list[str] = field(default_factory=list)


@dataclass
class Page:
    """The gallery of the page: test images from the 90th percentile of the score to the 10th, at the first of
    grid.seeds."""

    captions: int = 5
    k: list[int] = field(default_factory=lambda: [10, 1000])  # those of grid.k; none of them: its smallest and largest


@dataclass
class Imagine(Experiment):
    """Everything `experiments.imagine` takes: one of the first three, and a run's settings but for the captions."""

    prompt: str | None = None
    prompts: Any = None  # [[text, weight], …]
    prompts_file: str | None = None  # one prompt per line; "-" is standard input


@dataclass
class CheckSizes:
    """How much a check looks at: the defaults and bounds of zeroshot/runs/inspection/sizes.py."""

    classes: int = Sizes.classes
    per_class: int = Sizes.per_class
    captions: int = Sizes.captions
    b_max: int = Sizes.b_max


@dataclass
class Check(Experiment):
    """Everything `experiments.check` takes: a run's settings, of which k, seed, b_max and captions are not used."""

    generators: list[str] = field(default_factory=list)  # several in one table; empty: `generator`
    check: CheckSizes = field(default_factory=lambda: CheckSizes())


def register() -> None:
    """Put the schema and each world's parts into Hydra's store; conf/*.yaml build on them by name."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Experiment)
    store.store(name="imagine_schema", node=Imagine)
    store.store(name="check_schema", node=Check)
    for name, parts in WORLDS.items():
        store.store(group="world", name=f"{name}_fields", node=parts.world)
        store.store(group="clip", name=f"{name}_fields", node=parts.clip)
        store.store(group="data", name=f"{name}_fields", node=parts.data)
        store.store(group="features", name=f"{name}_fields", node=parts.features)
        for generator, settings in parts.generators.items():
            store.store(group=f"parts/{name}", name=f"{generator}_fields", node=settings)
    for name, protocol in PROTOCOLS.items():
        store.store(group="protocol", name=f"{name}_fields", node=protocol)
    store.store(group="search", name="fields", node=SearchSettings)
    for group, kinds in (("start", STARTS), ("refine", REFINEMENTS)):
        for name, kind in kinds.items():
            store.store(group=group, name=f"{name}_fields", node=kind)


def run_settings(config: DictConfig) -> RunSettings:
    """The part of a composed configuration that decides a run's numbers; the rest of it is checked too.

    Raises UserError for whatever can be refused before anything is loaded.
    """
    plain: Any = OmegaConf.to_object(config)
    check_device_name(plain.device)
    Shard.parse(plain.shard)
    check_curve(plain.curve)
    check_folder("output", plain.output)
    if not 1 <= plain.page.captions <= MOST_SHOWN:
        raise UserError(f"page.captions = {plain.page.captions}, but a gallery shows 1 to {MOST_SHOWN:,} captions")
    for key, ks in (("figure3.k", plain.figure3.k), ("page.k", plain.page.k)):
        check_values(key, ks)
    for text in plain.figure3.captions:
        check_text("figure3.captions", text)
    for key, kinds in (("start", STARTS), ("refine", REFINEMENTS)):
        given = vars(getattr(plain, key))
        if given["name"] not in kinds:
            raise UserError(f"{key}.name = {given['name']!r:.80}, but allowed is {', '.join(kinds)}")
        setattr(plain, key, kinds[given["name"]](**given))
    if plain.search.images == BY_WORLD:
        plain.search.images = plain.world.images if draws_are_known(plain.start, plain.refine) else "fresh"
    return RunSettings(**{f.name: getattr(plain, f.name) for f in dataclasses.fields(RunSettings)})
