"""SAGAN: StudioGAN's keys and shapes, both of its formats, and numbers against a plain reference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeroshot.errors import EnvironmentFailure
from zeroshot.models.generators.sagan import SAGAN

SMALL = {"image_size": 128, "z_dim": 16, "g_conv_dim": 8, "num_classes": 20, "attention_after": 4}
BLOCKS = (0, 1, 2, 3, 5)  # 4 is self-attention


def studiogan_shapes(g_conv_dim: int, z_dim: int, classes: int, new: bool) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of StudioGAN's 128-px SAGAN generator with spectral norm on all layers."""
    widths_in = [16, 16, 8, 4, 2]
    widths_out = [16, 8, 4, 2, 1]
    shapes: dict[str, tuple[int, ...]] = {}

    def normed(name: str, shape: tuple[int, ...], bias: bool) -> None:
        columns = 1
        for side in shape[1:]:
            columns *= side
        shapes.update({f"{name}.weight_orig": shape, f"{name}.weight_u": (shape[0],), f"{name}.weight_v": (columns,)})
        if bias:
            shapes[f"{name}.bias"] = shape[:1]

    def batch_norm(name: str, channels: int) -> None:
        shapes.update({f"{name}.running_mean": (channels,), f"{name}.running_var": (channels,)})
        shapes[f"{name}.num_batches_tracked"] = ()

    normed("linear0", (16 * g_conv_dim * 16, z_dim), bias=True)
    for place, a, b in zip(BLOCKS, widths_in, widths_out, strict=True):
        a, b = a * g_conv_dim, b * g_conv_dim
        for name, channels in (("bn1", a), ("bn2", b)):
            batch_norm(f"blocks.{place}.0.{name}.bn", channels)
            for old_name, new_name in (("embed0", "gain"), ("embed1", "bias")):
                table = (channels, classes) if new else (classes, channels)
                normed(f"blocks.{place}.0.{name}.{new_name if new else old_name}", table, bias=False)
        normed(f"blocks.{place}.0.conv2d0", (b, a, 1, 1), bias=True)
        normed(f"blocks.{place}.0.conv2d1", (b, a, 3, 3), bias=True)
        normed(f"blocks.{place}.0.conv2d2", (b, b, 3, 3), bias=True)
    c = 2 * g_conv_dim
    for name, out, into in (("theta", c // 8, c), ("phi", c // 8, c), ("g", c // 2, c), ("attn", c, c // 2)):
        normed(f"blocks.4.0.conv1x1_{name}", (out, into, 1, 1), bias=False)
    shapes["blocks.4.0.sigma"] = (1,)
    batch_norm("bn4", g_conv_dim)
    shapes |= {"bn4.weight": (g_conv_dim,), "bn4.bias": (g_conv_dim,)}
    normed("conv2d5", (3, g_conv_dim, 3, 3), bias=True)
    return shapes


def checkpoint(new: bool) -> dict[str, Tensor]:
    """A small checkpoint; the new format holds the same numbers as the old, transposed, u and v exchanged."""
    rng = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}
    for key, shape in studiogan_shapes(8, 16, 20, new=False).items():
        if key.endswith("running_var"):
            state[key] = torch.rand(shape, generator=rng) + 0.5
        elif key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(1000)
        elif key.endswith(".weight_u"):  # after its weight_orig: one power iteration, so that u W v is near W's norm
            v = torch.randn(state[f"{key[:-1]}orig"].flatten(1).shape[1], generator=rng)
            state[key] = F.normalize(state[f"{key[:-1]}orig"].flatten(1) @ v, dim=0)
        elif key.endswith(".weight_v"):
            state[key] = F.normalize(state[f"{key[:-1]}u"] @ state[f"{key[:-1]}orig"].flatten(1), dim=0)
        else:
            state[key] = torch.randn(shape, generator=rng) * 0.3
    if not new:
        return state
    renamed = {}
    for key, tensor in state.items():
        for old, name in ((".embed0.", ".gain."), (".embed1.", ".bias.")):
            if old in key:
                key = key.replace(old, name)
                if key.endswith("_orig"):
                    tensor = tensor.T
                elif key.endswith(("_u", "_v")):
                    key = key[:-1] + {"u": "v", "v": "u"}[key[-1]]
        renamed[key] = tensor
    return renamed


def reference(state: dict[str, Tensor], z: Tensor, y: Tensor) -> Tensor:
    """The generator in plain steps: batch norm, embedding, upsampling before every convolution, explicit softmax."""

    def weight(name: str) -> Tensor:
        w, u, v = (state[f"{name}.weight_{part}"] for part in ("orig", "u", "v"))
        return w / (u @ w.flatten(1) @ v)

    def conv(name: str, x: Tensor, padding: int = 0) -> Tensor:
        return F.conv2d(x, weight(name), state.get(f"{name}.bias"), padding=padding)

    def norm(name: str, x: Tensor) -> Tensor:
        x = F.batch_norm(x, state[f"{name}.bn.running_mean"], state[f"{name}.bn.running_var"], eps=1e-4)
        gain, bias = weight(f"{name}.embed0")[y], weight(f"{name}.embed1")[y]
        return x * (1 + gain[:, :, None, None]) + bias[:, :, None, None]

    x = F.linear(z, weight("linear0"), state["linear0.bias"]).view(len(z), -1, 4, 4)
    for place in BLOCKS:
        if place == 5:
            q, k, v = (conv(f"blocks.4.0.conv1x1_{n}", x) for n in ("theta", "phi", "g"))
            k, v = F.max_pool2d(k, 2).flatten(2), F.max_pool2d(v, 2).flatten(2)
            attention = torch.softmax(torch.einsum("ncq,nck->nqk", q.flatten(2), k), dim=-1)
            out = torch.einsum("nck,nqk->ncq", v, attention).view(len(z), -1, *x.shape[2:])
            x = x + state["blocks.4.0.sigma"] * conv("blocks.4.0.conv1x1_attn", out)
        name = f"blocks.{place}.0"
        h = F.interpolate(F.relu(norm(f"{name}.bn1", x)), scale_factor=2, mode="nearest")
        h = conv(f"{name}.conv2d2", F.relu(norm(f"{name}.bn2", conv(f"{name}.conv2d1", h, 1))), 1)
        x = h + conv(f"{name}.conv2d0", F.interpolate(x, scale_factor=2, mode="nearest"))
    x = F.batch_norm(
        x, state["bn4.running_mean"], state["bn4.running_var"], state["bn4.weight"], state["bn4.bias"], eps=1e-4
    )
    return torch.tanh(conv("conv2d5", F.relu(x), 1))


@pytest.mark.parametrize("new", [False, True])
def test_full_size_fits_studiogans_keys_and_shapes(new: bool) -> None:
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in studiogan_shapes(64, 128, 1000, new).items()}
        model = SAGAN.from_state({"state_dict": state})
    assert sum(p.numel() for p in model.parameters()) == 42_017_412
    assert model.image_size == 128 and model.z_dim == 128


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {f"module.{k}": v for k, v in s.items()}]
)
@pytest.mark.parametrize("new", [False, True])
@torch.inference_mode()
def test_both_formats_give_the_plain_references_images(new: bool, wrap: Callable) -> None:
    rng = torch.Generator().manual_seed(1)
    z, y = torch.randn(5, 16, generator=rng), torch.tensor([0, 3, 3, 19, 7])
    images = SAGAN.from_state(wrap(checkpoint(new)), "a checkpoint", error=EnvironmentFailure, **SMALL)(z, y)
    assert images.shape == (5, 3, 128, 128) and images.abs().max() <= 1
    torch.testing.assert_close(images, reference(checkpoint(False), z, y), atol=2e-5, rtol=1e-4)
    assert images[1].sub(images[3]).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("conv2d5.bias"), "missing: conv2d5.bias"),
        (lambda s: s.update(extra=torch.ones(1)), "unexpected: extra"),
        (lambda s: s.update({"conv2d5.bias": torch.ones(4)}), r"mis-shaped: conv2d5.bias \[4\] instead of \[3\]"),
        (lambda s: s.pop("linear0.weight_u"), "linear0.weight_u or linear0.weight_v is missing"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_by_name(change: Callable, message: str) -> None:
    state = checkpoint(False)
    change(state)
    with pytest.raises(EnvironmentFailure, match=message):
        SAGAN.from_state(state, "file.pth", error=EnvironmentFailure, **SMALL)


def test_training_form_and_inference_form_agree() -> None:
    torch.manual_seed(0)
    model = SAGAN(64, 8, 8, 10, 2)
    for layer in list(model.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.utils.spectral_norm(layer, eps=1e-6)
    z, y = torch.randn(16, 8), torch.arange(16) % 10
    for _ in range(20):
        model(z, y)  # running statistics and spectral norm's vectors settle
    model.eval()
    folded = SAGAN.from_state(
        model.state_dict(), image_size=64, z_dim=8, g_conv_dim=8, num_classes=10, attention_after=2
    )
    with torch.inference_mode():
        torch.testing.assert_close(folded(z, y), model(z, y), atol=1e-5, rtol=1e-4)
