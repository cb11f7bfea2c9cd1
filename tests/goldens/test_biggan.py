"""BigGAN-deep at its three sizes against pytorch-pretrained-biggan, from folders as its from_pretrained reads them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from _pytest.mark import ParameterSet
from torch import Tensor

from tests.goldens.golden import assert_pixels, pixels, read
from tests.goldens.inputs import BIGGAN, CLASSES, TRUNCATIONS, latents
from tests.goldens.weights import state
from zeroshot.errors import UserError
from zeroshot.models.biggan_library import BigGAN as LibraryBigGAN
from zeroshot.models.biggan_library import BigGANConfig
from zeroshot.models.checkpoints import load_biggan_folder
from zeroshot.models.generators.biggan import BigGAN

# Pixels lie in [-1, 1]. Sums in another order, and upsampling folded into the convolution after it, through up to 57
# layers: 5e-6 seen, at truncation 1.0 of 256 and 512 px 3e-5.
ATOL = 1e-4
DEPARTURE = 2e-3  # more than that is no rounding
GOLDEN = read("biggan")
Files = tuple[dict[str, Any], dict[str, Tensor]]
QUICK = [(128, 0.4), (128, 0.425)]  # of sizes and truncations


@pytest.fixture(scope="module")
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Configuration and state of a size, from a folder of files."""
    folder = tmp_path_factory.mktemp("biggan")
    config = BigGANConfig(**BIGGAN[request.param])
    with torch.device("meta"):
        shapes = {key: tuple(t.shape) for key, t in LibraryBigGAN(config).state_dict().items()}
    (folder / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
    torch.save(state(shapes), folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)  # as in 2019
    return load_biggan_folder(folder)


def cases(sizes: Iterable[int], truncations: Iterable[float]) -> list[ParameterSet]:
    """Sizes times truncations, the large ones marked."""
    pairs = itertools.product(sizes, truncations)
    return [pytest.param(*pair, marks=[] if pair in QUICK else pytest.mark.slow) for pair in pairs]


@torch.inference_mode()
def image(files: Files, truncation: float) -> Tensor:
    model = BigGAN(*files, truncation, "biggan", UserError)
    return model(latents(truncation)[1:], torch.tensor(CLASSES[1:]))


@pytest.mark.parametrize(("files", "truncation"), cases(BIGGAN, TRUNCATIONS), indirect=["files"])
def test_biggan_gives_the_packages_images(files: Files, truncation: float) -> None:
    size = files[0]["output_dim"]
    assert_pixels(image(files, truncation), GOLDEN[f"{size} px at {truncation}"], ATOL)


@pytest.mark.parametrize(("files", "truncation"), cases([128], [0.425, 0.14]), indirect=["files"])
def test_between_two_steps_the_project_departs_from_the_package(files: Files, truncation: float) -> None:
    golden = GOLDEN[f"128 px at {truncation}"]
    ours = image(files, truncation)
    assert_pixels(ours, golden["with the statistics of the truncation"], ATOL)
    away = (torch.tensor(pixels(ours)["grid"]) - torch.tensor(golden["the package's own"]["grid"])).abs().max()
    assert DEPARTURE < away < 1e-2
