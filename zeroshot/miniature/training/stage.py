"""One resumable optimisation loop for all stages of the recipe."""

from __future__ import annotations

import abc
import copy
import hashlib
import io
import math
import random
import re
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar, cast

import torch
from torch import nn
from tqdm import tqdm

from zeroshot.errors import Interrupted, UserError
from zeroshot.miniature.training.recipe import StageRecipe
from zeroshot.storage.files import check_writable, set_aside, write_bytes

MEND = "give a smaller learning_rate, and another output=… to begin anew"

M = TypeVar("M", bound=nn.Module)


class Stage(abc.ABC, Generic[M]):
    """A thing to train: a module, a loss per step and a way to turn the averaged module into a weights file.

    All randomness of a step comes from generators keyed by (seed, stage, step), so a run that was killed and goes on
    computes the same steps as one that was not.
    """

    name: str
    module: M

    @abc.abstractmethod
    def loss(self, step: int, rng: random.Random, torch_rng: torch.Generator) -> torch.Tensor:
        """Scalar loss of this step's batch, drawn from the two generators (CPU) only."""

    @abc.abstractmethod
    def finish(self, module: M) -> dict[str, torch.Tensor]:
        """Tensors of the weights file, from the averaged module."""


def step_generators(seed: int, name: str, step: int) -> tuple[random.Random, torch.Generator]:
    """Python's and torch's generators for one step, keyed by (seed, name, step)."""
    key = int.from_bytes(hashlib.blake2b(f"{seed}/{name}/{step}".encode(), digest_size=8).digest(), "little") >> 1
    return random.Random(key), torch.Generator().manual_seed(key)


def learning_rate(step: int, recipe: StageRecipe) -> float:
    """Linear warm-up, then a cosine to zero at the last step."""
    warmup = min(recipe.warmup, max(1, recipe.steps // 10))
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, recipe.steps - warmup)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def train(
    stage: Stage[M],
    recipe: StageRecipe,
    directory: Path,
    *,
    seed: int,
    checkpoint_seconds: float = 60.0,
    should_stop: Callable[[], bool] = lambda: False,
) -> M:
    """Train `stage` for `recipe.steps` steps and return the averaged module; goes on from `directory`'s checkpoint.

    Raises UserError where the checkpoint belongs to other settings, or where the loss is no longer finite, which is
    looked at every 50 steps; Interrupted (after a checkpoint) on `should_stop`.
    """
    check_writable(directory)
    path = directory / f"{stage.name}.pt"
    identity = f"{recipe} seed={seed}"
    average = _copy(stage.module)
    optimiser = torch.optim.AdamW(_parameter_groups(stage.module, recipe), betas=(0.9, 0.98), eps=1e-8)
    start = _resume(path, identity, stage.module, average, optimiser)
    saved = time.monotonic()
    log = (directory / f"{stage.name}.log").open("a", buffering=1)
    smoothed = None
    bar = tqdm(range(start, recipe.steps), initial=start, total=recipe.steps, desc=stage.name, disable=None)
    with log:
        for step in bar:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, recipe)
            loss = stage.loss(step, *step_generators(seed, stage.name, step))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(stage.module.parameters(), 1.0)
            optimiser.step()
            _update_average(average, stage.module, min(recipe.average, (step + 1) / (step + 10)))
            if step % 50 == 0 or step == recipe.steps - 1:
                value = float(loss.detach())
                if not math.isfinite(value):
                    raise UserError(f"the loss of stage {stage.name} is {value} at step {step}: {MEND}")
                smoothed = value if smoothed is None else 0.8 * smoothed + 0.2 * value
                bar.set_postfix(loss=f"{smoothed:.4f}")
                log.write(f"{time.strftime('%H:%M:%S')} step={step} loss={value:.5f} smoothed={smoothed:.5f}\n")
            stopping = should_stop()
            if stopping or time.monotonic() - saved > checkpoint_seconds or step == recipe.steps - 1:
                _save(path, identity, step + 1, stage.module, average, optimiser)
                saved = time.monotonic()
            if stopping:
                raise Interrupted(str(path))
    return average


def _copy(module: M) -> M:
    for layer in module.modules():
        if hasattr(layer, "weight_orig"):  # spectral norm leaves the last step's weight there, with its graph
            layer.weight = cast(torch.Tensor, layer.weight).detach()
    return copy.deepcopy(module)


def _parameter_groups(module: nn.Module, recipe: StageRecipe) -> list[dict]:
    """Weight decay for matrices and kernels only, as CLIP's authors do."""
    decayed = [p for p in module.parameters() if p.requires_grad and p.ndim >= 2]
    others = [p for p in module.parameters() if p.requires_grad and p.ndim < 2]
    return [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]


@torch.no_grad()
def _update_average(average: nn.Module, module: nn.Module, decay: float) -> None:
    for ours, theirs in zip(average.state_dict().values(), module.state_dict().values(), strict=True):
        if ours.dtype.is_floating_point:
            ours.lerp_(theirs, 1 - decay)
        else:
            ours.copy_(theirs)


def _save(
    path: Path, identity: str, step: int, module: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    state = {
        "identity": identity,
        "step": step,
        "module": module.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    content = io.BytesIO()
    torch.save(state, content)
    write_bytes(path, content.getvalue())


def _is_whole(path: Path) -> bool:
    """Whether the checksums inside torch's zip file hold; torch itself would load a flipped bit silently."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, zlib.error):
        return False


def _resume(path: Path, identity: str, module: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    if not _is_whole(path):
        set_aside(path)
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["identity"] != identity:
        theirs, ours = (re.findall(r"\w+=[^,()]+", text) for text in (state["identity"], identity))
        others = (", ".join(part for part in a if part not in b) for a, b in ((theirs, ours), (ours, theirs)))
        raise UserError(
            "{} was written with [{}], this run has [{}]: give another output folder (output=…) or delete that file to "
            "start again".format(path, *others)
        )
    module.load_state_dict(state["module"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])
