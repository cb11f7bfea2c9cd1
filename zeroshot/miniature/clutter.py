"""What makes a photograph harder than a drawing: framing, things in front and behind, light, blur, mirror, noise."""

from __future__ import annotations

import torch
import torch.nn.functional as F

CLUTTER = (
    "x", "y", "scale", "mirror", "exposure", "haze", "blur", "noise", "cast_red", "cast_blue", "leaf",
    *(f"branch{i}_{name}" for i in range(2) for name in ("x", "angle", "width", "show")),
    *(f"blob{i}_{name}" for i in range(4) for name in ("x", "y", "radius", "hue", "front")),
)  # fmt: skip


def framing(clutter: torch.Tensor | None, n: int, device: torch.device) -> dict[str, torch.Tensor]:
    """How far the figure is off centre (image coordinates) and by which factor its size is off, each [N, 1, 1]."""
    if clutter is None:
        zero = torch.zeros(n, 1, 1, device=device)
        return {"x": zero, "y": zero, "scale": zero + 1}
    v = _named(clutter)
    return {"x": 0.17 * v["x"], "y": 0.13 * v["y"], "scale": torch.exp(0.16 * v["scale"])}


def add_clutter(picture: torch.Tensor, clutter: torch.Tensor) -> torch.Tensor:
    """Pictures [N, 3, S, S] in [0, 1] -> the same, as a hurried photographer would have taken them."""
    v = _named(clutter)
    size = picture.shape[-1]
    steps = torch.linspace(-1, 1, size, device=picture.device)
    x, y = steps[None, None, :], steps[None, :, None]
    picture = _blobs(picture, v, x, y)
    picture = _branches(picture, v, x, y)
    soft = F.avg_pool2d(F.pad(picture, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    picture = torch.lerp(picture, soft, torch.sigmoid(2.5 * v["blur"] - 1.5)[:, None])
    haze = (0.14 * v["haze"] + 0.10).clamp(0, 0.5)[:, None]
    picture = torch.lerp(picture, torch.full_like(picture, 0.6), haze)
    cast = torch.stack([1 + 0.06 * v["cast_red"], torch.ones_like(v["haze"]), 1 + 0.07 * v["cast_blue"]], dim=1)
    picture = picture * cast * torch.exp(0.24 * v["exposure"])[:, None]
    picture = picture + _noise(v, picture.shape, picture.device)
    return torch.where(v["mirror"][:, None] < 0, picture.flip(3), picture)


def _named(clutter: torch.Tensor) -> dict[str, torch.Tensor]:
    return {name: clutter[:, i, None, None].clamp(-2.8, 2.8) for i, name in enumerate(CLUTTER)}


def _blobs(picture: torch.Tensor, v: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Leaves and highlights out of focus; a few lie over the bird."""
    for i in range(4):
        dx, dy = x - 0.8 * v[f"blob{i}_x"], y - 0.8 * v[f"blob{i}_y"]
        radius = 0.20 * torch.exp(0.4 * v[f"blob{i}_radius"])
        beside = 1 - torch.exp(-(x**2 + y**2) / 0.45**2) * (v[f"blob{i}_front"] < 0.6).float()
        mask = torch.exp(-(((dx**2 + dy**2) / radius**2) ** 2)) * 0.75 * beside
        t = torch.sigmoid(v[f"blob{i}_hue"])[:, None]
        green, pale = picture.new_tensor([0.26, 0.38, 0.18]), picture.new_tensor([0.78, 0.76, 0.66])
        colour = torch.lerp(green[None, :, None, None], pale[None, :, None, None], t)
        picture = torch.lerp(picture, colour.expand_as(picture), mask[:, None])
    return picture


def _branches(picture: torch.Tensor, v: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Twigs across the picture, sharp, in front of everything."""
    brown = picture.new_tensor([0.28, 0.21, 0.15])[None, :, None, None].expand_as(picture)
    for i in range(2):
        angle = 1.1 * v[f"branch{i}_angle"]
        distance = ((x - 0.6 * v[f"branch{i}_x"]) * torch.cos(angle) + y * torch.sin(angle)).abs()
        width = 0.03 * torch.exp(0.5 * v[f"branch{i}_width"])
        mask = torch.sigmoid((width - distance) * 60) * torch.sigmoid((v[f"branch{i}_show"] - 0.5) * 6)
        picture = torch.lerp(picture, brown, mask[:, None])
    return picture


def _noise(v: dict[str, torch.Tensor], shape: torch.Size, device: torch.device) -> torch.Tensor:
    """Sensor noise as a fixed pattern shifted by the row's own numbers: a row stays a function of its inputs."""
    steps = torch.arange(shape[-1], device=device, dtype=torch.float32)
    phase = 40 * v["noise"] + 17 * v["leaf"]
    channel = torch.arange(3, device=device, dtype=torch.float32)[None, :, None, None]
    grid = (
        steps[None, None, :, None] * 12.9898 + steps[None, None, None, :] * 78.233 + channel * 37.719 + phase[:, None]
    )
    pattern = torch.frac(torch.sin(grid) * 43758.5453)
    return (pattern - 0.5 * torch.sign(pattern)) * 0.07
