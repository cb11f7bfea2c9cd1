"""CLIP-guided zero-shot text-to-image generation with class-conditional GANs (Du, Yin and Gu, 2023), reproduced."""

from __future__ import annotations

__version__ = "0.2.0"

from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.imagine import SearchResult, search
from zeroshot.report.evaluate import evaluate
from zeroshot.worlds import World, load_world

__all__ = ["EnvironmentFailure", "SearchResult", "UserError", "World", "evaluate", "load_world", "search"]
