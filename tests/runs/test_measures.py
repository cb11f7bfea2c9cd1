from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

import zeroshot
from zeroshot.runs.measures import image_features
from zeroshot.searching.engine import Addresses, addresses
from zeroshot.settings import ProtocolSettings
from zeroshot.worlds.references import PICTURE_BATCH
from zeroshot.worlds.saved import as_saved


@pytest.mark.parametrize("saved_side", [None, 48])
def test_features_of_images_are_those_of_all_their_pictures_together(
    world: zeroshot.World, monkeypatch: pytest.MonkeyPatch, saved_side: int | None
) -> None:
    engine = world.engine("sagan", 16)
    where = addresses(1, "a", 1, 2 * PICTURE_BATCH + 4, np.arange(1000), engine.generator.z_dim)
    saved = as_saved(world.clip, dataclasses.replace(ProtocolSettings(), saved_side=saved_side))
    expected = world.extract(engine.pictures(where, saved))
    at_once = []

    def watched(part: Addresses, finish: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
        at_once.append(len(part))
        return type(engine).pictures(engine, part, finish)

    monkeypatch.setattr(engine, "pictures", watched)
    np.testing.assert_array_equal(image_features(world, engine, where, saved), expected)
    assert at_once == [PICTURE_BATCH, PICTURE_BATCH, 3]  # in memory are never more than these


def test_no_images_no_features(world: zeroshot.World) -> None:
    engine = world.engine("sagan")
    nothing = addresses(1, "a", 1, 1, np.arange(3), engine.generator.z_dim)
    assert image_features(world, engine, nothing).shape == (0, world.features.dim)
