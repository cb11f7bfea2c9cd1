"""Stage `judge`: a second CLIP, which no search sees: a vision transformer, another seed, other random birds.

It learns from the same renderer and the same grammar of captions as the CLIP that is searched with.
"""

from __future__ import annotations

import torch

from zeroshot.miniature.training.clip import CLIPStage
from zeroshot.miniature.training.recipe import StageRecipe
from zeroshot.worlds.parts import MINIATURE

SEED = 1_000_003  # added to the recipe's, for other initial weights and other birds


class JudgeStage(CLIPStage):
    """As stage `clip`, with another architecture and another seed."""

    name = "judge"
    model = MINIATURE + "judge_config.json"

    def __init__(self, device: torch.device, seed: int, recipe: StageRecipe) -> None:
        super().__init__(device, seed + SEED, recipe)
