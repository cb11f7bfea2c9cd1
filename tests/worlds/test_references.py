"""What photographs are there for is made in parts: stopped between them it goes on, and no bit depends on that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zeroshot
from zeroshot.errors import Interrupted
from zeroshot.worlds import references


@pytest.mark.slow
def test_a_preparation_that_is_stopped_goes_on_and_ends_with_the_same_bits(
    world: zeroshot.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "PHOTOGRAPHS", 2 * references.PICTURE_BATCH)
    monkeypatch.setattr(references, "TEXTS", 2 * 256)
    turns = 0
    while True:
        asked = iter([False, False, True])  # two parts in each turn
        again = zeroshot.load_world("miniature", device="cpu", cache=tmp_path)
        again.cache.should_stop = lambda asked=asked: next(asked)  # type: ignore[misc]
        try:
            features = again.test_features
            break
        except Interrupted:
            turns += 1
    assert turns >= 1
    np.testing.assert_array_equal(features, world.test_features)
    again.cache.should_stop = lambda: False
    assert again.threshold == world.threshold
    assert not list(tmp_path.glob("*-part-*"))
