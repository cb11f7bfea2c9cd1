"""Search strategies that no run can have are refused as soon as their settings are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zeroshot.errors import UserError
from zeroshot.limits import CLASSES, LARGEST_SEED, MOST_IMAGES, check_path
from zeroshot.strategy_settings import REFINEMENTS, STARTS

if TYPE_CHECKING:
    from zeroshot.strategy_settings import PriceSettings, RefineSettings, StartSettings

MOST_BANK = 1000  # images of a label
# Allowed values of each field, wherever it stands; a field that is not here has a check of its own or takes any value.
BOUNDS: dict[str, tuple[float, float]] = {
    "temperature": (0.001, 10),
    "images_per_label": (1, MOST_BANK),
    "seed": (0, LARGEST_SEED),
    "steps": (1, 1_000_000),
    "elite": (1, 10_000),
    "noise": (0, 10),
    "spread": (0, 10),
    "warm_up": (1, MOST_IMAGES),
    "children": (1, 10_000),
    "step": (0.001, 1),
    "decay": (0.1, 1),
    "labels": (1, CLASSES),
    "population": (2, 10_000),
    "mutation": (0, 1),
    "label_mutation": (0, 1),
    "learning_rate": (1e-6, 100),
    "radius": (0.01, 100),
    "copies": (0, 100),
    "batch": (2, 10_000),
    "label_rate": (0, 1000),
    "z_rate": (0, 1000),
    "gradient_step": (1, 1000),
    "augmented_copy": (0, 1000),
}
SIGMA = {"catcma": (0.001, 10), "elite_mean": (0, 10), "reinforce": (0.001, 1)}  # of each refinement's own meaning


def check_strategy(start: StartSettings, refine: RefineSettings, prices: PriceSettings, k: int, b_max: int) -> None:
    """Refuse fields out of range, and a budget that is smaller than what the strategy needs. Raises UserError."""
    named: tuple[tuple[str, StartSettings | RefineSettings, Mapping[str, type]], ...] = (
        ("start", start, STARTS),
        ("refine", refine, REFINEMENTS),
    )
    for room, chosen, kinds in named:
        if type(chosen) is not kinds.get(chosen.name):
            what = f"{room}.name = {chosen.name!r:.80} of a {type(chosen).__name__}"
            raise UserError(f"{what}, but allowed is {', '.join(kinds)}, by name or by its own settings")
    for room, settings in (("start", start), ("refine", refine), ("prices", prices)):
        for key, value in vars(settings).items():
            low, most = SIGMA[refine.name] if key == "sigma" else BOUNDS.get(key, (None, None))
            if low is not None and value is not None and not low <= value <= most:
                raise UserError(f"{room}.{key} = {value}, but allowed is {low:,} to {most:,}")
    if weights := getattr(start, "weights", None):
        check_path("start.weights", weights)
    warm_up = None if refine.name == "none" else start.warm_up
    if warm_up is not None:
        step = 1 if refine.name != "gradient" else gradient_price(refine, prices)
        if warm_up + step > b_max:
            raise UserError(
                f"b_max = {b_max}, but start = {start.name} with refine = {refine.name} needs {warm_up + step}: "
                f"{warm_up} evaluations of the start (start.warm_up) and one step of {step}; give more, or a smaller "
                "start.warm_up"
            )
    if start.name == "halving":
        needed, given = halving_needs(k), b_max if warm_up is None else warm_up
        if given < needed:
            which = "b_max" if warm_up is None else "start.warm_up"
            raise UserError(
                f"{which} = {given}, but start = halving needs {needed} evaluations for k = {k}, one of each label "
                f"that is left in each round: give {which} of {needed} or more, or a smaller k"
            )


def gradient_price(refine: RefineSettings, prices: PriceSettings) -> int:
    """Evaluations that a gradient step counts as."""
    return prices.gradient_step + getattr(refine, "copies", 0) * prices.augmented_copy


def halving_rounds(k: int) -> list[int]:
    """Labels left in each round of sequential halving: k, ⌈k/2⌉, … down to 2 (or 1 where k is 1)."""
    rounds = [k]
    while rounds[-1] > 2:
        rounds.append(-(-rounds[-1] // 2))
    return rounds


def halving_needs(k: int) -> int:
    """Evaluations that sequential halving needs: one of each label that is left in each round."""
    return sum(halving_rounds(k))
