"""Bills by shape."""

from __future__ import annotations

import torch

from zeroshot.miniature.attributes import BILLS, scalar_index
from zeroshot.miniature.shapes import Canvas

# Per bill: length, radius at the base and at the tip (in head radii), drop of the tip, drop of a hook beyond it.
SHAPES = {
    "cone": (0.85, 0.42, 0.05, 0.06, 0.0),
    "short": (0.70, 0.22, 0.04, 0.03, 0.0),
    "long": (1.60, 0.20, 0.05, 0.05, 0.0),
    "needle": (2.10, 0.09, 0.03, -0.05, 0.0),
    "dagger": (1.70, 0.30, 0.03, 0.05, 0.0),
    "hooked": (0.70, 0.36, 0.16, 0.10, 0.45),
    "curved": (1.15, 0.22, 0.10, 0.12, 0.75),
    "flat": (1.00, 0.30, 0.20, 0.20, 0.0),
    "massive": (1.90, 0.58, 0.26, 0.18, 0.35),
}
_TENSOR = torch.tensor([SHAPES[name] for name in BILLS])  # [bills, 5]


def draw_bill(
    canvas: Canvas,
    attributes: torch.Tensor,
    colour: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    r: torch.Tensor,
    frontal: torch.Tensor,
) -> None:
    """Paint a bill on a head of radius r [N, 1, 1] about (x, y); a head that faces us (frontal = 1) shows none."""
    first = scalar_index(f"bill_{BILLS[0]}")
    shape = _TENSOR.to(attributes.device)[attributes[:, first : first + len(BILLS)].argmax(dim=1)]
    length, base, tip, drop, hook = (shape[:, i, None, None] * r for i in range(5))
    ax, ay = x + 0.72 * r, y + 0.10 * r
    bx, by = ax + 0.2 * r + length * 0.85, ay + drop
    side = torch.maximum(
        canvas.bone(ax, ay, bx, by, base, tip),
        canvas.bone(bx, by, bx + 0.3 * tip + 0.25 * hook, by + hook, tip, tip * 0.25) * (hook > 0).float(),
    )
    canvas.paint(side * (1 - frontal), colour)
