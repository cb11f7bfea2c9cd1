"""Third-party pickles: plain containers or nothing."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NoReturn

from zeroshot.errors import UserError


class _Plain(pickle.Unpickler):
    """Builds what needs no class (dict, list, tuple, set, str, bytes, numbers, None) and refuses every name."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _Named(f"{module}.{name}")

    def persistent_load(self, pid: object) -> NoReturn:
        raise _Named(f"a persistent object {pid!r:.40}")


class _Named(Exception):
    """What a pickle asked for beyond plain containers."""


def read_plain_pickle(path: Path) -> Any:
    """The plain containers that a pickle holds. Raises UserError where it is missing, damaged or names code."""
    try:
        with path.open("rb") as file:
            return _Plain(file).load()
    except _Named as named:
        raise UserError(
            f"{path} is refused: it names {named}, but only plain containers and text are read; nothing of it was run"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give the folder that holds it") from None
    except Exception as error:  # a damaged pickle fails in whatever way its first wrong byte leads to
        raise UserError(f"{path} is no pickle, or damaged ({type(error).__name__}): get it again") from None
