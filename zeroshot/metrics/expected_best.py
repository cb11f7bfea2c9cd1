"""Expected best of b: the running maximum's smooth companion, from the same scores (a second reading of Figure 2)."""

from __future__ import annotations

import numpy as np


def order_weights(n: int) -> np.ndarray:
    """How much each of n scores in ascending order counts in the expected best of b of them.

    The i-th smallest is the best of C(i-1, b-1) of the C(n, b) subsets of size b. Each row follows from that of b-1 by
    the factor (i-b+1)·b / ((b-1)·(n-b+1)), so no binomial is ever computed and nothing overflows; a weight that
    underflows is past its largest value and would only become smaller.

    Args:
        n: number of scores, at least 1.

    Returns:
        float64 [n, n]: row b-1 holds the weights for b; each row sums to 1.
    """
    i = np.arange(1.0, n + 1)
    b = np.arange(2.0, n + 1)[:, None]
    steps = np.maximum(i - b + 1, 0) * b / ((b - 1) * (n - b + 1))  # [n - 1, n]
    return np.cumprod(np.vstack([np.full((1, n), 1 / n), steps]), axis=0)


def expected_best(scores: np.ndarray) -> np.ndarray:
    """Expected best score after b images, b = 1 … n, of each caption.

    E[max of b] = Σ_i s_(i) · C(i-1, b-1) / C(n, b) over the scores in ascending order: the mean of the maximum over all
    subsets of b of the n images, without drawing one. It is unbiased for every b because the draws of a caption are
    exchangeable, and at b = n it is the maximum itself. It is the estimator of pass@k of Chen et al., Evaluating Large
    Language Models Trained on Code (2021), for a maximum instead of a success.

    Args:
        scores: [captions, n], n at least 1; their order does not matter.

    Returns:
        float64 [captions, n], never decreasing along b. Needs 8 n² bytes beside.

    Example:
        >>> expected_best(np.array([[3.0, 1.0, 2.0]])).round(3).tolist()
        [[2.0, 2.667, 3.0]]
    """
    return np.sort(scores.astype(np.float64), axis=1) @ order_weights(scores.shape[1]).T


def mean_expected_curve(scores: np.ndarray) -> np.ndarray:
    """Mean over captions of the expected best score after b images: [captions, n] -> float64 [n]."""
    # The estimator is linear in the ordered scores, so their mean is enough.
    ordered = np.sort(scores.astype(np.float64), axis=1).mean(axis=0)
    return order_weights(len(ordered)) @ ordered
