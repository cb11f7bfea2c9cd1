"""Anti-aliased shapes as coverage masks, from signed distances in image coordinates: x right, y down, both in [-1, 1].

Every number of a shape may be a float or a tensor [N, 1, 1]; a mask is float32 [N, S, S] in [0, 1].
"""

from __future__ import annotations

import torch

Number = torch.Tensor | float


class Canvas:
    """The pixel grid, moved and turned into the figure's own frame, and the picture painted so far."""

    def __init__(self, background: torch.Tensor, x: Number, y: Number, scale: torch.Tensor, tilt: Number) -> None:
        size = background.shape[-1]
        self.picture = background  # [N, 3, S, S]
        steps = (torch.arange(size, device=background.device) + 0.5) * (2 / size) - 1
        px, py = (steps[None, None, :] - x) / scale, (steps[None, :, None] - y) / scale  # [N, 1, S], [N, S, 1]
        angle = torch.as_tensor(tilt, device=background.device)
        cos, sin = torch.cos(angle), torch.sin(angle)
        self.x, self.y = px * cos + py * sin, py * cos - px * sin  # [N, S, S]
        self.pixel = 2 / size / scale  # one pixel in the figure's frame, [N, 1, 1]

    def cover(self, distance: torch.Tensor) -> torch.Tensor:
        """Signed distance -> coverage: one pixel of smooth edge."""
        t = (0.5 - distance / (1.5 * self.pixel)).clamp(0, 1)
        return t * t * (3 - 2 * t)

    def ellipse(self, cx: Number, cy: Number, rx: Number, ry: Number, angle: Number = 0.0) -> torch.Tensor:
        """Ellipse about (cx, cy) with half axes rx, ry, its long axis turned by `angle` (radians, clockwise)."""
        u, v = self.frame(cx, cy, angle)
        length = torch.sqrt((u / rx) ** 2 + (v / ry) ** 2 + 1e-8)
        # Distance along the gradient: right at the edge, which is where it matters.
        slope = torch.sqrt((u / rx**2) ** 2 + (v / ry**2) ** 2 + 1e-8) / length
        return self.cover((length - 1) / slope)

    def frame(self, cx: Number, cy: Number, angle: Number = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Coordinates (u, v) [N, S, S] in a frame about (cx, cy) whose u axis is turned by `angle`."""
        turn = torch.as_tensor(angle, device=self.x.device)
        cos, sin = torch.cos(turn), torch.sin(turn)
        dx, dy = self.x - cx, self.y - cy
        return dx * cos + dy * sin, dy * cos - dx * sin

    def bone(self, ax: Number, ay: Number, bx: Number, by: Number, ra: Number, rb: Number) -> torch.Tensor:
        """Tapered stroke from a (radius ra) to b (radius rb)."""
        dx, dy = torch.as_tensor(bx - ax, device=self.x.device), torch.as_tensor(by - ay, device=self.x.device)
        t = (((self.x - ax) * dx + (self.y - ay) * dy) / (dx**2 + dy**2 + 1e-8)).clamp(0, 1)
        distance = torch.sqrt((self.x - ax - t * dx) ** 2 + (self.y - ay - t * dy) ** 2 + 1e-8)
        return self.cover(distance - (ra + (rb - ra) * t))

    def box(
        self, cx: Number, cy: Number, hx: Number, hy: Number, angle: Number = 0.0, round_: float = 0.03
    ) -> torch.Tensor:
        """Rounded box with half sides hx, hy."""
        u, v = self.frame(cx, cy, angle)
        du, dv = u.abs() - hx + round_, v.abs() - hy + round_
        outside = torch.sqrt(du.clamp(min=0) ** 2 + dv.clamp(min=0) ** 2 + 1e-10)
        return self.cover(outside + torch.maximum(du, dv).clamp(max=0) - round_)

    def paint(self, mask: torch.Tensor, colour: torch.Tensor) -> None:
        """Lay a colour, [N, 3] or [N, 3, S, S], over the picture where the mask is."""
        if colour.ndim == 2:
            colour = colour[:, :, None, None]
        self.picture = torch.lerp(self.picture, colour, mask[:, None])
