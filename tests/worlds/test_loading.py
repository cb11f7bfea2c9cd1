"""Models from files of the user's own, by settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zeroshot.errors import UserError
from zeroshot.metrics.features import SmallFeatures
from zeroshot.settings import FeaturesSettings
from zeroshot.worlds.loading import load_features


def test_features_load_from_a_wrapper_without_counters_and_what_does_not_fit_is_named(tmp_path: Path) -> None:
    path, state = tmp_path / "features.pth", SmallFeatures().state_dict()
    kept = {key: tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
    torch.save({f"module._orig_mod.{key}": tensor for key, tensor in kept.items()}, path)
    loaded = load_features(FeaturesSettings("small", str(path))).state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)
    del kept["project.bias"]
    torch.save(kept, path)
    with pytest.raises(UserError, match=r"features\.pth does not fit: missing: project\.bias$"):
        load_features(FeaturesSettings("small", str(path)))
