"""The recipe's settings: each default stands here once, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field

STAGES = ("features", "sagan", "biggan", "clip")  # in this order: the generators' last steps need the features


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
    """Everything that decides the miniature's weights."""

    seed: int = 0
    device: str = "auto"  # auto: cuda where there is one
    output: str = "outputs/miniature_training"  # checkpoints and logs
    weights: str = "zeroshot/miniature/weights"  # where finished weights and their SHA256SUMS go
    stages: list[str] = field(default_factory=lambda: list(STAGES))
    photographs: bool = True  # also write the parquet splits
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
