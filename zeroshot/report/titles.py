"""What every title of a table or figure ends with: the same things in the same order, whatever is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zeroshot.report.style import by_name
from zeroshot.settings import RunSettings


def setting_of(runs: Sequence[RunSettings], captions: int | None = None) -> str:
    """World, protocol, generators, k, captions, b, seeds and source of the images of runs that differ in generator, k
    and seed only. `captions`: of what is shown, where it is not theirs."""
    shared = runs[0]
    count = shared.captions if captions is None else captions
    return (
        f"world: {shared.world.name}, protocol: {shared.protocol.name}, {what_of(runs)}, "
        f"{count} caption{'' if count == 1 else 's'}, b = {shared.b_max}, {seeds_of(runs)}, {shared.search.in_words}"
        f"{strategy_of(shared)}"
    )


def strategy_of(settings: RunSettings) -> str:
    """`, strategy: amortised+gradient`; empty for Algorithm 1."""
    return "" if settings.strategy == "random" else f", strategy: {settings.strategy}"


def what_of(runs: Sequence[RunSettings]) -> str:
    """Generators, SAGAN first, and k, each once."""
    names = sorted((run.generator.name for run in runs), key=by_name)
    return f"{listed(names)}, k = {listed(run.k for run in runs)}"


def seeds_of(runs: Sequence[RunSettings]) -> str:
    """`seed 42`, or `seeds 42, 43, 44`."""
    seeds = listed(run.seed for run in runs)
    return f"seeds {seeds}" if "," in seeds else f"seed {seeds}"


def listed(values: Iterable[object]) -> str:
    """Each different value once, in their order, with commas."""
    return ", ".join(dict.fromkeys(map(str, values)))


def left_out(missing: Mapping[str, tuple[int, int]]) -> str:
    """`, without 3 of 40 test photographs`, by World.photographs_missing; empty where nothing is left out."""
    parts = [f"{lacking:,} of {of:,} {split}" for split, (lacking, of) in missing.items()]
    return f", without {' and '.join(parts)} photographs" if parts else ""
