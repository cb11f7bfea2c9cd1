"""The recipe's settings: each default stands here once, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from zeroshot.errors import UserError
from zeroshot.limits import LARGEST_BATCH, LARGEST_SEED, check_device_name, check_folder, check_values
from zeroshot.storage.paths import resolve

STAGES = ("features", "sagan", "biggan", "clip")  # in this order: the generators' last steps need the features
MOST_STEPS = 10_000_000
MOST_PICTURES = 1_000_000  # 12 KB of memory each
# Where a stage needs more, or bears less, than others: CLIP tells the pictures of a batch from one another, and a fifth
# of its batch names labels, each another one of the 1,000; three stages draw their batches from a pool.
LEAST = {"clip": {"batch": 2, "pool": 2}, "sagan": {"pool": 1}, "biggan": {"pool": 1}}
MOST = {"clip": {"batch": 5000}}


@dataclass
class StageRecipe:
    """One stage's optimisation: Adam, linear warm-up, cosine decay, moving average of the weights."""

    steps: int
    batch: int
    learning_rate: float
    warmup: int = 100  # steps
    weight_decay: float = 0.0
    average: float = 0.998  # decay of the weights' moving average
    pool: int = 0  # pictures drawn beforehand that the batches are taken from; of no account for `features`


@dataclass
class Recipe:
    """Everything that decides the miniature's weights.

    Making one checks it: raises UserError, with what was given and what is allowed, for what would train nothing.
    """

    seed: int = 0
    device: str = "auto"  # auto: cuda where there is one
    output: str = "outputs/miniature_training"  # checkpoints and logs
    weights: str | None = None  # where finished weights and their SHA256SUMS go; null: <output>/weights
    install: bool = False  # True: weights and photographs go into the package, over those it came with
    stages: list[str] = field(default_factory=lambda: list(STAGES))
    photographs: bool = True  # also write the parquet splits, into the folder data beside that of the weights
    checkpoint_seconds: float = 60.0
    # Regression of the renderer: the target has no noise, so many small batches learn faster than few large ones.
    sagan: StageRecipe = field(
        default_factory=lambda: StageRecipe(steps=5000, batch=32, learning_rate=2e-3, pool=60_000)
    )
    biggan: StageRecipe = field(
        default_factory=lambda: StageRecipe(steps=7000, batch=32, learning_rate=2e-3, pool=60_000)
    )
    # The last steps of both generators: finishing.py.
    finishing: StageRecipe = field(default_factory=lambda: StageRecipe(steps=2500, batch=32, learning_rate=8e-4))
    features: StageRecipe = field(default_factory=lambda: StageRecipe(steps=800, batch=128, learning_rate=3e-3))
    # Contrastive learning wants the largest batch that two cores bear: every other pair is a negative.
    clip: StageRecipe = field(
        default_factory=lambda: StageRecipe(steps=3400, batch=256, learning_rate=1e-3, weight_decay=0.02, pool=60_000)
    )

    def __post_init__(self) -> None:
        _check(self)

    @property
    def weights_folder(self) -> Path:
        """Where finished weights go."""
        if self.install:
            return resolve("package:miniature/weights")
        return Path(self.weights or f"{self.output}/weights")


def _check(recipe: Recipe) -> None:
    check_values("stages", recipe.stages)
    unknown = [name for name in recipe.stages if name not in STAGES]
    if unknown:
        raise UserError(f"stages = {', '.join(unknown):.80} unknown: give some of {', '.join(STAGES)}")
    check_device_name(recipe.device)
    check_folder("output", recipe.output)
    if recipe.weights is not None:
        check_folder("weights", recipe.weights)
        if recipe.install:
            raise UserError(f"weights = {recipe.weights:.80} and install = true name two places: give one of them")
    _check_number("seed", recipe.seed, 0, LARGEST_SEED)
    _check_number("checkpoint_seconds", recipe.checkpoint_seconds, 0, 1e6)
    for name in ("finishing", *STAGES):
        _check_stage(name, getattr(recipe, name))


def _check_stage(name: str, stage: StageRecipe) -> None:
    for key, low, most in (
        ("steps", 1, MOST_STEPS),
        ("batch", 1, LARGEST_BATCH),
        ("learning_rate", 1e-7, 1),  # less moves no weight in single precision
        ("warmup", 0, MOST_STEPS),
        ("weight_decay", 0, 1),
        ("average", 0, 1),
        ("pool", 0, MOST_PICTURES),
    ):
        own = LEAST.get(name, {}).get(key, low), MOST.get(name, {}).get(key, most)
        _check_number(f"{name}.{key}", getattr(stage, key), *own)
    if name == "clip" and stage.batch > stage.pool:
        raise UserError(f"clip.batch = {stage.batch}, but clip.pool has {stage.pool} pictures: give it as many or more")


def _check_number(key: str, given: float, low: float, most: float) -> None:
    if not low <= given <= most:  # which NaN is not
        raise UserError(f"{key} = {given}, but allowed is a number from {low:,} to {most:,}")
