"""SAGAN against StudioGAN's own class, of 2021 and of today, from files as StudioGAN saves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.goldens.golden import assert_pixels, read
from tests.goldens.inputs import CLASSES, latents
from tests.goldens.weights import state
from tests.models.generators.test_sagan_checkpoints import studiogan_shapes
from zeroshot.errors import UserError
from zeroshot.models.checkpoints import read_checkpoint
from zeroshot.models.generators.sagan import SAGAN

# Pixels lie in [-1, 1]. Sums of up to 9,216 products in float32, added up in another order by each library and
# processor, through twelve layers: 1e-5 seen.
ATOL = 5e-5


@pytest.fixture(scope="module")
def weights(request: pytest.FixtureRequest) -> tuple[str, dict[str, Tensor]]:
    """Which keys, and the state."""
    return request.param, state(studiogan_shapes(request.param))


def laid_out(weights: dict[str, Tensor], layout: str) -> dict[str, object]:
    """What a file holds."""
    if layout == "bare":
        return dict(weights)
    if layout == "module.":  # as DistributedDataParallel saves; versions of PyTorch before 0.4.1 had no counters
        marked = {f"module.{key}": t for key, t in weights.items() if not key.endswith("num_batches_tracked")}
        return {"state_dict": marked, "best_fid": np.float64(34.7), "best_step": np.int64(920_000)}
    moments = {0: {"step": 920_000, "exp_avg": torch.zeros(3), "exp_avg_sq": torch.zeros(3)}}
    optimizer = {"state": moments, "param_groups": [{"lr": 1e-4, "betas": (0.0, 0.999), "params": [0]}]}
    extras = {"seed": 3847, "run_name": "SAGAN-train-2021_02_11_16_18_59", "step": 920_000, "ada_p": "No"}
    return {"state_dict": weights, "optimizer": optimizer} | extras


@pytest.mark.parametrize(
    ("weights", "layout"),
    [
        ("old", "with extras"),
        ("new", "module."),
        *(
            pytest.param(version, layout, marks=pytest.mark.slow)
            for version, layout in (("old", "bare"), ("old", "module."), ("new", "bare"), ("new", "with extras"))
        ),
    ],
    indirect=["weights"],
)
@torch.inference_mode()
def test_sagan_gives_studiogans_images(tmp_path: Path, weights: tuple[str, dict[str, Tensor]], layout: str) -> None:
    version, tensors = weights
    path = tmp_path / "model=G-best-weights-step=920000.pth"
    torch.save(laid_out(tensors, layout), path)
    model = SAGAN.from_state(read_checkpoint(path), str(path), UserError)
    golden = read("studiogan_2021" if version == "old" else "studiogan")["images"]
    assert_pixels(model(latents(), torch.tensor(CLASSES)), golden, ATOL)
