"""pytorch-fid: its Inception at four sizes, and its Fréchet distance."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from tests.goldens.golden import features, numbers
from tests.goldens.inputs import FRECHET, SIDES, frechet_features, inception_picture, inception_shapes
from tests.goldens.weights import state


def run(checkout: Path) -> dict[str, Any]:
    """The cases of a checkout, with the formula's weights in the place of the download.

    Pictures go in at their own size, as the command does it, and brought to 256 px first, as the paper's were.
    """
    sys.path.insert(0, str(checkout / "src"))
    module: Any = importlib.import_module("pytorch_fid.inception")
    score = importlib.import_module("pytorch_fid.fid_score")
    module.load_state_dict_from_url = lambda *args, **kwargs: state(inception_shapes())
    model = module.InceptionV3().eval()
    cases: dict[str, Any] = {}
    for side in SIDES:
        x = inception_picture(side).float() / 255
        at_256 = F.interpolate(x, (256, 256), mode="bilinear", align_corners=False, antialias=True)
        with torch.inference_mode():
            given = {"its own size": x, "256 px first": at_256}
            cases[f"{side} px"] = {name: features(model(x)[0][:, :, 0, 0]) for name, x in given.items()}
    warnings.simplefilter("ignore")  # that an argument of scipy's is deprecated
    for case in FRECHET:
        sets = frechet_features(case)
        means_and_covariances = [part for x in sets for part in (np.mean(x, axis=0), np.cov(x, rowvar=False))]
        cases[case] = numbers(torch.tensor(score.calculate_frechet_distance(*means_and_covariances)))
    return cases
