"""Images of finished runs are the images that were scored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import zeroshot
from zeroshot.errors import EnvironmentFailure
from zeroshot.report.redraw import read_settings, redraw
from zeroshot.runs.run import run, run_path
from zeroshot.worlds.parts import default_run


def test_the_redrawn_winners_score_what_the_run_says(world: zeroshot.World, tmp_path: Path) -> None:
    settings = dataclasses.replace(default_run("miniature", "sagan"), k=3, b_max=5, captions=2)
    run(world, settings, tmp_path)
    path = run_path(tmp_path, settings)
    assert read_settings(path) == settings
    selected = pd.read_parquet(path / "selected.parquet")
    pictures = redraw(world, settings, selected)
    assert pictures.shape == (2, 64, 64, 3) and pictures.dtype == np.uint8
    images = world.clip.encode_images(zeroshot_images(pictures)).cpu().numpy()
    scores = (images * world.clip.encode_text(list(selected.caption)).cpu().numpy()).sum(axis=1)
    np.testing.assert_allclose(scores, selected.score, atol=1e-2)  # 8-bit rounding


def zeroshot_images(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [n, S, S, 3] -> [-1, 1] float [n, 3, S, S]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_settings_of_another_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("settings: {k: 1, unheard_of: 2}\n")
    with pytest.raises(EnvironmentFailure, match=r"config.yaml cannot be read .*make the run again"):
        read_settings(tmp_path)
