"""Attributes and nuisances to pictures: what the miniature's photographs, CLIP and generators are all made of."""

from __future__ import annotations

import torch

from zeroshot.miniature.attributes import (
    ATTRIBUTE_DIM,
    BIRD_PARTS,
    BUILDS,
    KINDS,
    colour_slice,
    scalar_index,
)
from zeroshot.miniature.birds import bird_scale, draw_birds
from zeroshot.miniature.clutter import CLUTTER, add_clutter, framing
from zeroshot.miniature.shapes import Canvas
from zeroshot.miniature.silhouettes import draw_silhouette

# What one nuisance stands for; each is a standard normal, 0 is the mean appearance.
NUISANCES = (
    "x", "y", "scale", "tilt", "light", "warmth", "sky_hue", "sky_light", "ground_hue", "ground_light", "horizon",
    "head", "bulk", "tail", "patch", "paleness", "saturation",
    "breast_red", "breast_green", "breast_blue", "back_red", "back_green", "back_blue", "crown_red", "crown_green",
    "crown_blue", "stretch", "contrast",
)  # fmt: skip
NUISANCE_DIM = len(NUISANCES)
CLUTTER_DIM = len(CLUTTER)

# Muted natural hues, so that plumage stands out: sky, mist, leaves, water above; grass, earth, sand, water below.
_SKIES = torch.tensor(
    [[0.62, 0.74, 0.84], [0.74, 0.76, 0.76], [0.46, 0.58, 0.44], [0.56, 0.66, 0.66], [0.66, 0.60, 0.54]]
)
_GROUNDS = torch.tensor(
    [[0.40, 0.50, 0.30], [0.48, 0.40, 0.30], [0.66, 0.58, 0.44], [0.36, 0.48, 0.54], [0.32, 0.38, 0.28]]
)


def render(
    attributes: torch.Tensor, nuisance: torch.Tensor, clutter: torch.Tensor | None = None, size: int = 64
) -> torch.Tensor:
    """Draw one picture per row.

    Args:
        attributes: encoded things [N, ATTRIBUTE_DIM] (`attributes.encode`).
        nuisance: standard normals [N, NUISANCE_DIM]: pose, light, background, individual colour.
        clutter: standard normals [N, CLUTTER_DIM] for photographs (mirrored, half hidden, badly lit); None: none.
        size: pixels a side.

    Returns:
        float32 [N, 3, size, size] in [-1, 1]; a row depends on its own inputs only, smoothly on the nuisance.

    Raises:
        ValueError: shapes that do not fit.
    """
    for name, value, dim in (("attributes", attributes, ATTRIBUTE_DIM), ("nuisance", nuisance, NUISANCE_DIM)):
        if value.ndim != 2 or value.shape[1] != dim:
            raise ValueError(f"{name} has shape {list(value.shape)}, but [N, {dim}] is needed")
    if len(attributes) != len(nuisance) or (clutter is not None and clutter.shape != (len(attributes), CLUTTER_DIM)):
        other = "nothing" if clutter is None else list(clutter.shape)
        raise ValueError(f"{len(attributes)} attributes, {len(nuisance)} nuisances and clutter of {other} do not fit")
    picture = torch.empty(len(attributes), 3, size, size, device=attributes.device)
    kind = attributes[:, : len(KINDS)].argmax(dim=1)
    groups = torch.where(kind < len(BUILDS), 0, kind)  # all birds in one go
    for group in groups.unique().tolist():
        rows = (groups == group).nonzero()[:, 0]
        part = None if clutter is None else clutter[rows]
        picture[rows] = _draw(KINDS[group], attributes[rows], nuisance[rows], part, size)
    return picture


def _draw(
    kind: str, attributes: torch.Tensor, nuisance: torch.Tensor, clutter: torch.Tensor | None, size: int
) -> torch.Tensor:
    v = {name: nuisance[:, i, None, None].clamp(-2.8, 2.8) for i, name in enumerate(NUISANCES)}
    frame = framing(clutter, len(attributes), attributes.device)
    bird = kind in BUILDS
    scale = (0.96 if bird else 0.94) * torch.exp(0.11 * v["scale"]) * frame["scale"]
    if bird:
        scale = scale * bird_scale(attributes)
    x, y = 0.12 * v["x"] + frame["x"], 0.09 * v["y"] + frame["y"] + (0.04 if bird else 0.0)
    canvas = Canvas(_background(v, size), x, y, scale, 0.09 * v["tilt"])
    colours = _colours(attributes, v)
    if bird:
        pose = {name: v[name] for name in ("head", "bulk", "tail", "patch")}
        draw_birds(canvas, attributes, pose, colours)
    else:
        variant = attributes[:, scalar_index("variant")][:, None, None]
        stretch = (0.86 + 0.28 * variant) * torch.exp(0.07 * v["stretch"])
        draw_silhouette(canvas, kind, stretch, colours["crown"], colours["breast"])
    picture = _light(canvas.picture, v)
    if clutter is not None:
        picture = add_clutter(picture, clutter)
    return picture.clamp(0, 1) * 2 - 1


def _background(v: dict[str, torch.Tensor], size: int) -> torch.Tensor:
    """Soft vertical gradient from sky to ground [N, 3, size, size]."""
    sky = _blend(_SKIES, v["sky_hue"]) * (1 + 0.10 * v["sky_light"][:, 0])  # [N, 3]
    ground = _blend(_GROUNDS, v["ground_hue"]) * (1 + 0.12 * v["ground_light"][:, 0])
    height = torch.linspace(-1, 1, size, device=sky.device)[None, :, None]  # [1, S, 1]
    t = torch.sigmoid((height - 0.30 - 0.22 * v["horizon"]) * 5)[:, None]  # [N, 1, S, 1]
    return torch.lerp(sky[:, :, None, None], ground[:, :, None, None], t).expand(-1, 3, size, size).contiguous()


def _blend(palette: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """A smooth way through a palette [P, 3] as value [N, 1, 1] goes from -2 to 2."""
    palette = palette.to(value.device)
    places = torch.linspace(-1.6, 1.6, len(palette), device=value.device)
    weights = torch.softmax(-2.5 * (value[:, 0] - places) ** 2, dim=1)  # [N, P]
    return weights @ palette


def _colours(attributes: torch.Tensor, v: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each part's colour [N, 3], varied as individuals of a class vary."""
    shift = {
        area: torch.cat([v[f"{area}_{channel}"][:, 0] for channel in ("red", "green", "blue")], dim=1)
        for area in ("breast", "back", "crown")
    }
    area = {"crown": "crown", "face": "crown", "throat": "breast", "breast": "breast", "belly": "breast"}
    area |= {"back": "back", "wing": "back", "tail": "back"}
    colours = {}
    for part in BIRD_PARTS:
        colour = attributes[:, colour_slice(part)]
        if part in area:
            colour = colour + 0.06 * shift[area[part]] * (0.5 + colour * (1.6 - colour))
            grey = colour.mean(dim=1, keepdim=True)
            colour = grey + (colour - grey) * torch.exp(0.22 * v["saturation"][:, 0])
            colour = colour + 0.07 * v["paleness"][:, 0]
        colours[part] = colour.clamp(0.02, 1)
    return colours


def _light(picture: torch.Tensor, v: dict[str, torch.Tensor]) -> torch.Tensor:
    warm = picture.new_tensor([1.0, 0.1, -1.0])[None, :, None, None]
    picture = picture * torch.exp(0.11 * v["light"])[:, None] * (1 + 0.045 * v["warmth"][:, None] * warm)
    return 0.5 + (picture - 0.5) * torch.exp(0.08 * v["contrast"])[:, None]
