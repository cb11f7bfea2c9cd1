"""The authors' own file of label rankings, imagenet_labels.pkl: {image id: [[class indices, best first]]}."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zeroshot.data.base import cut, some
from zeroshot.data.unpickle import read_plain_pickle
from zeroshot.errors import UserError
from zeroshot.limits import CLASSES

logger = logging.getLogger(__name__)


def read_rankings(path: Path, image_ids: Sequence[str]) -> dict[str, np.ndarray]:
    """All class indices, best first, of the images that the file ranks: int64 [1000] each.

    Args:
        path: a pickle of plain containers; nothing in it is run.
        image_ids: of the test split. Those that the file lacks, 44 of the authors', draw from all labels: a warning
            says how many.

    Raises UserError: no such pickle; an image that the split lacks; a ranking that is not the 1,000 indices once each.
    """
    content = read_plain_pickle(path)
    if not isinstance(content, dict) or not content:
        raise UserError(
            f"{path} holds {type(content).__name__ if content else 'nothing'}, but rankings are a dictionary of "
            "{image id: [[class indices]]}"
        )
    unknown = sorted(map(str, set(content) - set(image_ids)))
    if unknown:
        raise UserError(
            f"{path} ranks labels for images that the test split lacks: {some(unknown)}: give that of this split"
        )
    ranked = {image_id: _ranking(path, image_id, found) for image_id, found in content.items()}
    lacking = [image_id for image_id in image_ids if image_id not in ranked]
    if lacking:
        logger.warning(
            "%s has no ranking of %d of %d test images, which draw from all labels: %s",
            path, len(lacking), len(image_ids), some(lacking),
        )  # fmt: skip
    return ranked


def _ranking(path: Path, image_id: str, found: Any) -> np.ndarray:
    inner = found[0] if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list) else found
    if isinstance(inner, list) and all(type(index) is int for index in inner) and sorted(inner) == list(range(CLASSES)):
        return np.array(inner, dtype=np.int64)
    said = f"{len(inner)} entries" if isinstance(inner, list) else f"a {type(inner).__name__}"
    raise UserError(
        f"{path}: the ranking of {cut(image_id)} is {said}, but it is each class index of 0 to {CLASSES - 1} once"
    )
