"""Fréchet distance between two sets of feature vectors (Table 1, lower half; Heusel et al. 2017, equation 6).

d² = |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½), with torchmetrics' sums in float64. Features come first, the distance
second: both sides must have gone through the same preparation and the same extractor.
"""

from __future__ import annotations

import numpy as np
import torch

from zeroshot.errors import EnvironmentFailure, UserError


class _Precomputed(torch.nn.Module):
    """Stands where torchmetrics expects a network: hands features on as they are."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def frechet_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """Fréchet distance of two samples of features.

    Args:
        real: features of the photographs [n, D].
        generated: features of the selected images [m, D].

    Raises:
        UserError: fewer than two vectors on a side, for which no covariance exists.
        EnvironmentFailure: a feature is not finite.
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
    return float(metric.compute())
