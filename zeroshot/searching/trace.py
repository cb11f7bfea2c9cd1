"""What a search by a strategy leaves: each of its evaluations, with the z that the best can be made again from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from zeroshot.searching.engine import Points


@dataclass
class Trace:
    """Evaluations in their order: the price paid up to each, its class and its score.

    Of those that were the best so far also the generator's own z, float32 [z_dim], and of a mixture of classes their
    weights, float32 [classes]; by their place.
    """

    b: list[int] = field(default_factory=list)
    class_index: list[int] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    z: dict[int, np.ndarray] = field(default_factory=dict)
    class_weights: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def paid(self) -> int:
        """The price of all evaluations."""
        return self.b[-1] if self.b else 0

    @property
    def best(self) -> int:
        """The evaluation of the highest score, counted from 0; the earliest where several are equal."""
        return int(np.argmax(self.score))

    @property
    def best_score(self) -> float:
        """Its score."""
        return max(self.score)

    def points(self, rows: list[int]) -> Points:
        """Some evaluations that were the best so far, to generate their images again."""
        weights = [self.class_weights.get(row) for row in rows]
        return points([self.z[row] for row in rows], [self.class_index[row] for row in rows], weights)


def points(z: list[np.ndarray], class_index: list[int], class_weights: list[np.ndarray | None]) -> Points:
    """Images by z float32 [z_dim] and class; where one is a mixture, the others have all weight on their class."""
    z_all, classes = np.stack(z).astype(np.float32), np.array(class_index, dtype=np.int64)
    mixed = next((weights for weights in class_weights if weights is not None), None)
    if mixed is None:
        return Points(z_all, classes)
    whole = np.eye(len(mixed), dtype=np.float32)
    weights = [whole[c] if w is None else w for c, w in zip(classes, class_weights, strict=True)]
    return Points(z_all, classes, np.stack(weights).astype(np.float32))
