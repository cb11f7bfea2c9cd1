"""Birds: one routine for all builds, told apart by a table of proportions."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch

from zeroshot.miniature.attributes import BREASTS, BUILDS, HEADS, scalar_index
from zeroshot.miniature.bills import draw_bill
from zeroshot.miniature.shapes import Canvas


@dataclass(frozen=True)
class Build:
    """Proportions in the bird's own frame (the body about (0, 0), facing right); angles in degrees, head end up."""

    length: float = 0.44  # body's half axes
    depth: float = 0.27
    posture: float = 28  # angle of the body's axis
    head_x: float = 0.34
    head_y: float = -0.34
    head: float = 0.20  # radius
    neck: float = 0.17  # its radius
    tail: float = 0.50  # length
    tail_angle: float = 22  # below the horizontal, to the left
    tail_width: float = 0.075
    legs: float = 0.22  # length below the body
    leg_width: float = 0.022
    wing: float = 0.33  # half axes
    wing_depth: float = 0.16
    water: float = 0.0  # 1: sits on water
    frontal: float = 0.0  # 1: both eyes to the front, with a facial disc
    comb: float = 0.0  # 1: may wear a red comb (those whose crown is red do)
    fork: float = 0.0  # half the angle between the tail's two tips, degrees
    perch: float = 0.0  # 1: sits on a branch
    trunk: float = 0.0  # 1: clings to an upright trunk
    scale: float = 1.0


TABLE: dict[str, Build] = {
    "perching": Build(perch=1),
    "swallow": Build(0.40, 0.19, 16, 0.36, -0.20, 0.165, 0.15, 0.62, 8, 0.05, 0.10, 0.018, 0.5, 0.1, fork=13, perch=1),
    "hummingbird": Build(0.32, 0.18, 42, 0.24, -0.32, 0.15, 0.13, 0.34, 42, 0.06, 0.0, 0.01, 0.40, 0.09, scale=1.15),
    "woodpecker": Build(0.42, 0.21, 62, 0.20, -0.52, 0.18, 0.15, 0.40, 66, 0.06, 0.06, 0.02, 0.33, 0.13, trunk=1),
    "crow": Build(0.48, 0.26, 20, 0.42, -0.30, 0.20, 0.18, 0.48, 14, 0.09, 0.26, 0.026, 0.40, 0.16, scale=0.98),
    "gull": Build(0.50, 0.22, 8, 0.44, -0.26, 0.175, 0.14, 0.32, 4, 0.07, 0.22, 0.022, 0.44, 0.13),
    "duck": Build(0.54, 0.26, 4, 0.44, -0.42, 0.18, 0.11, 0.22, -18, 0.08, 0.0, 0.02, 0.36, 0.15, water=1),
    "heron": Build(0.36, 0.20, 24, 0.36, -0.66, 0.12, 0.07, 0.26, 24, 0.07, 0.52, 0.022, 0.30, 0.13, scale=0.98),
    "wader": Build(0.38, 0.21, 16, 0.36, -0.36, 0.145, 0.10, 0.26, 10, 0.06, 0.40, 0.018, 0.32, 0.12),
    "raptor": Build(0.44, 0.28, 54, 0.20, -0.50, 0.20, 0.19, 0.42, 58, 0.10, 0.14, 0.045, 0.40, 0.16, perch=1),
    "owl": Build(0.46, 0.34, 80, 0.02, -0.46, 0.31, 0.25, 0.24, 76, 0.12, 0.08, 0.05, 0.38, 0.14, frontal=1, perch=1),
    "fowl": Build(0.46, 0.34, 14, 0.38, -0.46, 0.15, 0.13, 0.42, -34, 0.13, 0.26, 0.032, 0.32, 0.19, comb=1),
    "parrot": Build(0.40, 0.24, 58, 0.18, -0.48, 0.21, 0.18, 0.66, 62, 0.07, 0.08, 0.03, 0.38, 0.14, perch=1),
    "penguin": Build(0.54, 0.28, 88, 0.04, -0.58, 0.19, 0.17, 0.14, 80, 0.07, 0.05, 0.06, 0.42, 0.09),
    "ostrich": Build(0.42, 0.32, 6, 0.36, -0.86, 0.10, 0.055, 0.28, -12, 0.14, 0.62, 0.04, 0.34, 0.20, scale=0.78),
    "toucan": Build(0.42, 0.26, 48, 0.22, -0.44, 0.20, 0.18, 0.46, 52, 0.09, 0.10, 0.03, 0.34, 0.15, perch=1),
}
_TENSOR = torch.tensor([[getattr(TABLE[name], f.name) for f in fields(Build)] for name in BUILDS])  # [builds, fields]


def _proportions(attributes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Each field of `Build` as [N, 1, 1]."""
    geometry = _TENSOR.to(attributes.device)[attributes[:, : len(BUILDS)].argmax(dim=1)]  # [N, fields]
    return {f.name: geometry[:, i, None, None] for i, f in enumerate(fields(Build))}


def bird_scale(attributes: torch.Tensor) -> torch.Tensor:
    """How large a bird is drawn [N, 1, 1], by its build and its size; far less than in nature, or a wren were a dot."""
    return _proportions(attributes)["scale"] * (0.90 + 0.20 * attributes[:, scalar_index("size")][:, None, None])


def draw_birds(canvas: Canvas, attributes: torch.Tensor, pose: dict[str, torch.Tensor], colours: dict) -> None:
    """Paint birds.

    Args:
        canvas: moved and turned for each bird.
        attributes: encoded birds [N, ATTRIBUTE_DIM].
        pose: head, bulk, tail, patch as [N, 1, 1], each around 0.
        colours: part -> [N, 3] in [0, 1].
    """
    g = _proportions(attributes)
    _perch(canvas, g)
    _tail(canvas, g, pose, colours)
    _legs(canvas, g, colours)
    head_x, head_y = g["head_x"] + 0.03 * pose["head"], g["head_y"] + 0.02 * pose["head"]
    lean = -g["posture"] * math.pi / 180
    ax, ay = 0.62 * g["length"] * torch.cos(lean), 0.62 * g["length"] * torch.sin(lean)  # the body's front
    canvas.paint(canvas.bone(ax, ay, head_x, head_y, g["neck"] * 1.25, g["neck"]), colours["throat"])
    nape = canvas.bone(ax - 0.07, ay - 0.05, head_x - 0.06, head_y, g["neck"], g["neck"] * 0.8)
    canvas.paint(nape * (1 - g["frontal"]), _mix(colours["crown"], colours["back"]))
    _body(canvas, g, pose, colours, attributes, lean)
    _wing(canvas, g, colours, attributes, lean)
    _water(canvas, g)
    _head(canvas, g, colours, attributes, head_x, head_y)


def _mix(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a + b) / 2


def _perch(canvas: Canvas, g: dict) -> None:
    bark = g["legs"].new_tensor([0.34, 0.26, 0.19]).expand(len(g["legs"]), 3)
    foot = g["depth"] * 0.75 + g["legs"] + 0.12
    canvas.paint(canvas.bone(-2.0, foot + 0.16, 2.0, foot - 0.06, 0.055, 0.045) * g["perch"], bark)
    canvas.paint(canvas.bone(0.50, -2.0, 0.44, 2.0, 0.15, 0.17) * g["trunk"], bark)


def _water(canvas: Canvas, g: dict) -> None:
    colour = g["water"].new_tensor([0.42, 0.53, 0.60]).expand(len(g["water"]), 3)
    level = torch.sigmoid((canvas.y - 0.5 * g["depth"]) * 40)  # hides the lower part of the body
    canvas.paint(level * g["water"] * 0.9, colour)


def _tail(canvas: Canvas, g: dict, pose: dict, colours: dict) -> None:
    angle = math.pi - g["tail_angle"] * math.pi / 180  # to the left and down
    lean = -g["posture"] * math.pi / 180
    length = g["tail"] * (1 + 0.12 * pose["tail"])
    ax, ay = -0.75 * g["length"] * torch.cos(lean), -0.75 * g["length"] * torch.sin(lean)
    tips = [
        canvas.bone(
            ax, ay, ax + length * torch.cos(a), ay + length * torch.sin(a), g["tail_width"] * 1.1, g["tail_width"]
        )
        for a in (angle - g["fork"] * math.pi / 180, angle + g["fork"] * math.pi / 180)
    ]
    canvas.paint(torch.maximum(*tips), colours["tail"])


def _legs(canvas: Canvas, g: dict, colours: dict) -> None:
    bottom = g["depth"] * 0.75
    reach = (g["legs"] > 0.01).float()
    for dx in (-0.02, 0.10):
        foot = bottom + g["legs"] + 0.1
        leg = canvas.bone(dx - 0.02, bottom - 0.05, dx, foot, g["leg_width"], g["leg_width"] * 0.9)
        toe = canvas.bone(dx - 0.04, foot, dx + 0.09, foot, g["leg_width"] * 0.9, g["leg_width"] * 0.8)
        canvas.paint(torch.maximum(leg, toe) * reach, colours["legs"])


def _body(canvas: Canvas, g: dict, pose: dict, colours: dict, attributes: torch.Tensor, lean: torch.Tensor) -> None:
    depth = g["depth"] * (1 + 0.08 * pose["bulk"])
    u, v = canvas.frame(0.0, 0.0, lean)
    u, v = u / g["length"], v / depth  # -1 … 1 along and across the body
    upper = torch.sigmoid((-0.25 - v + 0.12 * pose["patch"] + 0.1 * u) * 9)[:, None]  # [N, 1, S, S]
    front = torch.sigmoid((u - 0.18 + 0.10 * pose["patch"] + 0.2 * v) * 9)[:, None]
    under = torch.lerp(_spread(colours["belly"]), _spread(colours["breast"]), front)
    under = torch.lerp(under, _spread(colours["mark"]), (front[:, 0] * _breast_marks(u, v, attributes))[:, None])
    shade = 1 - 0.16 * torch.sigmoid((v - 0.55) * 6)[:, None]
    body = torch.lerp(under * shade, _spread(colours["back"]), upper)
    canvas.paint(canvas.ellipse(0.0, 0.0, g["length"], depth, lean), body)


def _spread(colour: torch.Tensor) -> torch.Tensor:
    return colour[:, :, None, None]


def _breast_marks(u: torch.Tensor, v: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
    streaked, spotted = (
        attributes[:, scalar_index(f"breast_{name}")][:, None, None] for name in BREASTS if name != "plain"
    )
    stripes = torch.sigmoid(torch.sin(u * 19 + v * 3) * 4 - 1.4)
    spots = torch.sigmoid((torch.sin(u * 16 + v * 6) * torch.sin(v * 13 - u * 5)) * 9 - 3.6)
    return 0.85 * (streaked * stripes + spotted * spots)


def _wing(canvas: Canvas, g: dict, colours: dict, attributes: torch.Tensor, lean: torch.Tensor) -> None:
    turn = lean * 0.9 - 0.06
    cx, cy = -0.12 * torch.cos(lean) - 0.01, -0.12 * torch.sin(lean) - 0.03
    side = 1 - 0.55 * g["frontal"]
    cx = cx - 0.17 * g["frontal"]
    wing = canvas.ellipse(cx, cy, g["wing"], g["wing_depth"] * side, turn)
    u, v = canvas.frame(cx, cy, turn)
    u, v = u / g["wing"], v / g["wing_depth"]
    edge = 1 - 0.22 * torch.sigmoid((v - 0.45) * 8)[:, None]  # a darker lower edge parts it from a body of its colour
    canvas.paint(wing, _spread(colours["wing"]) * edge)
    bars = torch.maximum(_band(u - 0.32 - 0.12 * v, 0.075), _band(u + 0.12 - 0.12 * v, 0.075))
    canvas.paint(wing * bars * attributes[:, scalar_index("wing_bars")][:, None, None], colours["mark"])


def _band(distance: torch.Tensor, width: float) -> torch.Tensor:
    return torch.exp(-((distance / width) ** 2))


def _head(canvas: Canvas, g: dict, colours: dict, attributes: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> None:
    r = g["head"]
    flags = {name: attributes[:, scalar_index(f"head_{name}")][:, None, None] for name in HEADS}
    crest = canvas.bone(x - 0.2 * r, y - 0.5 * r, x - 1.25 * r, y - 1.55 * r, 0.45 * r, 0.08 * r)
    canvas.paint(crest * flags["crest"], colours["crown"])
    red = torch.tensor([0.80, 0.10, 0.10], device=r.device).expand(len(r), 3)
    comb = canvas.bone(x - 0.3 * r, y - 1.05 * r, x + 0.6 * r, y - 0.95 * r, 0.3 * r, 0.2 * r)
    crown = colours["crown"]
    reddish = torch.sigmoid((crown[:, 0] - crown[:, 1] - 0.5) * 20)[:, None, None]
    canvas.paint(comb * g["comb"] * reddish, red)
    draw_bill(canvas, attributes, colours["bill_colour"], x, y, r, g["frontal"])
    u, v = canvas.x - x, canvas.y - y
    u, v = u / r, v / r
    crown = torch.sigmoid((-v - 0.28 - 0.18 * u) * 10)[:, None]
    throat = torch.sigmoid((v - 0.42 + 0.15 * u) * 10)[:, None]
    skin = torch.lerp(_spread(colours["face"]), _spread(colours["crown"]), crown)
    skin = torch.lerp(skin, _spread(colours["throat"]), throat * (1 - g["frontal"])[:, None])
    mark = torch.maximum(
        flags["mask"] * _band(v + 0.06, 0.26) * torch.sigmoid((u + 0.35) * 9),
        flags["eyebrow"] * _band(v + 0.46 + 0.1 * u, 0.15),
    )
    canvas.paint(canvas.ellipse(x, y, r, r), torch.lerp(skin, _spread(colours["mark"]), mark[:, None]))
    _eyes(canvas, g, colours, flags["eye_ring"], x, y)


def _eyes(canvas: Canvas, g: dict, colours: dict, ring: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> None:
    r, frontal = g["head"], g["frontal"]
    n, device = len(r), r.device
    black = torch.tensor([0.04, 0.04, 0.05], device=device).expand(n, 3)
    white = torch.tensor([0.98, 0.98, 0.95], device=device).expand(n, 3)
    amber = torch.tensor([0.95, 0.72, 0.15], device=device).expand(n, 3)
    size = torch.clamp(0.19 * r, min=0.03) * (1 + 0.35 * frontal)
    for side, shown in ((1.0, torch.ones_like(r)), (-1.0, frontal)):
        ex = x + r * torch.where(frontal > 0.5, side * 0.42, 0.36)
        ey = y - 0.12 * r
        disc = canvas.ellipse(ex, ey, 0.48 * r, 0.52 * r)
        canvas.paint(disc * frontal * shown, colours["breast"] * 0.5 + 0.45)
        canvas.paint(canvas.ellipse(ex, ey, size * 1.8, size * 1.8) * ring * shown * (1 - frontal), colours["mark"])
        canvas.paint(canvas.ellipse(ex, ey, size * 1.6, size * 1.6) * frontal * shown, amber)
        canvas.paint(canvas.ellipse(ex, ey, size, size) * shown, black)
        canvas.paint(canvas.ellipse(ex + 0.3 * size, ey - 0.3 * size, 0.4 * size, 0.4 * size) * shown, white)
    bill = canvas.bone(x, y + 0.10 * r, x, y + 0.52 * r, 0.17 * r, 0.05 * r)
    canvas.paint(bill * frontal, colours["bill_colour"])
