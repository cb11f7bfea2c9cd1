"""Kernel distance between two sets of features (KID; Bińkowski et al. 2018): unbiased however few they are.

d² = E k(x, x') + E k(y, y') - 2 E k(x, y) with k(x, y) = (x·y / D + 1)³: torch-fidelity's, on features of ours.
"""

from __future__ import annotations

import numpy as np

from zeroshot.errors import UserError

SUBSETS, LARGEST_SUBSET = 100, 1000  # torch-fidelity's defaults; a subset has at most half of the images
FEWEST = 4  # images a side: two in each half
RESAMPLES = 200


def kernel_distance(real: np.ndarray, generated: np.ndarray) -> float | None:
    """Kernel distance of two samples of features; around 0, and a little below too, where they are alike.

    Args:
        real: features of the photographs, float64 [n, D].
        generated: features of images, float64 [m, D].

    Returns:
        None below four images on a side, for which there is none.
    """
    fewest = min(len(real), len(generated))
    if fewest < FEWEST:
        return None
    # Here, since it takes a second to import and most commands find their distances computed.
    import torch
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    found = kid_features_to_metric(
        torch.from_numpy(np.ascontiguousarray(generated, dtype=np.float64)),
        torch.from_numpy(np.ascontiguousarray(real, dtype=np.float64)),
        kid_subsets=SUBSETS,
        kid_subset_size=min(LARGEST_SUBSET, fewest // 2),
        verbose=False,
    )
    return float(found[KEY_METRIC_KID_MEAN])


def kernel_distance_error(real: np.ndarray, generated: np.ndarray, resamples: int = RESAMPLES) -> float:
    """Standard error of the kernel distance, by bootstrap over the images of both sides.

    A pair of an image with itself, which drawing with replacement makes, is left out: it would bias the distance.

    Args:
        real, generated: as `kernel_distance`'s.
        resamples: how often both sides are drawn with replacement; the draws are fixed.

    Raises UserError below four images on a side.
    """
    if min(len(real), len(generated)) < FEWEST:
        raise UserError(f"{min(len(real), len(generated))} images, but a kernel distance needs at least {FEWEST}")
    sides = [np.asarray(side, dtype=np.float64) for side in (real, generated)]
    own = [_kernel(side, side) for side in sides]
    for kernel in own:
        np.fill_diagonal(kernel, 0)
    between, source = _kernel(*sides), np.random.default_rng(np.random.Philox(key=0))
    found = []
    for _ in range(resamples):
        counts = [source.multinomial(len(side), np.full(len(side), 1 / len(side))).astype(float) for side in sides]
        inner = [w @ k @ w / (w.sum() ** 2 - (w**2).sum()) for w, k in zip(counts, own, strict=True)]
        found.append(sum(inner) - 2 * (counts[0] @ between @ counts[1]) / (len(real) * len(generated)))
    return float(np.std(found, ddof=1))


def _kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one @ other.T / one.shape[1] + 1) ** 3
