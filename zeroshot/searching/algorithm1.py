"""Algorithm 1 of Du, Yin and Gu (2023): CLIP-guided zero-shot text-to-image generation.

    Input   caption T, labels, CLIP, generator G, k, b_max
    1       h_txt = CLIP_text(T)
    2       sort the labels by cosine(h_txt, CLIP_text("An image of {label}")); Y = the top k
    3       for b = 1 … b_max:  z ~ N(0, I),  y ~ Uniform(Y),  x = G(z, y),  s_b = cosine(h_txt, CLIP_image(x))
    4       return the x of the highest s_b, the earliest where several are equal

The paper starts its running maximum at 0; here it starts at minus infinity, so that a caption whose scores are all
negative still has a best image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from zeroshot.errors import EnvironmentFailure
from zeroshot.searching.draws import by_probability, choose_rank, draw
from zeroshot.searching.engine import Addresses, Engine
from zeroshot.searching.faults import addressed


@dataclass(frozen=True)
class Task:
    """One test image to search for. In the paper it has one caption, so `caption` and `ranked_by` are all zero."""

    image_id: str  # the address of its draws
    text: np.ndarray  # h_txt of its captions, unit vectors [n, D]
    ranking: np.ndarray  # all class indices by similarity to each caption, int64 [n, classes]
    caption: np.ndarray  # which caption the b-th image is scored with, int64 [b_max]
    ranked_by: np.ndarray  # and whose ranking its class is drawn from, int64 [b_max]
    ranked: bool = True  # False: its classes are drawn from all labels, whatever k
    # start = softmax: of all labels in their ranking, float64 [n, classes]; None: uniform over the top k
    probability: np.ndarray | None = None

    def top(self, k: int, b_start: int, b_stop: int) -> np.ndarray:
        """The top k class indices at b_start … b_stop - 1, int64 [b_stop - b_start, k]."""
        kept = k if self.ranked else self.ranking.shape[1]
        return self.ranking[self.ranked_by[b_start - 1 : b_stop - 1], :kept]

    def draws(self, seed: int, k: int, b_start: int, b_stop: int, z_dim: int) -> Addresses:
        """Its draws b_start … b_stop - 1 by their address: y uniformly from the top k, or by `probability`."""
        drawn, top = draw(seed, self.image_id, b_start, b_stop, z_dim), self.top(k, b_start, b_stop)
        if self.probability is None:
            rank = choose_rank(drawn.label, top.shape[1])
            return Addresses(drawn.latent, top[np.arange(len(rank)), rank])
        ranked_by = self.ranked_by[b_start - 1 : b_stop - 1]
        rows = zip(drawn.label, self.probability[ranked_by], self.ranking[ranked_by], strict=True)
        return Addresses(drawn.latent, np.array([by_probability(*row) for row in rows], dtype=np.int64))


def rank_labels(text_embeddings: torch.Tensor, label_embeddings: torch.Tensor) -> torch.Tensor:
    """Class indices by descending cosine similarity to each text.

    Args:
        text_embeddings: unit vectors [N, D].
        label_embeddings: unit vectors [classes, D].

    Returns:
        int64 [N, classes]; ties are broken by the lower class index. The sums are taken in float64, one text at a time,
        so that a text's ranking does not depend on its neighbours.
    """
    labels = label_embeddings.double()
    rows = [torch.sort(labels @ text, descending=True, stable=True).indices for text in text_embeddings.double()]
    return torch.stack(rows) if rows else torch.empty(0, len(labels), dtype=torch.int64)


def similarity(texts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cosine of each label with each text: float64 [n, classes] of unit vectors [n, D] and [classes, D].

    One text at a time, so that none depends on its neighbours.
    """
    return np.stack([labels.astype(np.float64) @ text for text in texts.astype(np.float64)])


@dataclass(frozen=True)
class Scores:
    """What a search leaves: for each task and b the class drawn, int64 [tasks, b_max], and its score, float64.

    `image_index`, int64 [tasks, b_max], says which image of its class it was where images come from a shared pool.
    Of other strategies than Algorithm 1, b is the price paid, at which there may be no evaluation: class -1 and score
    -inf. They leave the z of each task's best image, float32 [z_dim], and its weights of classes, float32 [classes], or
    None where it has one class.
    """

    class_index: np.ndarray
    score: np.ndarray
    image_index: np.ndarray | None = None
    z: list[np.ndarray] | None = None
    class_weights: list[np.ndarray | None] | None = None

    @property
    def evaluated(self) -> np.ndarray:
        """Where there is an evaluation, bool [tasks, b_max]."""
        return self.class_index >= 0

    @property
    def best_b(self) -> np.ndarray:
        """The winning b of each task, counted from 1; ties go to the lower b. int64 [tasks]."""
        return self.score.argmax(axis=1) + 1


def run_tasks(engine: Engine, tasks: list[Task], k: int, b_max: int, seed: int, b_start: int = 1) -> Scores:
    """Algorithm 1 for several captions at once, in the engine's batches across captions and b.

    `b_start` > 1 goes on where an earlier call ended: the scores are those of b_start … b_max only.

    Raises EnvironmentFailure where a score is not finite, and UserError where a generator of the user's does something
    wrong, naming the address.
    """
    z_dim = engine.generator.z_dim
    where = Addresses.join([task.draws(seed, k, b_start, b_max + 1, z_dim) for task in tasks])
    text = np.concatenate([task.text[task.caption[b_start - 1 : b_max]] for task in tasks])  # [tasks * images, D]

    def name(row: int) -> str:
        task, column = divmod(row, b_max + 1 - b_start)
        return f"{draw_in_words(tasks[task], b_start + column, seed)}, k = {k}"

    with addressed(name):
        score = engine.scores(where, text).reshape(len(tasks), -1)  # [tasks, images]
    scores = Scores(where.class_index.reshape(len(tasks), -1), score)
    check_finite(engine, tasks, scores, seed, b_start)
    return scores


def check_finite(engine: Engine, tasks: list[Task], scores: Scores, seed: int, b_start: int = 1) -> None:
    """Raise EnvironmentFailure with the address of the first score that is not finite."""
    if not np.isfinite(scores.score).all():
        row, column = np.argwhere(~np.isfinite(scores.score))[0]
        raise EnvironmentFailure(
            f"score {scores.score[row, column]} of {engine.generator.called} at "
            f"{draw_in_words(tasks[row], b_start + column, seed)}, class {scores.class_index[row, column]}: "
            "weights or precision are at fault"
        )


def draw_in_words(task: Task, b: int, seed: int) -> str:
    """The address of a draw for messages; a prompt, which is an address too, is cut to 80 characters."""
    return f"seed {seed}, caption of {' '.join(task.image_id.split()):.80}, b = {b}"


def winners(engine: Engine, tasks: list[Task], scores: Scores, k: int, seed: int) -> Addresses:
    """Addresses of the best image of each task, to generate it again (scores are stored, images are not)."""
    z_dim, best = engine.generator.z_dim, scores.best_b.tolist()
    return Addresses.join([task.draws(seed, k, b, b + 1, z_dim) for task, b in zip(tasks, best, strict=True)])
