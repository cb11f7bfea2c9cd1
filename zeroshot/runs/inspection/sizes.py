"""How much is looked at: enough for the verdicts' thresholds, little enough for three minutes on two cores."""

from __future__ import annotations

from dataclasses import dataclass

from zeroshot.errors import UserError
from zeroshot.limits import CLASSES

K = (1, 10, 100, 1000)  # labels kept, in the search


@dataclass(frozen=True)
class Sizes:
    """Images and captions of a check.

    Making one checks it: raises UserError with what was given and what is allowed.
    """

    classes: int = CLASSES  # evenly spaced among all; labels are ranked among all 1,000 whatever it is
    per_class: int = 4  # images of each: the first with one z for all classes, the others with z's of their own
    captions: int = 40  # test images searched for
    b_max: int = 32  # images drawn per caption and k

    def __post_init__(self) -> None:
        for key, least, most in (
            ("classes", 20, CLASSES),
            ("per_class", 3, 1000),
            ("captions", 2, 100_000),
            ("b_max", 4, 10_000),
        ):
            value = getattr(self, key)
            if not least <= value <= most:
                raise UserError(f"{key} of a check = {value}, but it looks at {least} to {most:,}: give that")
