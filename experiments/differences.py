"""What stands in a result's files against what was recomputed; the first difference ends the comparison."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from zeroshot.errors import EnvironmentFailure

TOLERANCE = 1e-9  # of the number, and of 1 where it is smaller: files hold every digit, sums in another order the last


def same(found: float, wanted: float) -> bool:
    """Whether two numbers agree within TOLERANCE; two that are not there agree."""
    if np.isnan(found) or np.isnan(wanted):
        return bool(np.isnan(found) and np.isnan(wanted))
    return abs(found - wanted) <= TOLERANCE * max(1.0, abs(wanted))


def compare_numbers(file: Path, content: Mapping[str, object], wanted: Mapping[str, object]) -> int:
    """Hold a mapping's values against the wanted ones, numbers, texts or None; returns how many there were.

    Raises EnvironmentFailure with the first that differs.
    """
    for key, value in wanted.items():
        if key not in content:
            raise EnvironmentFailure(f"{file} has no {key}, but {told(value)} was recomputed")
        found = content[key]
        if number(found) is None or number(value) is None:
            agree = found == value
        else:
            agree = same(number(found), number(value))  # type: ignore[arg-type]
        if not agree:
            raise EnvironmentFailure(f"{file}, {key}: {told(found)} stands there, {told(value)} was recomputed")
    return len(wanted)


def compare_table(file: Path, wanted: pd.DataFrame, optional: Sequence[str] = ()) -> int:
    """Hold a CSV file against a table whose index names its rows; returns how many numbers were compared.

    Args:
        file: every wanted row stands in it once and no other; columns that are not wanted are left alone.
        wanted: numbers; NaN is an empty cell.
        optional: wanted columns that older versions did not write.

    Raises EnvironmentFailure with the first difference: file, row, column, both numbers.
    """
    keys = list(wanted.index.names)
    rows = read_rows(file, keys)
    left = {tuple(map(str, key)): values for key, values in zip(wanted.index, wanted.to_dict("records"), strict=True)}
    missing = [column for column in wanted if column not in rows[0] and column not in optional]
    if missing:
        raise EnvironmentFailure(f"{file} has no column {missing[0]}, which was recomputed")
    columns = [column for column in wanted if column in rows[0]]
    seen = set()
    for row in rows:
        key = tuple(row[name] for name in keys)
        where = f"{file}, row {', '.join(f'{name} = {value}' for name, value in zip(keys, key, strict=True))}"
        if key in seen:
            raise EnvironmentFailure(f"{where}: it stands there twice")
        if key not in left:
            raise EnvironmentFailure(f"{where}: it is too many, no run of this grid belongs to it")
        seen.add(key)
        values = left.pop(key)
        for column in columns:
            found = number(row[column])
            if found is None or not same(found, values[column]):
                raise EnvironmentFailure(
                    f"{where}, column {column}: {row[column] or 'nothing'} stands there, {told(values[column])} was "
                    "recomputed"
                )
    for key in left:
        lost = ", ".join(f"{name} = {value}" for name, value in zip(keys, key, strict=True))
        raise EnvironmentFailure(f"{file}: the row {lost} is missing, though its runs are there")
    return len(rows) * len(columns)


def read_rows(file: Path, keys: Sequence[str]) -> list[dict[str, str]]:
    """A CSV file's rows as text, at least one. Raises EnvironmentFailure where it is none, or lacks a key's column."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.DictReader(opened, strict=True))
    except OSError as error:
        raise EnvironmentFailure(f"{file} cannot be read ({error.strerror})") from None
    except (ValueError, csv.Error) as error:
        raise EnvironmentFailure(f"{file} is damaged ({error}): write it again with experiments.reproduce") from None
    width = len(rows[0]) if rows else 0
    if not rows or any(None in row or None in row.values() or len(row) != width for row in rows):
        raise EnvironmentFailure(f"{file} is damaged: it has no rows, or rows of different lengths")
    for key in keys:
        if key not in rows[0]:
            raise EnvironmentFailure(f"{file} has no column {key}, which names its rows")
    return rows


def number(value: object) -> float | None:
    """A number, or a cell's text as one (empty: NaN); None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value) if value != "" else np.nan
    except (ValueError, OverflowError):
        return None


def told(value: object) -> str:
    """A value in a message: every digit of a number, nothing for NaN and None."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "nothing"
    return repr(float(value)) if isinstance(value, np.floating) else f"{value!r:.80}"
