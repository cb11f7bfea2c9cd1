"""The Fréchet distance against pytorch-fid's and torch-fidelity's own functions."""

from __future__ import annotations

import pytest

from tests.goldens.golden import read
from tests.goldens.inputs import FRECHET, frechet_features
from zeroshot.metrics.frechet import frechet_distance


@pytest.mark.parametrize("case", FRECHET)
@pytest.mark.parametrize("peer", ["pytorch_fid", "torch_fidelity"])
def test_the_distance_is_the_peers(peer: str, case: str) -> None:
    real, generated = frechet_features(case)
    # Parts of the features' mean squares, by which rounding is measured. With more images than features float64 loses
    # 1e-15. With fewer, eigenvalues that are 0 come out as 1e-16, and their square roots as 1e-8 each: 1e-7 seen.
    squares = float((real**2).mean(axis=0).sum() + (generated**2).mean(axis=0).sum())
    tolerance = 1e-12 if case.endswith("n > d") else 1e-6
    assert frechet_distance(real, generated) == pytest.approx(read(peer)[case], abs=tolerance * squares, rel=0)


def test_a_distance_that_rounding_takes_below_zero_is_0_on_purpose() -> None:
    assert frechet_distance(*frechet_features("identical, n < d")) == 0
    assert -1e-4 < read("pytorch_fid")["identical, n < d"] < 0
    assert -1e-4 < read("torch_fidelity")["identical, n < d"] < 0
