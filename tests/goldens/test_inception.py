"""Inception's features against pytorch-fid's and torch-fidelity's own classes, for pictures of four sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.goldens.golden import features, read
from tests.goldens.inputs import SIDES, inception_picture, inception_shapes
from tests.goldens.weights import state
from zeroshot.metrics.inception import SIDE, InceptionFeatures

# Features are between 0 and 7, with a mean of 1. Sums in another order, through 48 layers, move them by 2e-6.
ATOL = 5e-5
PYTORCH_FID, TORCH_FIDELITY = read("pytorch_fid"), read("torch_fidelity")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> InceptionFeatures:
    path = tmp_path_factory.mktemp("inception") / "pt_inception-2015-12-05-6726825d.pth"
    torch.save(state(inception_shapes()), path)
    return InceptionFeatures.from_checkpoint(path)


def away(rows: Tensor, golden: dict[str, Any]) -> float:
    """Largest difference of the golden's features, of their mean and of their standard deviation."""
    ours = features(rows)
    return max(float((torch.tensor(ours[part]) - torch.tensor(golden[part])).abs().max()) for part in golden)


def as_tensorflow(images: Tensor, side: int) -> Tensor:
    """TensorFlow 1's bilinear resize of square images: the place of pixel i is i · S / side, without its centre."""
    place = torch.arange(side, dtype=torch.float64) * images.shape[-1] / side
    low = place.floor().long()
    high, part = (low + 1).clamp(max=images.shape[-1] - 1), (place - low).float()
    rows = torch.lerp(images[..., low, :], images[..., high, :], part[:, None])
    return torch.lerp(rows[..., low], rows[..., high], part)


@pytest.mark.parametrize("side", SIDES)
@torch.inference_mode()
def test_the_features_are_pytorch_fids(network: InceptionFeatures, side: int) -> None:
    golden, picture = PYTORCH_FID[f"{side} px"], inception_picture(side)
    assert away(network(picture), golden["256 px first"]) < ATOL
    prepared = F.interpolate(picture / 127.5 - 1, (SIDE, SIDE), mode="bilinear", align_corners=False)
    assert away(network.network(prepared), golden["its own size"]) < ATOL


@pytest.mark.parametrize("side", SIDES)
@torch.inference_mode()
def test_the_network_is_torch_fidelitys(network: InceptionFeatures, side: int) -> None:
    prepared = (as_tensorflow(inception_picture(side).float(), SIDE) - 128) / 128
    assert away(network.network(prepared), TORCH_FIDELITY[f"{side} px"]["its own size"]) < ATOL


@pytest.mark.parametrize("side", SIDES)
@torch.inference_mode()
def test_pictures_go_through_256_px_on_purpose(network: InceptionFeatures, side: int) -> None:
    ours = network(inception_picture(side))
    departure = away(ours, PYTORCH_FID[f"{side} px"]["its own size"])
    assert departure < ATOL if side == network.image_size else 0.05 < departure < 0.5
    assert away(ours, TORCH_FIDELITY[f"{side} px"]["its own size"]) > 100 * ATOL  # another resize, another white
