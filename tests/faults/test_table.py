"""docs/faults.md names a test for each of the faults, and each of them exists."""

from __future__ import annotations

import ast
import re

from tests.conftest import ROOT


def test_every_fault_has_tests_that_exist() -> None:
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (\d+) \|(.*)$", text, flags=re.MULTILINE)
    rows = {int(number): rest for number, rest in found}
    assert len(rows) == len(found) and set(range(1, 19)) <= set(rows)
    for number, row in rows.items():
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row)
        assert named, number
        for file, test in named:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert not test or test in there, f"row {number}: {file} has no {test}"
