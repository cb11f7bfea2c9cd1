"""A generator that is to be judged: loaded without the refusals of range, mode and neighbours, which are noted."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from zeroshot.models.generators.guest import guest
from zeroshot.models.generators.own import OwnGenerator
from zeroshot.models.generators.own_identity import scratch_of

Mend = Callable[[torch.Tensor], torch.Tensor]  # images as the module gave them -> images in [-1, 1], of the same shape


@dataclass(frozen=True)
class Mechanics:
    """What can be said of a generator's images without looking at them."""

    low: float  # smallest and largest finite value of its images
    high: float
    not_finite: float  # share of values that are NaN or infinite
    repeat: float  # largest difference of values between two calls with the same z and class
    neighbours: float  # and between an image beside itself and the same one in a batch
    grey: bool  # whether red, green and blue are equal everywhere (within half a grey level)
    training: tuple[str, ...]  # parts that came in training mode


class Suspect(OwnGenerator):
    """Any module with `z_dim`, `num_classes`, `image_size` and `forward(z, class_index)`, a world's own included.

    Values that are not finite become 0 and others are cut to [-1, 1], so that whatever it makes can be looked at.

    Args:
        module, name, classes, device: as OwnGenerator's.

    Raises:
        UserError: it has not the attributes, or does not return images of the right shape.
    """

    def __init__(self, module: nn.Module, name: str, classes: int, device: torch.device | None = None) -> None:
        self.training_parts: tuple[str, ...] = ()
        self.mend: Mend | None = None
        super().__init__(module, name, classes, device)

    def _refuse_training(self, parts: list[str]) -> None:
        self.training_parts = tuple(parts)

    @torch.inference_mode()
    def _try(self) -> None:
        with guest(self.called, "failed on the first images"):
            z, classes = self._inputs(2)
            self.scratch = scratch_of(self.module, lambda: self.raw(z.clone(), classes.clone()))

    def _inputs(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        device = next((t.device for t in [*self.parameters(), *self.buffers()]), torch.device("cpu"))
        draws = torch.rand(count, self.z_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        classes = torch.linspace(0, self.num_classes - 1, count).long().to(device)
        return self.latent(draws.clamp_min(torch.finfo(torch.float64).tiny)).to(device), classes

    def raw(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """Images float32 [N, 3, image_size, image_size] as the module gave them."""
        return super().forward(z, class_index)

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """Images float32 [N, 3, image_size, image_size] in [-1, 1], mended where `mended` says how."""
        images = self.raw(z, class_index)
        images = images if self.mend is None else self.mend(images)
        return images.nan_to_num(0.0, 1.0, -1.0).clamp(-1, 1)

    def mended(self, mend: Mend | None) -> Suspect:
        """The same generator whose images a function has put right."""
        other = copy.copy(self)
        other.mend = mend
        return other

    @torch.inference_mode()
    def mechanics(self, count: int = 64) -> Mechanics:
        """Make some images, in batches of 16, and look at their numbers. Raises GuestFault."""
        with guest(self.called, f"failed on {count} images"):
            z, classes = self._inputs(count)
            parts = zip(z.split(16), classes.split(16), strict=True)
            images = torch.cat([self.raw(some.clone(), own.clone()).clone() for some, own in parts])
            again = self.raw(z[:16].clone(), classes[:16].clone())
            alone = self.raw(z[:1].repeat(2, 1), classes[:1].repeat(2))  # twice: statistics of one image may not exist
        finite = images.isfinite()
        known = images[finite]
        return Mechanics(
            low=float(known.min()) if len(known) else math.nan,
            high=float(known.max()) if len(known) else math.nan,
            not_finite=1 - float(finite.double().mean()),
            repeat=_difference(images[:16], again),
            neighbours=_difference(images[:1], alone[:1]),
            grey=max(_difference(images[:, 0], images[:, 1]), _difference(images[:, 1], images[:, 2])) < 1 / 255,
            training=self.training_parts,
        )


def _difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one.nan_to_num(0.0) - other.nan_to_num(0.0)).abs().max())
