"""Does the best score grow like log b? The least-squares fit of a + c·log b to a curve, and how well it fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FEWEST = 3  # two points fit any line


@dataclass(frozen=True)
class LogFit:
    """a + c·log b (natural logarithm) and its coefficient of determination R², at most 1."""

    a: float
    c: float
    r2: float

    @property
    def formula(self) -> str:
        """The fit with its numbers."""
        return f"{self.a:.3f} {'+' if self.c >= 0 else '−'} {abs(self.c):.4f} log b"

    def at(self, b: np.ndarray) -> np.ndarray:
        """Its values at b: float64 like b."""
        return self.a + self.c * np.log(b)


def fit_log(curve: np.ndarray) -> LogFit | None:
    """Fit by least squares over b = 1 … b_max, every b counting alike.

    Args:
        curve: mean best score after b images, float64 [b_max].

    Returns:
        None below three images, and for a constant curve, whose R² is not defined.
    """
    if len(curve) < FEWEST or np.ptp(curve) == 0:
        return None
    x = np.log(np.arange(1, len(curve) + 1))
    c, a = np.polyfit(x, curve, 1)
    residual = curve - (a + c * x)
    return LogFit(float(a), float(c), float(1 - residual.var() / curve.var()))
