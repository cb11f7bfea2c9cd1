"""Everything that is not a bird: silhouettes.txt says of which shapes each is made."""

from __future__ import annotations

import math
from importlib.resources import files

import torch

from zeroshot.miniature.shapes import Canvas


def _read() -> dict[str, list[tuple[str, list[float], int]]]:
    """silhouettes.txt: for each name its shapes as (kind, numbers, colour)."""
    shapes: dict[str, list[tuple[str, list[float], int]]] = {}
    for line in files("zeroshot.miniature").joinpath("silhouettes.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            shapes[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            kind, *numbers = line.split()
            shapes[list(shapes)[-1]].append((kind, [float(number) for number in numbers[:-1]], int(numbers[-1])))
    return shapes


_SHAPES = _read()


def draw_silhouette(canvas: Canvas, name: str, stretch: torch.Tensor, own: torch.Tensor, second: torch.Tensor) -> None:
    """Paint N things of one silhouette; `stretch` [N, 1, 1] about 1 widens them, colours are [N, 3] in [0, 1]."""
    n = len(own)
    dark, light = own.new_tensor([0.10, 0.09, 0.10]).expand(n, 3), own.new_tensor([0.93, 0.93, 0.90]).expand(n, 3)
    palette = (own, second, dark, 0.35 * own + 0.65 * light, own * 0.72)
    for kind, numbers, colour in _SHAPES[name]:
        if kind == "s":
            ax, ay, bx, by, ra, rb = numbers
            mask = canvas.bone(ax * stretch, ay, bx * stretch, by, ra, rb)
        else:
            cx, cy, hx, hy, degrees = numbers
            draw = canvas.ellipse if kind == "e" else canvas.box
            mask = draw(cx * stretch, cy, hx * stretch, hy, math.radians(degrees))
        canvas.paint(mask, palette[colour])
