"""What scores.parquet and selected.parquet of a run hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:  # whoever reads the tables of finished runs needs no model
    from zeroshot.searching.algorithm1 import Scores
    from zeroshot.worlds.protocols import Searched
    from zeroshot.worlds.world import World


def scores_table(images: list[Searched], scores: Scores) -> pd.DataFrame:
    """scores.parquet: one row per test image and b; `score` is that of the b-th image, not the running best.

    Where images come from a pool, `image_index` says which of its class's it was. Where a strategy's evaluations cost
    more than one image, b is the price paid, and skips.
    """
    count, b_max = scores.score.shape
    caption_ids = [np.array(image.caption_ids)[image.caption] for image in images]
    columns = pd.DataFrame(
        {
            "image_id": np.repeat(np.array([image.image_id for image in images], dtype=object), b_max),
            "caption_id": np.concatenate(caption_ids).astype(np.int64),
            "b": np.tile(np.arange(1, b_max + 1), count),
            "label_index": scores.class_index.ravel(),
            "score": scores.score.ravel(),
        }
    )
    if scores.image_index is not None:
        return columns.assign(image_index=scores.image_index.ravel())
    return columns[scores.evaluated.ravel()].reset_index(drop=True)


def by_b(table: pd.DataFrame, b_max: int, column: str = "score", missing: float = -np.inf) -> np.ndarray:
    """A column of scores.parquet as [images, b_max], in the order of its images; `missing` where b skips."""
    first = np.append(True, np.diff(table["b"]) <= 0)  # rows of an image follow each other, b rising
    found = np.full((int(first.sum()), b_max), missing, dtype=table[column].dtype)
    found[np.cumsum(first) - 1, table["b"].to_numpy() - 1] = table[column]
    return found


def selected_table(world: World, images: list[Searched], scores: Scores) -> pd.DataFrame:
    """selected.parquet: one row per test image, the winner of its search; of a strategy also its z and, of a mixture of
    classes, their weights."""
    rows, won = np.arange(len(images)), scores.best_b - 1
    label_index = scores.class_index[rows, won]
    caption = [int(image.caption[b]) for image, b in zip(images, won, strict=True)]
    columns = pd.DataFrame(
        {
            "image_id": [image.image_id for image in images],
            "caption_id": [image.caption_ids[row] for image, row in zip(images, caption, strict=True)],
            "caption": [image.captions[row] for image, row in zip(images, caption, strict=True)],
            "b": scores.best_b,
            "label_index": label_index,
            "label": [world.labels[i] for i in label_index],
            "score": scores.score[rows, won],
        }
    )
    if scores.z is not None and scores.class_weights is not None:
        columns["z"] = pd.Series(scores.z, dtype=object)
        columns["class_weights"] = pd.Series(scores.class_weights, dtype=object)
    return columns if scores.image_index is None else columns.assign(image_index=scores.image_index[rows, won])
