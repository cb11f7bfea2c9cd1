"""Numbers of a check as people read them."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 5  # classes that a sentence names


def per_cent(share: float) -> str:
    """A share in per cent, with a digit behind the point below 10 %."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 9.95 else f"{value:.1f} %"


def number(value: float | None) -> str:
    """Three digits or more; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def plus_minus(value: float | None, error: float | None) -> str:
    """A value with its standard error."""
    return number(value) if value is None or error is None else f"{number(value)} ± {number(error)}"


def bound(lowest: str) -> str:
    """The criterion of a distance against the floor."""
    return f"a Fréchet distance below that of {lowest}, the floor's lowest"


def classes_in_words(classes: Sequence[int]) -> str:
    """The first few, and that there are more."""
    more = ", …" if len(classes) > NAMED else ""
    return f"{', '.join(map(str, classes[:NAMED]))}{more}"
