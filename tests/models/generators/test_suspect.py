"""A generator that is to be judged: noted instead of refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from zeroshot.errors import UserError
from zeroshot.models.generators.own import OwnGenerator
from zeroshot.models.generators.suspect import Mechanics, Suspect
from zeroshot.runs.inspection.mends import BYTES, NORMALISED, PICTURES, ZERO_TO_ONE, both, range_of


class Waves(nn.Module):
    """Images of [-1, 1] by formula, with a batch norm that is in evaluation mode unless somebody forgets it."""

    z_dim, num_classes, image_size = 4, 1000, 8

    def __init__(self, change: str = "") -> None:
        super().__init__()
        self.change, self.norm = change, nn.BatchNorm2d(3, affine=False)
        self.eval()

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """One of several ways of being wrong."""
        phase = torch.linspace(0, 40, 3 * 64, device=z.device).view(1, 3, 8, 8)
        x = torch.sin(phase + z.sum(dim=1)[:, None, None, None] + class_index[:, None, None, None])
        if self.change == "[0, 1]":
            return (x + 1) / 2
        if self.change == "[0, 255]":
            return (x + 1) * 127.5
        if self.change == "normalised":
            mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
            return ((x + 1) / 2 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        if self.change == "not finite":
            return torch.where(x > 0.9, torch.nan, x)
        if self.change == "random":
            return (x + torch.rand_like(x)).clamp(-1, 1)
        return self.norm(x) / 3 if self.change == "norm" else x


def mechanics(change: str) -> Mechanics:
    """Of Waves that are wrong in a way."""
    return Suspect(Waves(change), "waves", 1000).mechanics()


@pytest.mark.parametrize("change", ["[0, 255]", "not finite", "random"])
def test_what_is_refused_elsewhere_is_noted(change: str) -> None:
    with pytest.raises(UserError):
        OwnGenerator(Waves(change), "waves", 1000)
    seen = mechanics(change)
    assert (seen.not_finite > 0.05) == (change == "not finite")
    assert (seen.repeat > 0.01) == (change == "random")
    assert (seen.high > 200) == (change == "[0, 255]")


def test_training_mode_is_noted_before_it_is_ended() -> None:
    module = Waves("norm").train()
    with pytest.raises(UserError, match="training mode"):
        OwnGenerator(module, "waves", 1000)
    seen = Suspect(module, "waves", 1000).mechanics()
    assert seen.training == ("the module", "norm")
    assert not module.training and seen.neighbours == 0


def test_neighbours_are_noted() -> None:
    class Stubborn(Waves):
        def train(self, mode: bool = True) -> Stubborn:
            return super().train(True)

    assert Suspect(Stubborn("norm"), "waves", 1000).mechanics().neighbours > 0.02


@pytest.mark.parametrize(
    ("change", "wanted"), [("", None), ("[0, 1]", ZERO_TO_ONE), ("[0, 255]", BYTES), ("normalised", NORMALISED)]
)
def test_ranges_are_told_and_mended(change: str, wanted: object) -> None:
    found = range_of(mechanics(change))
    assert found is wanted
    suspect = Suspect(Waves(change), "waves", 1000)
    z, classes = torch.randn(5, 4), torch.arange(5)
    mended = suspect.mended(both(found, PICTURES[0]))(z, classes)
    assert torch.allclose(mended, Waves()(z, classes), atol=1e-5)


def test_a_constant_has_no_range() -> None:
    assert range_of(Mechanics(0.3, 0.3, 0, 0, 0, True, ())) is None


def test_every_image_can_be_looked_at() -> None:
    for change in ("[0, 255]", "not finite"):
        images = Suspect(Waves(change), "waves", 1000)(torch.randn(3, 4), torch.arange(3))
        assert bool(images.isfinite().all()) and float(images.abs().max()) <= 1


def test_a_module_without_its_numbers_is_refused_still() -> None:
    with pytest.raises(UserError, match="z_dim"):
        Suspect(nn.Identity(), "waves", 1000)
    assert np.isfinite(mechanics("").low)
