"""What the claims of the paper are tested with: a measure per claim, on the numbers of one generator's runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from zeroshot.report.logfit import fit_log

# What counts as true; the claims' sentences say so (`zeroshot.report.claims`).
LOWEST_R2, FEWEST_IMAGES = 0.95, 10
LARGEST_SHARE = 1 / 6
LARGEST_SCORE_SPREAD, LARGEST_DISTANCE_SPREAD = 0.01, 0.05


class NotTested(Exception):
    """The grid lacks what a claim needs; the message says what."""


@dataclass(frozen=True)
class Numbers:
    """What the runs of one generator measured."""

    scores: pd.DataFrame  # best CLIP score: a row per seed, a column per k in ascending order
    distances: pd.DataFrame  # Fréchet distance, likewise
    images: pd.DataFrame  # index k: Table 2's columns images_mean, reached, seeds
    b_max: int
    curves: dict[int, np.ndarray] = field(
        default_factory=dict
    )  # k -> mean best score, mean over seeds, float64 [b_max]

    # k -> best score: a row per image id, a column per seed
    by_caption: dict[int, pd.DataFrame] = field(default_factory=dict)

    def between(self) -> list[int]:
        """The k between 1 and 1,000, once both ends are there. Raises NotTested."""
        for k in (1, 1000):
            self.needs(k)
        middle = [k for k in self.scores if 1 < k < 1000]
        if not middle:
            raise NotTested("no k between 1 and 1,000 was run")
        return middle

    def needs(self, k: int) -> None:
        """Raises NotTested where k was not run."""
        if k not in self.scores:
            raise NotTested(f"k = {k:,} was not run")


# A test returns what was measured, in words, and whether the claim holds; or raises NotTested.
Test = Callable[[Numbers], tuple[str, bool]]
# Which two k's best scores a claim compares, the one said to be higher first; or raises NotTested.
Pair = Callable[[Numbers], tuple[int, int]]


def grows_like_log(numbers: Numbers) -> tuple[str, bool]:
    """R² of a + c·log b per curve."""
    if not numbers.curves:
        raise NotTested("no curve in numbers")
    if numbers.b_max < FEWEST_IMAGES:
        raise NotTested(f"b_max = {numbers.b_max}, but a fit says something from {FEWEST_IMAGES} images")
    fits = {k: fit_log(curve) for k, curve in numbers.curves.items()}
    if None in fits.values():
        raise NotTested("a curve is constant")
    found = {k: fit.r2 for k, fit in fits.items() if fit is not None}
    listed = ", ".join(f"{r2:.4f} (k = {k:,})" for k, r2 in found.items())
    return f"R² = {listed}", min(found.values()) >= LOWEST_R2


def best_between(numbers: Numbers) -> tuple[str, bool]:
    """Which k has the highest mean score."""
    middle, means = numbers.between(), numbers.scores.mean()
    best = int(means.idxmax())
    return f"highest at k = {best:,}: {means[best]:.4f}", best in middle


def best_and_next(numbers: Numbers) -> tuple[int, int]:
    """The k with the highest mean score and the one with the next highest."""
    numbers.between()
    first, second = numbers.scores.mean().sort_values(ascending=False, kind="stable").index[:2]
    return int(first), int(second)


def best_against(k: int) -> Pair:
    """The best intermediate k and this one."""

    def pair(numbers: Numbers) -> tuple[int, int]:
        return int(numbers.scores[numbers.between()].mean().idxmax()), k

    return pair


def scores_lower(k: int) -> Test:
    """A test of whether k scores lower than the best intermediate k, seed by seed."""

    def test(numbers: Numbers) -> tuple[str, bool]:
        best = best_against(k)(numbers)[0]
        pairs = numbers.scores[[k, best]].dropna()
        if pairs.empty:
            raise NotTested(f"k = {k:,} and k = {best:,} have no seed in common")
        lower = int((pairs[k] < pairs[best]).sum())
        mean, other = pairs[k].mean(), pairs[best].mean()
        measured = f"{mean:.4f} against {other:.4f} at k = {best:,} ({signed(mean - other)}); lower in {lower} of "
        return f"{measured}{_counted(len(pairs), 'seed')}", lower == len(pairs)

    return test


def falls_then_rises(numbers: Numbers) -> tuple[str, bool]:
    """Lowest between the ends, and no step against the trend beyond the seeds' spread."""
    numbers.between()
    means, spread = _mean_and_spread(numbers.distances)
    lowest = int(means.to_numpy().argmin())
    before, after = means.iloc[: lowest + 1], means.iloc[lowest:]
    # Rising is falling read backwards; an end that is the lowest leaves nothing to fall.
    return _trend(means), _falls(before, spread) and _falls(after[::-1], spread)


def only_falls(numbers: Numbers) -> tuple[str, bool]:
    """No step upwards beyond the seeds' spread, from k = 1 to 1,000."""
    numbers.between()
    means, spread = _mean_and_spread(numbers.distances)
    return _trend(means), _falls(means, spread)


def ninth_of_the_images(numbers: Numbers) -> tuple[str, bool]:
    """Images to the threshold at k = 10 against k = 1,000; where the latter never passes it, b_max gives a bound."""
    for k in (10, 1000):
        numbers.needs(k)
    few, many = numbers.images.loc[10], numbers.images.loc[1000]
    passes = many.reached == many.seeds
    if few.reached < few.seeds:
        often = (
            f"k = 10 passes the threshold within {numbers.b_max} images in {few.reached:.0f} of {few.seeds:.0f} seeds"
        )
        if not passes:
            raise NotTested(f"{often}, k = 1,000 in {many.reached:.0f} of {many.seeds:.0f}")
        return f"{often}, k = 1,000 in all", False
    if passes:
        share = few.images_mean / many.images_mean
        return f"{few.images_mean:.1f} against {many.images_mean:.1f} images: 1/{1 / share:.1f}", share <= LARGEST_SHARE
    if many.reached:
        raise NotTested(f"k = 1,000 passes it in {many.reached:.0f} of {many.seeds:.0f} seeds only")
    bound = few.images_mean / numbers.b_max
    measured = f"{few.images_mean:.1f} images against more than {numbers.b_max}: less than 1/{1 / bound:.1f}"
    if bound > LARGEST_SHARE:
        raise NotTested(f"{measured}; a larger b_max would tell")
    return measured, True


def seeds_agree(measure: str, largest: float) -> Test:
    """A test of the standard deviation over seeds, relative to the mean, of `scores` or `distances`."""

    def test(numbers: Numbers) -> tuple[str, bool]:
        table = getattr(numbers, measure)
        relative = (table.std(ddof=1) / table.mean().abs()).dropna()
        if relative.empty:
            raise NotTested("there is one seed only")
        k = int(relative.idxmax())
        return f"at most {100 * relative[k]:.2g} % (k = {k:,})", relative[k] <= largest

    return test


def _mean_and_spread(table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """By k: mean over seeds, and their standard deviation, 0 where there is one seed only."""
    return table.mean(), table.std(ddof=1).fillna(0.0)


def _falls(means: pd.Series, spread: pd.Series) -> bool:
    """Whether a sequence ends lower than it began, nowhere rising, by more than the spread of the two compared."""
    k = list(means.index)

    def higher(a: int, b: int) -> bool:
        return bool(means[a] - means[b] > max(spread[a], spread[b]))

    rises = any(higher(then, first) for first, then in itertools.pairwise(k)) or higher(k[-1], int(means.idxmin()))
    return higher(k[0], k[-1]) and not rises


def _trend(means: pd.Series) -> str:
    listed = ", ".join(f"{value:.1f}" for value in means)
    return f"{listed} at k = {', '.join(f'{k:,}' for k in means.index)}; lowest at k = {int(means.idxmin()):,}"


def signed(value: float) -> str:
    """A difference of scores: four digits with a sign."""
    return f"{value:+.4f}".replace("-", "−")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
