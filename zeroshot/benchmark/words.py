"""Numbers and verdicts as text."""

from __future__ import annotations

from typing import Any


def number(value: float | None) -> str:
    """Three digits, whatever the size; a dash for what could not be measured."""
    if value is None:
        return "–"
    if value == 0 or 1000 > abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) < 0.01:
        return f"{value:.4f}" if abs(value) >= 0.0001 else f"{value:.0e}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def with_spread(measured: dict[str, Any]) -> str:
    """Median (least – greatest) of `timing.spread`."""
    return f"{number(measured['median'])} ({number(measured['min'])} – {number(measured['max'])})"


def verdict(holds: bool | None) -> str:
    """Whether a target is met."""
    return "" if holds is None else "met" if holds else "missed"


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.0f} %" if abs(share) >= 0.1 else f"{100 * share:.1f} %"
