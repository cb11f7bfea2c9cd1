"""Inception-v3 for the Fréchet distance: keys, preparation, poolings, torch-fidelity's network where installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models import inception_v3
from torchvision.models.inception import InceptionE

from zeroshot.errors import UserError
from zeroshot.metrics.inception import InceptionFeatures


def random_state(seed: int = 0) -> dict[str, Tensor]:
    """A checkpoint with pt_inception's keys and shapes: torchvision's, no auxiliary classifier, 1,008 logits."""
    with torch.device("meta"):
        network = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for key, tensor in network.state_dict().items():
        if tensor.ndim > 1:  # variance is kept from layer to layer
            state[key] = torch.randn(tensor.shape, generator=rng) * (2 / tensor[0].numel()) ** 0.5
        elif key.endswith(("running_var", "bn.weight")):
            state[key] = torch.rand(tensor.shape, generator=rng) * 0.5 + 0.75
        elif key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(0)
        else:
            state[key] = torch.randn(tensor.shape, generator=rng) * 0.1
    return state


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return random_state()


@pytest.fixture(scope="module")
def path(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In the format of its year, 2019, and without the counters that older batch norms do not have."""
    path = tmp_path_factory.mktemp("inception") / "pt_inception-2015-12-05-6726825d.pth"
    kept = {key: tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
    torch.save(kept, path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture(scope="module")
def model(path: Path) -> InceptionFeatures:
    return InceptionFeatures.from_checkpoint(path)


def photographs(side: int, n: int = 2) -> Tensor:
    """uint8 [n, 3, side, side]: smooth patterns with some noise."""
    rng = np.random.default_rng(0)
    waves = np.sin(np.arange(side)[:, None] / 9 + np.arange(side) / rng.uniform(4, 30, (n, 3, 1, 1)))
    return torch.from_numpy((127 + 90 * waves + rng.normal(0, 12, waves.shape)).clip(0, 255).astype(np.uint8))


class Reference:
    """The network over raw keys: torchvision's layers in torchvision's order, with TensorFlow's poolings."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state

    def conv(self, x: Tensor, name: str, stride: int = 1, padding: tuple[int, int] = (0, 0)) -> Tensor:
        x = F.conv2d(x, self.state[f"{name}.conv.weight"], stride=stride, padding=padding)
        mean, var = self.state[f"{name}.bn.running_mean"], self.state[f"{name}.bn.running_var"]
        return F.relu(
            F.batch_norm(x, mean, var, self.state[f"{name}.bn.weight"], self.state[f"{name}.bn.bias"], eps=1e-3)
        )

    def same(self, x: Tensor, *names: str) -> Tensor:
        for name in names:  # padded by the kernel's half
            height, width = self.state[f"{name}.conv.weight"].shape[2:]
            x = self.conv(x, name, padding=(height // 2, width // 2))
        return x

    def average(self, x: Tensor) -> Tensor:
        ones = torch.ones_like(x[:1, :1])
        return F.avg_pool2d(x, 3, 1, 1) / F.avg_pool2d(ones, 3, 1, 1)  # divided by the pixels inside only

    def a(self, x: Tensor, m: str) -> Tensor:
        five = self.same(x, f"{m}.branch5x5_1", f"{m}.branch5x5_2")
        three = self.same(x, *(f"{m}.branch3x3dbl_{i}" for i in (1, 2, 3)))
        return torch.cat(
            [self.same(x, f"{m}.branch1x1"), five, three, self.same(self.average(x), f"{m}.branch_pool")], 1
        )

    def b(self, x: Tensor, m: str) -> Tensor:
        three = self.conv(self.same(x, f"{m}.branch3x3dbl_1", f"{m}.branch3x3dbl_2"), f"{m}.branch3x3dbl_3", 2)
        return torch.cat([self.conv(x, f"{m}.branch3x3", 2), three, F.max_pool2d(x, 3, 2)], 1)

    def c(self, x: Tensor, m: str) -> Tensor:
        seven = self.same(x, *(f"{m}.branch7x7_{i}" for i in (1, 2, 3)))
        double = self.same(x, *(f"{m}.branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5)))
        return torch.cat(
            [self.same(x, f"{m}.branch1x1"), seven, double, self.same(self.average(x), f"{m}.branch_pool")], 1
        )

    def d(self, x: Tensor, m: str) -> Tensor:
        three = self.conv(self.same(x, f"{m}.branch3x3_1"), f"{m}.branch3x3_2", 2)
        seven = self.conv(self.same(x, *(f"{m}.branch7x7x3_{i}" for i in (1, 2, 3))), f"{m}.branch7x7x3_4", 2)
        return torch.cat([three, seven, F.max_pool2d(x, 3, 2)], 1)

    def e(self, x: Tensor, m: str, pooled: Tensor) -> Tensor:
        three, double = self.same(x, f"{m}.branch3x3_1"), self.same(x, f"{m}.branch3x3dbl_1", f"{m}.branch3x3dbl_2")
        branches = [self.same(x, f"{m}.branch1x1")]
        branches += [self.same(three, f"{m}.branch3x3_2{part}") for part in "ab"]
        branches += [self.same(double, f"{m}.branch3x3dbl_3{part}") for part in "ab"]
        return torch.cat([*branches, self.same(pooled, f"{m}.branch_pool")], 1)

    def __call__(self, x: Tensor) -> Tensor:
        x = self.same(self.conv(self.conv(x, "Conv2d_1a_3x3", 2), "Conv2d_2a_3x3"), "Conv2d_2b_3x3")
        x = F.max_pool2d(self.conv(self.conv(F.max_pool2d(x, 3, 2), "Conv2d_3b_1x1"), "Conv2d_4a_3x3"), 3, 2)
        for part in "bcd":
            x = self.a(x, f"Mixed_5{part}")
        x = self.b(x, "Mixed_6a")
        for part in "bcde":
            x = self.c(x, f"Mixed_6{part}")
        x = self.d(x, "Mixed_7a")
        x = self.e(x, "Mixed_7b", self.average(x))
        x = self.e(x, "Mixed_7c", F.max_pool2d(x, 3, 1, 1))
        return x.mean((2, 3))


@torch.inference_mode()
def test_the_network_is_the_one_written_over_raw_keys(model: InceptionFeatures, state: dict[str, Tensor]) -> None:
    x = photographs(299).float() / 127.5 - 1
    features, expected = model.network(x), Reference(state)(x)
    assert features.shape == (2, 2048) and features.dtype == torch.float32 and not model.training
    torch.testing.assert_close(features, expected, atol=1e-4 * float(expected.abs().max()), rtol=1e-4)
    assert (features[0] - features[1]).abs().mean() > 1e-2 * float(expected.std())


@torch.inference_mode()
def test_the_poolings_are_not_torchvisions(model: InceptionFeatures) -> None:
    rng = torch.Generator().manual_seed(2)
    for block, channels, pool in (
        (model.Mixed_7b, 1280, lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)),
        (model.Mixed_7c, 2048, lambda x: F.max_pool2d(x, 3, 1, 1)),
    ):
        x = torch.rand((1, channels, 8, 8), generator=rng)
        ours = block(x)
        torch.testing.assert_close(ours[:, -192:], block.branch_pool(pool(x)))
        theirs = InceptionE.forward.__get__(torchvisions(block))(x)
        torch.testing.assert_close(ours[:, :-192], theirs[:, :-192])
        assert (ours[:, -192:] - theirs[:, -192:]).abs().max() > 1e-2
    for small, channels in ((model.Mixed_5b, 192), (model.Mixed_6b, 768)):
        x = torch.rand((1, channels, 9, 9), generator=rng)
        pooled = F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 1, divisor_override=1)  # sums
        pooled /= F.avg_pool2d(F.pad(torch.ones_like(x), (1, 1, 1, 1)), 3, 1, divisor_override=1)
        expected = small.branch_pool(pooled)
        torch.testing.assert_close(small(x)[:, -expected.shape[1] :], expected)


def torchvisions(block: InceptionE) -> InceptionE:
    """torchvision's own block with the weights of one of ours."""
    plain = InceptionE(block.branch1x1.conv.in_channels).eval()
    plain.load_state_dict(block.state_dict())
    return plain


@torch.inference_mode()
def test_torch_fidelitys_network_agrees(model: InceptionFeatures, state: dict[str, Tensor], tmp_path: Path) -> None:
    extractor = pytest.importorskip(
        "torch_fidelity.feature_extractor_inceptionv3",
        reason="torch-fidelity is not installed: nothing to compare with",
    )
    torch.save(state, tmp_path / "state.pth")
    theirs = extractor.FeatureExtractorInceptionV3("inception", ["2048"], str(tmp_path / "state.pth")).eval()
    pictures = photographs(299)  # already of the network's size: TensorFlow's resize leaves them as they are
    (expected,) = theirs(pictures)
    features = model.network((pictures.float() - 128) / 128)
    torch.testing.assert_close(features, expected, atol=1e-4 * float(expected.abs().max()), rtol=1e-4)


@pytest.mark.parametrize("side", [256, 128, 300, 512])
def test_preparation_goes_to_256_and_then_to_299_pixels(model: InceptionFeatures, side: int) -> None:
    pictures = photographs(side)
    prepared = model.prepare(pictures)
    assert prepared.shape == (2, 3, 299, 299) and prepared.dtype == torch.float32
    assert prepared.min() >= -1 and prepared.max() <= 1
    unit = pictures.float() / 255  # pytorch-fid's order: [0, 1], resize, 2x - 1
    if side != 256:
        unit = F.interpolate(unit, (256, 256), mode="bilinear", antialias=True)
    by_hand = 2 * F.interpolate(unit, (299, 299), mode="bilinear", align_corners=False) - 1
    torch.testing.assert_close(prepared, by_hand, atol=1e-5, rtol=0)
    as_float = model.prepare(pictures.float() / 127.5 - 1)
    torch.testing.assert_close(as_float, prepared, atol=1e-6, rtol=0)
    direct = 2 * F.interpolate(pictures.float() / 255, (299, 299), mode="bilinear") - 1
    assert side == 256 or (prepared - direct).abs().max() > 0.02  # the step over 256 pixels is seen


def test_preparation_by_hand_on_one_row() -> None:
    """Bilinear without aligned corners: pixel i lies at (i + 1/2) · 256/299 - 1/2, cut to the picture."""
    ramp = torch.arange(256, dtype=torch.uint8).expand(1, 3, 256, 256)
    place = ((torch.arange(299, dtype=torch.float64) + 0.5) * 256 / 299 - 0.5).clamp(0, 255)
    expected = (place / 127.5 - 1).float()
    prepared = InceptionFeatures().prepare(ramp)
    torch.testing.assert_close(prepared, expected.expand(1, 3, 299, 299), atol=2e-6, rtol=0)


@torch.inference_mode()
def test_forward_is_preparation_and_network_whatever_the_batch(model: InceptionFeatures) -> None:
    pictures = photographs(128)
    features = model(pictures)
    torch.testing.assert_close(features, model.network(model.prepare(pictures)))
    alone = torch.cat([model(picture[None].float() / 127.5 - 1) for picture in pictures])
    torch.testing.assert_close(alone, features, atol=1e-5 * float(features.abs().max()), rtol=1e-4)
    assert (model.dim, model.image_size) == (2048, 256)


def test_keys_and_shapes(state: dict[str, Tensor], model: InceptionFeatures) -> None:
    ours = model.state_dict()
    assert state.keys() - ours.keys() == {"fc.weight", "fc.bias"} and not ours.keys() - state.keys()
    assert state["fc.weight"].shape == (1008, 2048)
    assert all(torch.equal(ours[key], state[key]) for key in ours)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("Mixed_6c.branch7x7dbl_4.bn.running_var", None, r"missing: Mixed_6c\.branch7x7dbl_4\.bn\.running_var$"),
        ("fc.bias", None, r"missing: fc\.bias$"),
        ("AuxLogits.fc.bias", torch.ones(1008), r"unexpected: AuxLogits\.fc\.bias$"),
        ("fc.weight", torch.ones(1000, 2048), r"mis-shaped: fc\.weight \[1000, 2048\] instead of \[1008, 2048\]$"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_key(
    state: dict[str, Tensor], tmp_path: Path, key: str, value: Tensor | None, message: str
) -> None:
    """The last two are those of torchvision's own weights, which must not be taken for these."""
    changed = {k: t for k, t in (state | {key: value}).items() if t is not None}
    torch.save(changed, tmp_path / "inception.pth")
    with pytest.raises(UserError, match=rf"inception\.pth does not fit: {message}"):
        InceptionFeatures.from_checkpoint(tmp_path / "inception.pth")


def test_a_truncated_or_missing_file_is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "inception.pth").write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"inception\.pth cannot be read"):
        InceptionFeatures.from_checkpoint(tmp_path / "inception.pth")
    with pytest.raises(UserError, match=r"absent\.pth is missing"):
        InceptionFeatures.from_checkpoint(tmp_path / "absent.pth")
