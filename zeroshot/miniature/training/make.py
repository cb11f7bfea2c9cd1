"""The recipe from end to end: train each stage, then write its weights with what they were made of."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from zeroshot.errors import UserError
from zeroshot.miniature import photographs
from zeroshot.miniature.training.biggan import BigGANStage
from zeroshot.miniature.training.clip import CLIPStage
from zeroshot.miniature.training.distil import Distillation
from zeroshot.miniature.training.features import FeaturesStage
from zeroshot.miniature.training.finishing import Finishing
from zeroshot.miniature.training.recipe import STAGES, Recipe, StageRecipe
from zeroshot.miniature.training.sagan import SAGANStage
from zeroshot.miniature.training.stage import Stage, train
from zeroshot.models.devices import choose_device
from zeroshot.storage.files import check_writable, write_bytes
from zeroshot.storage.pins import pin, sha256_of
from zeroshot.version import git_commit

BUILDERS: dict[str, Callable[[torch.device, int, StageRecipe], Stage[Any]]] = {
    "sagan": SAGANStage,
    "biggan": BigGANStage,
    "features": FeaturesStage,
    "clip": CLIPStage,
}


def make(recipe: Recipe, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Train the stages that the recipe names and write their weights; write the photographs where it says so.

    Raises:
        UserError: an unknown stage, or a checkpoint of other settings.
        Interrupted: `should_stop` said so; the checkpoint is written and a later call goes on.
    """
    unknown = set(recipe.stages) - set(STAGES)
    if unknown:
        raise UserError(f"stages = {', '.join(sorted(unknown))} unknown: give some of {', '.join(STAGES)}")
    device = choose_device(recipe.device)
    commit = git_commit()  # of the code that trains, whatever is committed meanwhile
    weights = Path(recipe.weights)
    for folder in (weights, Path(recipe.output)):
        check_writable(folder)
    for name in recipe.stages:
        settings: StageRecipe = getattr(recipe, name)
        stage: Stage[Any] = BUILDERS[name](device, recipe.seed, settings)
        module = _train(stage, settings, recipe, should_stop)
        if isinstance(stage, Distillation):
            stage = Finishing(stage, weights / "features.safetensors")
            module = _train(stage, recipe.finishing, recipe, should_stop)
        write_weights(weights / f"{name}.safetensors", stage.finish(module), recipe, name, commit)
    if recipe.photographs:
        photographs.build(weights.parent / "data", seed=recipe.seed)


def _train(stage: Stage[Any], settings: StageRecipe, recipe: Recipe, should_stop: Callable[[], bool]) -> Any:
    return train(
        stage,
        settings,
        Path(recipe.output),
        seed=recipe.seed,
        checkpoint_seconds=recipe.checkpoint_seconds,
        should_stop=should_stop,
    )


def write_weights(path: Path, tensors: dict[str, torch.Tensor], recipe: Recipe, stage: str, commit: str) -> None:
    """Write a stage's tensors, matrices and kernels as fp16, and pin the file's sha256.

    Vectors (batch-norm statistics, spectral norm's u and v, biases) stay fp32: they are few, and rounding them shifts
    whole channels.
    """
    small = {
        k: (v.half() if v.is_floating_point() and v.ndim >= 2 else v).cpu().contiguous() for k, v in tensors.items()
    }
    metadata = {
        "stage": stage,
        "recipe_commit": commit,
        "configuration": json.dumps(dataclasses.asdict(getattr(recipe, stage))),
        "finishing": json.dumps(dataclasses.asdict(recipe.finishing)) if stage in ("sagan", "biggan") else "",
        "seed": str(recipe.seed),
    }
    write_bytes(path, save(small, metadata=metadata))
    pin(path, sha256_of(path))
