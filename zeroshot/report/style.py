"""One colour and line style per k, the same in every figure whichever k it shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

# Names that the paper writes otherwise than its generators are called here.
NAMES = {"sagan": "SAGAN", "biggan": "BigGAN"}


@dataclass(frozen=True)
class Style:
    """How a curve is drawn: a colour (#rrggbb) and its dashes, lengths of ink and gap in line widths; none: solid."""

    colour: str
    dashes: tuple[float, ...] = ()

    @property
    def line(self) -> Any:
        """The dashes as matplotlib's `linestyle`."""
        return (0, self.dashes) if self.dashes else "-"


# Okabe and Ito's palette: told apart by colour-blind readers; dashes tell the curves apart in grey print.
PAPER_K = {
    1: Style("#000000"),
    10: Style("#E69F00"),
    20: Style("#56B4E9", (5, 1.5)),
    50: Style("#009E73", (5, 1.5, 1, 1.5)),
    100: Style("#CC79A7", (1, 1.2)),
    1000: Style("#D55E00", (9, 1.5)),
}
_OTHER_DASHES = (2.0, 2.0)


def k_style(k: int) -> Style:
    """The style of a k: the paper's six have one each, others a shade between blue and yellow by their logarithm."""
    if k in PAPER_K:
        return PAPER_K[k]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    place = min(1.0, math.log(k) / math.log(1000))  # 0 at k = 1, 1 from k = 1000
    return Style(to_hex(colormaps["cividis"](0.85 * place)), _OTHER_DASHES)


def by_name(generator: str) -> tuple[bool, bool, str]:
    """Sorting key of generators: SAGAN, BigGAN as in the paper, then others by name."""
    return generator != "sagan", generator != "biggan", generator
