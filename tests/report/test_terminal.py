"""What a terminal shows is at most 100 columns wide."""

from __future__ import annotations

import pandas as pd
import pytest

from zeroshot.report.tables import markdown
from zeroshot.report.terminal import folded, hanging


@pytest.mark.parametrize(("columns", "blocks"), [(3, 1), (6, 2), (20, 5)])
def test_a_wide_table_is_folded_and_loses_nothing(columns: int, blocks: int) -> None:
    named = {"measure": ["Fréchet distance"] * 2, "generator": ["sagan", "biggan"]}
    cells = {f"k = {k}": [f"1{k:02}.00 ± 12.00", f"2{k:02}.00 ± 1.00"] for k in range(columns)}
    table = pd.DataFrame(named | cells)
    parts = folded(table, heads=2).split("\n\n")
    assert len(parts) == blocks and max(len(line) for part in parts for line in part.splitlines()) <= 100
    assert all(part.startswith("| measure          | generator |") for part in parts)
    assert all(cell in "".join(parts) for cell in table.to_numpy().ravel())
    if blocks == 1:
        assert parts == [markdown(table)]


def test_a_table_whose_heads_are_too_wide_has_a_block_for_each_column() -> None:
    table = pd.DataFrame({"generator": ["x" * 120], "k = 1": ["1"], "k = 10": ["2"]})
    assert folded(table, heads=1).count("generator") == 2
    assert folded(table[["generator"]], heads=1) == markdown(table[["generator"]])


def test_further_lines_hang_below_the_first() -> None:
    lines = hanging("sagan  yes  ", "one two " * 30).splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 100
    assert lines[0].startswith("sagan  yes  one") and all(line.startswith(" " * 12 + "one") for line in lines[1:])
