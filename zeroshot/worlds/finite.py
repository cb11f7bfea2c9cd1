"""Numbers that are not finite stop the work at once: never kept, never compared, never replaced."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zeroshot.errors import EnvironmentFailure


def check_rows(rows: np.ndarray, name: Callable[[int], str]) -> np.ndarray:
    """The array [n, …] as it is; raises EnvironmentFailure with the name of its first row that is not finite."""
    finite = np.isfinite(rows).reshape(len(rows), -1).all(axis=1)  # [n]
    if not finite.all():
        raise EnvironmentFailure(f"{name(int(finite.argmin()))} is not finite: weights or precision are at fault")
    return rows
