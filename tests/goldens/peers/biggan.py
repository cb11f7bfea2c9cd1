"""pytorch-pretrained-biggan: BigGAN-deep at three sizes and truncations, and between the steps of its statistics."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from tests.goldens.golden import pixels
from tests.goldens.inputs import BIGGAN, CLASSES, TRUNCATIONS, latents
from tests.goldens.weights import state

# Truncations at which the project departs, and the ones that make the package take the statistics that they should
# have. Its steps are of 1/50; between two of them it exchanges the weights of its interpolation: at 0.425, which is
# step 21.25, it takes what step 21.75 should have, which is 0.435. And 0.14 / 0.02 is 7.000000000000001 to it, between
# 7 and 8, so that it takes step 8.
DEPARTURES = {0.425: 0.435, 0.14: 0.12 + 1e-12}


def run(package: Path) -> dict[str, Any]:
    """The cases of the installed package."""
    library = importlib.import_module(package.name)
    cases: dict[str, Any] = {}
    for size, config in BIGGAN.items():
        model = library.BigGAN(library.BigGANConfig(**config)).eval()
        model.load_state_dict(state({key: tuple(t.shape) for key, t in model.state_dict().items()}))
        for truncation in TRUNCATIONS:
            cases[f"{size} px at {truncation}"] = _image(model, truncation, truncation)
        if size == 128:
            for truncation, exchanged in DEPARTURES.items():
                cases[f"{size} px at {truncation}"] = {
                    "the package's own": _image(model, truncation, truncation),
                    "with the statistics of the truncation": _image(model, truncation, exchanged),
                }
    return cases


@torch.inference_mode()
def _image(model: Any, truncation: float, of_statistics: float) -> dict[str, Any]:
    one_hot = F.one_hot(torch.tensor(CLASSES[1:]), model.config.num_classes).float()
    return pixels(model(latents(truncation)[1:], one_hot, of_statistics))
