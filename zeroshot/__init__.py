"""CLIP-guided zero-shot text-to-image generation with class-conditional GANs (Du, Yin and Gu, 2023), reproduced.

What is public is imported when it is first used: `import zeroshot` alone loads no model library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.version import __version__

if TYPE_CHECKING:
    from zeroshot.report.evaluate import evaluate
    from zeroshot.report.inspection.check import check
    from zeroshot.runs.imagine import SearchResult, search
    from zeroshot.worlds.by_name import load_world
from zeroshot.worlds.world import World

__all__ = [
    "EnvironmentFailure",
    "SearchResult",
    "UserError",
    "World",
    "__version__",
    "check",
    "evaluate",
    "load_world",
    "search",
]

# No room bears one of these names: importing it would put the module in the function's place.
_PLACES = {
    "SearchResult": "zeroshot.runs.imagine",
    "World": "zeroshot.worlds.world",
    "check": "zeroshot.report.inspection.check",
    "evaluate": "zeroshot.report.evaluate",
    "load_world": "zeroshot.worlds.by_name",
    "search": "zeroshot.runs.imagine",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'zeroshot' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
