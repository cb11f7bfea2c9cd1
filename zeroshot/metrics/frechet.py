"""Fréchet distance between two sets of feature vectors (Table 1, lower half; Heusel et al. 2017, equation 6).

d² = |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½), with torchmetrics' sums in float64. Features come first, the distance
second: both sides must have gone through the same preparation and the same extractor.
"""

from __future__ import annotations

import numpy as np
import torch

from zeroshot.errors import EnvironmentFailure, UserError

# How far below zero rounding may take a distance, as a part of the features' mean squares. The square roots of
# eigenvalues that are zero but for their last bits do it: measured up to 6e-8 with fewer images than features.
ROUNDING = 1e-5


class _Precomputed(torch.nn.Module):
    """Stands where torchmetrics expects a network: hands features on as they are."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def frechet_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """Fréchet distance of two samples of features, at least 0; of small samples see `zeroshot.metrics.bias`.

    Args:
        real: features of the photographs [n, D].
        generated: features of the selected images [m, D].

    Raises:
        UserError: fewer than two vectors on a side, for which no covariance exists.
        EnvironmentFailure: a feature is not finite, or the distance itself is none.
    """
    for name, features in (("photographs", real), ("selected images", generated)):
        if len(features) < 2:
            raise UserError(f"{len(features)} {name}, but a Fréchet distance needs at least 2: raise captions")
        if not np.isfinite(features).all():
            row = int(np.argwhere(~np.isfinite(features))[0, 0])
            raise EnvironmentFailure(
                f"a feature of the {name} is not finite (row {row}): the extractor's weights are at fault"
            )
    # Here, since it takes a second and most commands find their distances computed.
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=_Precomputed(real.shape[1]), normalize=False).set_dtype(torch.float64)
    metric.eval()
    metric.update(torch.from_numpy(np.ascontiguousarray(real, dtype=np.float64)), real=True)
    metric.update(torch.from_numpy(np.ascontiguousarray(generated, dtype=np.float64)), real=False)
    squares = (real**2).mean(axis=0).sum() + (generated**2).mean(axis=0).sum()
    return without_rounding(float(metric.compute()), float(squares))


def without_rounding(distance: float, squares: float) -> float:
    """A distance as it was computed from features of such mean squares: 0 where rounding left it below.

    Raises EnvironmentFailure for one further below zero than rounding takes it, or that is not finite.
    """
    if not -ROUNDING * squares <= distance < np.inf:
        raise EnvironmentFailure(
            f"the Fréchet distance came out as {distance:g} of features with mean squares of {squares:g}, but it is a "
            "number of 0 or more: the extractor's weights or this machine's linear algebra are at fault"
        )
    return max(0.0, distance)
