"""SAGAN from StudioGAN's checkpoints at full size: both key formats, against a forward over the raw keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from zeroshot.errors import UserError
from zeroshot.models.checkpoints import read_checkpoint
from zeroshot.models.generators.sagan import SAGAN

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FORMATS = ("old", "new")
GAIN_AND_BIAS = {"old": ("embed0", "embed1"), "new": ("gain", "bias")}


def studiogan_shapes(version: str) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of StudioGAN's ImageNet SAGAN, 128 px, as its source defines them at that time."""
    lines = (FIXTURES / f"studiogan_sagan128_{version}.txt").read_text(encoding="utf-8").splitlines()
    return {key: tuple(map(int, shape)) for key, *shape in map(str.split, lines)}


def filled(shapes: dict[str, tuple[int, ...]], seed: int) -> OrderedDict[str, Tensor]:
    """Random values as training leaves them: spectral norm's unit vectors near the matrix's largest direction."""
    rng = torch.Generator().manual_seed(seed)
    state: OrderedDict[str, Tensor] = OrderedDict()
    for key, shape in shapes.items():
        if key.endswith(("running_var", "running_vars")):
            state[key] = torch.rand(shape, generator=rng) * 0.4 + 0.2
        elif key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(920_000)
        elif key.endswith((".sigma", ".gamma")):
            state[key] = torch.full(shape, 0.7)
        elif not key.endswith((".weight_u", ".weight_v")):
            state[key] = torch.randn(shape, generator=rng) * (0.05 if key.endswith("_orig") else 0.1)
    for key in [key for key in shapes if key.endswith(".weight_u")]:
        matrix = state[f"{key[:-2]}_orig"].flatten(1)
        v = F.normalize(torch.randn(len(matrix), generator=rng) @ matrix, dim=0)  # one step of power iteration
        state[key], state[f"{key[:-2]}_v"] = F.normalize(matrix @ v, dim=0), v
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == shapes
    return state


def forward(state: dict[str, Tensor], version: str, z: Tensor, y: Tensor) -> Tensor:
    """StudioGAN's generator in evaluation mode, written out over the raw keys of a checkpoint."""

    def weight(name: str) -> Tensor:
        orig, u, v = (state[f"{name}.weight_{part}"] for part in ("orig", "u", "v"))
        return orig / torch.dot(u, torch.mv(orig.flatten(1), v))

    def conv(x: Tensor, name: str) -> Tensor:
        kernel = weight(name)
        return F.conv2d(x, kernel, state.get(f"{name}.bias"), padding=kernel.shape[-1] // 2)

    def looked_up(name: str) -> Tensor:
        if version == "old":
            return F.embedding(y, weight(name))[:, :, None, None]
        return F.linear(F.one_hot(y, 1000).float(), weight(name))[:, :, None, None]

    def conditional(x: Tensor, name: str) -> Tensor:
        gain, bias = (looked_up(f"{name}.{part}") for part in GAIN_AND_BIAS[version])
        mean, var = state[f"{name}.bn.running_mean"], state[f"{name}.bn.running_var"]
        return F.batch_norm(x, mean, var, eps=1e-4) * (1 + gain) + bias

    def block(x: Tensor, name: str) -> Tensor:
        h = F.interpolate(F.relu(conditional(x, f"{name}.bn1")), scale_factor=2, mode="nearest")
        h = F.relu(conditional(conv(h, f"{name}.conv2d1"), f"{name}.bn2"))
        return conv(h, f"{name}.conv2d2") + conv(F.interpolate(x, scale_factor=2, mode="nearest"), f"{name}.conv2d0")

    def attention(x: Tensor, name: str) -> Tensor:
        n, _, height, width = x.shape
        query, key, value = (conv(x, f"{name}.conv1x1_{part}") for part in ("theta", "phi", "g"))
        key, value = (F.max_pool2d(t, 2, 2).reshape(n, t.shape[1], -1) for t in (key, value))
        weights = F.softmax(query.reshape(n, query.shape[1], -1).mT @ key, dim=-1)  # [N, HW, HW/4]
        out = (value @ weights.mT).reshape(n, -1, height, width)
        return x + state[f"{name}.sigma"] * conv(out, f"{name}.conv1x1_attn")

    x = F.linear(z, weight("linear0"), state["linear0.bias"]).reshape(len(z), 1024, 4, 4)
    for i in range(6):
        x = (attention if i == 4 else block)(x, f"blocks.{i}.0")
    mean, var, scale, shift = (state[f"bn4.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    x = F.batch_norm(x, mean, var, scale, shift, eps=1e-4)
    return torch.tanh(conv(F.relu(x), "conv2d5"))


@pytest.fixture(scope="module", params=FORMATS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict, Path]:
    """Format, raw state and file, the file with everything that StudioGAN saves beside a generator's state."""
    state = filled(studiogan_shapes(request.param), seed=0)
    moments = {0: {"step": 920_000, "exp_avg": torch.zeros(3), "exp_avg_sq": torch.zeros(3)}}
    optimizer = {"state": moments, "param_groups": [{"lr": 1e-4, "betas": (0.0, 0.999), "eps": 1e-6, "params": [0]}]}
    content = {"state_dict": state, "optimizer": optimizer}
    if request.param == "old":
        content |= {"seed": 3847, "run_name": "SAGAN-train-2021_02_11_16_18_59", "step": 920_000}
        content |= {"best_step": 920_000, "ada_p": "No"}
    path = tmp_path_factory.mktemp("sagan") / "model=G-best-weights-step=920000.pth"
    torch.save(content, path)
    return request.param, state, path


@pytest.mark.parametrize("version", FORMATS)
def test_the_lists_of_keys_have_the_parameters_that_studiogans_log_counts(version: str) -> None:
    shapes = studiogan_shapes(version)
    buffers = ("running_mean", "running_var", "num_batches_tracked", ".weight_u", ".weight_v")
    sizes = [torch.Size(shape).numel() for key, shape in shapes.items() if not key.endswith(buffers)]
    assert len(shapes) == 176 and sum(sizes) == 42_017_412


@torch.inference_mode()
def test_a_checkpoint_at_full_size_gives_the_images_of_its_raw_keys(checkpoint: tuple[str, dict, Path]) -> None:
    version, raw, path = checkpoint
    rng = torch.Generator().manual_seed(1)
    z, y = torch.randn(2, 128, generator=rng), torch.tensor([14, 999])
    model = SAGAN.from_state(read_checkpoint(path), str(path), UserError)
    images, expected = model(z, y), forward(raw, version, z, y)
    assert images.shape == (2, 3, 128, 128) and expected.std() > 0.1 and (expected.abs() > 0.99).float().mean() < 0.1
    torch.testing.assert_close(images, expected, atol=1e-5, rtol=0)
    assert (model(z, y.flip(0)) - images).abs().max() > 1e-3  # the class is seen: a wrong table would be too
    spread = model(z[:1].expand(2, -1), y)
    assert (spread[0] - spread[1]).abs().max() > 1e-3


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize(
    "marks",
    [
        "module.",
        pytest.param("_orig_mod.", marks=pytest.mark.slow),
        pytest.param("module._orig_mod.", marks=pytest.mark.slow),
        "_orig_mod.module.",
    ],
)
def test_a_state_loads_from_any_wrapper_with_or_without_old_counters(
    tmp_path: Path, checkpoint: tuple[str, dict, Path], wrapped: bool, marks: str
) -> None:
    _, raw, path = checkpoint
    counted = {key: tensor for key, tensor in raw.items() if not (wrapped and key.endswith("num_batches_tracked"))}
    parallel = {f"{marks}{key}": tensor for key, tensor in counted.items()}
    whole = {"state_dict": parallel, "best_fid": np.float64(34.7), "best_step": np.int64(920_000)}
    torch.save(whole if wrapped else parallel, tmp_path / "model=G_ema.pth")
    ema = SAGAN.from_state(read_checkpoint(tmp_path / "model=G_ema.pth"), error=UserError).state_dict()
    plain = SAGAN.from_state(read_checkpoint(path), error=UserError).state_dict()
    assert all(torch.equal(ema[key], plain[key]) for key in plain if not key.endswith("num_batches_tracked"))


def replaced(key: str, *shape: int) -> Callable[[dict], None]:
    return lambda state: state.update({key: torch.ones(shape)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("blocks.2.0.conv2d1.bias"), r"missing: blocks\.2\.0\.conv2d1\.bias$"),
        (lambda s: s.pop("blocks.4.0.sigma"), r"missing: blocks\.4\.0\.sigma$"),
        (
            lambda s: s.pop("linear0.weight_orig"),
            r"missing: linear0\.weight; unexpected: linear0\.weight_u, linear0\.w",
        ),
        (lambda s: s.pop("conv2d5.weight_v"), r"conv2d5\.weight_v is missing beside conv2d5\.weight_orig"),
        (lambda s: s.pop("bn4.running_var"), r"missing: bn4\.running_var$"),
        (replaced("blocks.6.0.sigma", 1), r"unexpected: blocks\.6\.0\.sigma$"),
        (replaced("bn4.running_var", 65), r"mis-shaped: bn4\.running_var \[65\] instead of \[64\]$"),
        (replaced("linear0.weight_orig", 16384, 127), r"linear0\.weight_orig \[16384, 127\] with .*weight_v \[128\]"),
        (replaced("linear0.weight_u", 7), r"linear0\.weight_u \[7\]"),
        (replaced("conv2d5.weight_orig", 3), r"conv2d5\.weight_orig \[3\] with"),
    ],
)
def test_a_key_too_few_too_many_or_of_another_shape_is_named(
    checkpoint: tuple[str, dict, Path], change: Callable[[dict], object], message: str
) -> None:
    state = dict(checkpoint[1])
    change(state)
    with pytest.raises(UserError, match=message) as caught:
        SAGAN.from_state(state, "G.pth", UserError)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("G.pth does not fit: ")


def test_a_table_in_both_formats_at_once_is_refused() -> None:
    state = filled(studiogan_shapes("old"), seed=0)
    new = filled({k: s for k, s in studiogan_shapes("new").items() if "blocks.5.0.bn2.gain" in k}, seed=1)
    with pytest.raises(UserError, match=r"blocks\.5\.0\.bn2\.embed0\.weight is there twice"):
        SAGAN.from_state(state | new, "G.pth", UserError)


def test_another_size_does_not_fit(checkpoint: tuple[str, dict, Path]) -> None:
    with pytest.raises(UserError, match=r"mis-shaped: .* instead of "):
        SAGAN.from_state(checkpoint[1], "G.pth", UserError, g_conv_dim=32)
    with pytest.raises(UserError, match=r"missing: blocks\.3\.0\.sigma"):
        SAGAN.from_state(checkpoint[1], "G.pth", UserError, attention_after=3)
