"""torch-fidelity: its Inception at four sizes, and its Fréchet distance."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import torch

from tests.goldens.golden import features, numbers
from tests.goldens.inputs import FRECHET, SIDES, frechet_features, inception_picture, inception_shapes
from tests.goldens.weights import state


def run(checkout: Path) -> dict[str, Any]:
    """The cases of a checkout, with the formula's weights in the place of the download."""
    sys.path.insert(0, str(checkout))
    module: Any = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    metric = importlib.import_module("torch_fidelity.metric_fid")
    module.load_state_dict_from_url = lambda *args, **kwargs: state(inception_shapes())
    extractor = module.FeatureExtractorInceptionV3("inception", ["2048"])
    cases: dict[str, Any] = {}
    for side in SIDES:
        with torch.inference_mode():
            cases[f"{side} px"] = {"its own size": features(extractor(inception_picture(side))[0])}
    for case in FRECHET:
        one, other = (metric.fid_features_to_statistics(torch.from_numpy(x)) for x in frechet_features(case))
        distance = metric.fid_statistics_to_metric(one, other, verbose=False)[metric.KEY_METRIC_FID]
        cases[case] = numbers(torch.tensor(distance, dtype=torch.float64))
    return cases
