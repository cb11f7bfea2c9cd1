"""Orders of the classes: the right one, those that people use by mistake, and the best of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zeroshot.metrics.label_accuracy import accuracy, label_ranks
from zeroshot.runs.inspection.measured import Orders


def named_orders(labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Name -> which label class i shows, int64 [classes], where the classes are in that order."""
    places = np.arange(len(labels))
    alphabetical = np.array(sorted(range(len(labels)), key=lambda i: labels[i].lower()))
    return {
        "off by one (class i shows label i + 1)": np.roll(places, -1),
        "off by one (class i shows label i - 1)": np.roll(places, 1),
        "off by two (class i shows label i + 2)": np.roll(places, -2),
        "off by two (class i shows label i - 2)": np.roll(places, 2),
        "reversed": places[::-1],
        "alphabetical": alphabetical,
        "alphabetical, of numbers as text": np.array(sorted(range(len(labels)), key=str)),
    }


def orders(vectors: np.ndarray, classes: np.ndarray, label_vectors: np.ndarray, labels: Sequence[str]) -> Orders:
    """Accuracy of each order.

    Args:
        vectors: CLIP's of images, unit vectors [classes, n, D], n at least 2.
        classes: which class each row is of, int64 [classes].
        label_vectors: unit vectors of all labels.
        labels: their names.
    """
    n, dim = vectors.shape[1:]
    images = vectors.reshape(-1, dim)

    def top5(shown: np.ndarray, some: np.ndarray = images, times: int = n) -> float:
        return accuracy(label_ranks(some, label_vectors, shown.repeat(times)), 5)

    named = {name: top5(order[classes]) for name, order in named_orders(labels).items()}
    half = n // 2
    found = matching(vectors[:, :half].mean(axis=1), label_vectors)
    tested = vectors[:, half:].reshape(-1, dim)
    return Orders(top5=top5(classes), named=named, matched=top5(found, tested, n - half))


def matching(means: np.ndarray, label_vectors: np.ndarray) -> np.ndarray:
    """The one-to-one order under which classes are most similar to their labels; int64 [classes].

    Args:
        means: of each class's vectors [classes, D].
        label_vectors: [labels, D], at least as many.
    """
    from scipy.optimize import linear_sum_assignment  # half a second to import

    return linear_sum_assignment(-(means @ label_vectors.T))[1]
