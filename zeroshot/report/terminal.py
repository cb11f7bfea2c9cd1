"""Tables and lists for a terminal: nothing is wider than WIDTH."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd

from zeroshot.report.tables import markdown

WIDTH = 100  # columns


def folded(table: pd.DataFrame, heads: int) -> str:
    """The table in Markdown, as several below one another where it is too wide for one.

    Each begins with the first `heads` columns, which name the row, and has as many of the others as fit.
    """
    named, others = table.columns[:heads], table.columns[heads:]
    for parts in range(1, len(others) + 1):
        blocks = [markdown(table[[*named, *some]]) for some in np.array_split(others, parts)]
        if parts == len(others) or all(len(line) <= WIDTH for block in blocks for line in block.splitlines()):
            return "\n\n".join(blocks)
    return markdown(table)


def hanging(head: str, text: str) -> str:
    """`head` and then the text, whose further lines stand below its first one."""
    return textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False)
