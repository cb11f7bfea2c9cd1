"""Entry points that Hydra composes, and what it refuses, in a few lines."""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import hydra
import hydra._internal.utils
import yaml
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zeroshot.errors import UserError

MOST_LINES = 12
LONGEST_LINE = 160
# Hydra's lines that help nobody here: how to add a key that nothing reads, and where it looked.
LEFT_OUT = (
    *("To append to your config use", "Set the environment variable", "See https://"),
    *("object_type=", "Config search", "provider=", "Error executing job"),
)


def composed(config_name: str) -> Callable[[Callable[[DictConfig], None]], Callable[[], None]]:
    """`hydra.main` of one of our functions, with refusals of MOST_LINES at most; HYDRA_FULL_ERROR=1 shows all."""

    def decorate(task: Callable[[DictConfig], None]) -> Callable[[], None]:
        begun: list[DictConfig] = []

        @functools.wraps(task)  # Hydra looks for conf/ from the task's own file
        def begin(config: DictConfig) -> None:
            begun.append(config)
            task(config)

        def report(func: Any) -> Any:
            try:
                return func()
            except Exception as error:
                # Before the task, whatever is raised comes of the arguments; later only what Hydra and OmegaConf raise.
                refused = isinstance(error, HydraException | OmegaConfBaseException | RecursionError)
                if os.environ.get("HYDRA_FULL_ERROR") == "1" or (begun and not refused):
                    raise
                print("\n".join(shortened(error)), file=sys.stderr)
                sys.exit(1)

        entry = hydra.main(version_base="1.3", config_path="../conf", config_name=config_name)(begin)

        def main() -> None:
            begun.clear()
            before = hydra._internal.utils.run_and_report
            hydra._internal.utils.run_and_report = report
            try:
                entry()
            finally:
                hydra._internal.utils.run_and_report = before

        return main

    return decorate


def shortened(error: BaseException) -> list[str]:
    """What Hydra says, and what OmegaConf or YAML said before, in at most MOST_LINES lines."""
    causes = [error, *([error.__cause__] if error.__cause__ else [])]
    if isinstance(error, RecursionError):
        return ["the configuration refers to itself, or is nested too deeply: give a value instead of ${…}"]
    said = (
        []
        if isinstance(error, HydraException | OmegaConfBaseException | yaml.YAMLError)
        else [f"Hydra cannot take this ({type(error).__name__}):"]
    )
    said += [line.rstrip() for cause in causes for line in str(cause).splitlines()]
    kept = [line for line in dict.fromkeys(said) if _helps(line.strip())]
    cut = [line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 2]} …" for line in kept]
    if len(cut) > MOST_LINES:
        cut = [*cut[: MOST_LINES - 1], f"… and {len(cut) - MOST_LINES + 1} more lines: HYDRA_FULL_ERROR=1 shows them"]
    return cut or [type(error).__name__]


def _helps(line: str) -> bool:
    return bool(line) and not line.startswith(LEFT_OUT) and not line.endswith("_fields")  # our own schema's names


def check_keys(config: DictConfig) -> None:
    """Refuse keys that were added with a plus and that nothing reads. Raises UserError."""
    for key, known in _unknown(config):
        raise UserError(f"{key} is unknown, so + cannot add it: there are {', '.join(sorted(known))}")


def _unknown(node: DictConfig, prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    kind = OmegaConf.get_type(node)
    known = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else None
    for key in map(str, node):
        if known is not None and key not in known:
            yield f"{prefix}{key}", known
        elif not OmegaConf.is_missing(node, key) and not OmegaConf.is_interpolation(node, key):
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not child._is_none():
                yield from _unknown(child, f"{prefix}{key}.")
