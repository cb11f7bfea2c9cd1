"""The formula gives the same bits everywhere: else a golden would speak of other weights than the test's."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tests.goldens.weights import picture, tensor, unit

PINNED = {
    ("linear0.weight_orig", (64, 128)): "8804635f5d6e741d",
    ("blocks.0.0.bn1.bn.running_var", (1024,)): "0f7781430e927562",
    ("generator.bn.running_means", (51, 128)): "de74bc0f51310856",
    ("visual.conv1.weight", (768, 3, 32, 32)): "a429d81d3608b6ca",
    ("token_embedding.weight", (100, 512)): "2d8db48fcb565ac2",
    ("ln_final.weight", (512,)): "79a384fea3ac88bb",
    ("bn4.num_batches_tracked", ()): "17554d0c811b5b4d",
}


@pytest.mark.parametrize(("key", "shape"), PINNED)
def test_the_formula_gives_the_same_bits_everywhere(key: str, shape: tuple[int, ...]) -> None:
    values = tensor(key, shape)
    assert values.shape == shape
    assert digest(values) == PINNED[key, shape]


def test_pictures_are_the_same_everywhere() -> None:
    assert digest(picture("bird", 37)) == "f3efd08a1b7084b9"


def digest(values: np.ndarray) -> str:
    """The first 16 hexadecimal digits of the sha256 of an array's bytes, little-endian."""
    return hashlib.sha256(values.astype(values.dtype.newbyteorder("<")).tobytes()).hexdigest()[:16]


def test_spectral_norms_sigma_is_about_1() -> None:
    for key, shape in (("linear0", (16384, 128)), ("conv2d5", (3, 64, 3, 3)), ("blocks.0.0.bn1.gain", (1024, 1000))):
        matrix = tensor(f"{key}.weight_orig", shape).reshape(shape[0], -1)
        u, v = unit(f"{key}.weight_u", shape[0]), unit(f"{key}.weight_v", matrix.shape[1])
        assert np.linalg.norm(u) == pytest.approx(1, abs=1e-6) and 0.3 < u @ matrix @ v < 2


def test_a_tensors_numbers_depend_on_its_name_and_have_the_spread_of_its_inputs() -> None:
    one, other = (tensor(f"visual.transformer.resblocks.{i}.mlp.c_fc.weight", (3072, 768)) for i in (0, 1))
    assert one.std() == pytest.approx(768**-0.5, rel=0.01) and abs(np.corrcoef(one[0], other[0])[0, 1]) < 0.2
