"""The ways an experiment can end early that are not defects; the command line turns each into its exit code."""

from __future__ import annotations

import re

# Characters that a message spends on one thing that it was given, on a path, and on everything.
LONGEST_VALUE, LONGEST_PATH, LONGEST_LINE = 80, 240, 1200
# A quoted text, a list, a word or a path's component, each longer than a value may be; and a path longer than a path.
_LONG = re.compile(
    rf"(?<![\w'\"])'(?:[^'\\]|\\.){{{LONGEST_VALUE + 1},}}'(?!\w)"
    rf'|(?<![\w\'"])"(?:[^"\\]|\\.){{{LONGEST_VALUE + 1},}}"(?!\w)'
    rf"|\[[^\[\]]{{{LONGEST_VALUE + 1},}}\]"
    rf"|[^\s/'\"()\[\],;:]{{{LONGEST_VALUE + 1},}}"
)
_LONG_PATH = re.compile(rf"[^\s'\"()\[\],;]{{{LONGEST_PATH + 1},}}")


class _OneLine(Exception):
    """An exception whose message is one line in which nothing that was given is longer than a person reads."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class UserError(_OneLine):
    """The user's input is wrong (exit code 2). One line: what was given, what is allowed, how to mend it."""


class EnvironmentFailure(_OneLine):
    """The surroundings failed: disk, lock, damaged or missing weights (exit code 3). One line that names the path."""


class Interrupted(_OneLine):
    """The work was asked to stop (exit code 130 or 143); everything finished so far is on disk at the path it names."""


def one_line(message: str) -> str:
    """A message on one line: values in it cut to 80 characters, paths to 240, and nothing that moves the cursor."""
    line = " ".join(message.split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    line = _LONG.sub(lambda found: _shortened(found[0]), line)
    line = _LONG_PATH.sub(lambda found: _middle_cut(found[0], LONGEST_PATH), line)
    return _middle_cut(line, LONGEST_LINE)


def _shortened(value: str) -> str:
    """A value's first characters; a quoted one, or a list, keeps its marks."""
    opening, closing = (value[0], value[-1]) if value[0] in "'\"[" else ("", "")
    kept = value[len(opening) : len(opening) + LONGEST_VALUE - 1]
    return f"{opening}{kept}…{closing}"


def _middle_cut(text: str, longest: int) -> str:
    """The two ends of what is too long: a message's mending stands at its end, as a path's name does."""
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half:]}"
