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
from zeroshot.miniature.training.stage import MEND, Stage, train
from zeroshot.models.devices import choose_device
from zeroshot.storage.files import check_writable, write_bytes
from zeroshot.storage.paths import resolve
from zeroshot.storage.pins import pin, sha256_of
from zeroshot.version import git_commit
from zeroshot.worlds.parts import FEATURES

BUILDERS: dict[str, Callable[[torch.device, int, StageRecipe], Stage[Any]]] = {
    "sagan": SAGANStage,
    "biggan": BigGANStage,
    "features": FeaturesStage,
    "clip": CLIPStage,
}


def make(recipe: Recipe, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Train the stages that the recipe names and write their weights; write the photographs where it says so.

    The generators' last steps use the features of the same folder, where they have been trained, else the package's.

    Raises:
        UserError: a checkpoint of other settings; a training that ended in numbers that are not finite.
        Interrupted: `should_stop` said so; the checkpoint is written and a later call goes on.
    """
    device = choose_device(recipe.device)
    commit = git_commit()  # of the code that trains, whatever is committed meanwhile
    weights = recipe.weights_folder
    for folder in (weights, Path(recipe.output)):
        check_writable(folder)
    for name in [name for name in STAGES if name in recipe.stages]:
        settings: StageRecipe = getattr(recipe, name)
        stage: Stage[Any] = BUILDERS[name](device, recipe.seed, settings)
        module = _train(stage, settings, recipe, should_stop)
        if isinstance(stage, Distillation):
            trained = weights / "features.safetensors"
            stage = Finishing(stage, trained if trained.exists() else resolve(FEATURES.weights))
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

    Raises UserError where a number is not finite: nothing is written then.
    """
    small = {
        k: (v.half() if v.is_floating_point() and v.ndim >= 2 else v).cpu().contiguous() for k, v in tensors.items()
    }
    broken = [key for key, tensor in small.items() if not tensor.isfinite().all()]
    if broken:
        raise UserError(
            f"{broken[0]} of stage {stage} is not finite after its training, so {path} is not written: {MEND}"
        )
    metadata = {
        "stage": stage,
        "recipe_commit": commit,
        "configuration": json.dumps(dataclasses.asdict(getattr(recipe, stage))),
        "finishing": json.dumps(dataclasses.asdict(recipe.finishing)) if stage in ("sagan", "biggan") else "",
        "seed": str(recipe.seed),
    }
    write_bytes(path, save(small, metadata=metadata))
    pin(path, sha256_of(path))
