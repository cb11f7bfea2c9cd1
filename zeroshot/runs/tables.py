"""What scores.parquet and selected.parquet of a run hold."""

from __future__ import annotations

import numpy as np
import pandas as pd

from zeroshot.searching.algorithm1 import Scores
from zeroshot.worlds.protocols import Searched
from zeroshot.worlds.world import World


def scores_table(images: list[Searched], scores: Scores) -> pd.DataFrame:
    """scores.parquet: one row per test image and b; `score` is that of the b-th image, not the running best.

    Where images come from a pool, `image_index` says which of its class's it was.
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
    return columns if scores.image_index is None else columns.assign(image_index=scores.image_index.ravel())


def selected_table(world: World, images: list[Searched], scores: Scores) -> pd.DataFrame:
    """selected.parquet: one row per test image, the winner of its search."""
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
    return columns if scores.image_index is None else columns.assign(image_index=scores.image_index[rows, won])
