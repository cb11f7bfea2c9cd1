"""Stage `clip`: contrastive learning of drawings and sentences (Radford et al. 2021)."""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from torch import nn

from zeroshot.miniature.training.captioned import Captioned
from zeroshot.miniature.training.recipe import StageRecipe
from zeroshot.miniature.training.stage import Stage
from zeroshot.models.clip import Clip
from zeroshot.storage.paths import resolve
from zeroshot.worlds.parts import CLIP


class CLIPStage(Stage[nn.Module]):
    """Symmetric cross-entropy over the batch's similarities, temperature learnt."""

    name = "clip"

    def __init__(self, device: torch.device, seed: int, recipe: StageRecipe) -> None:
        torch.manual_seed(seed)
        self.device, self.batch = device, recipe.batch
        self.captioned = Captioned(recipe.pool, seed, device)
        self.clip = Clip.untrained(resolve(CLIP.model), resolve(CLIP.vocabulary or ""), device)
        self.module = self.clip.model.train()

    def loss(self, step: int, rng: random.Random, torch_rng: torch.Generator) -> torch.Tensor:
        images, texts = self.captioned.batch(self.batch, rng, torch_rng)
        tokens = self.clip.tokenise(texts)[0].to(self.device)
        image, text, scale = self.module(self.clip.prepare(images), tokens)  # unit vectors [n, D], scalar
        similarity = scale.clamp(max=100) * image @ text.T  # [n, n]; the bound is that of CLIP's authors
        own = torch.arange(self.batch, device=self.device)
        return (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own)) / 2

    def finish(self, module: nn.Module) -> dict[str, torch.Tensor]:
        return module.state_dict()
