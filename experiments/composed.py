"""Entry points that Hydra composes, and what it refuses, in a few lines; HYDRA_FULL_ERROR=1 shows all of it."""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import hydra
import hydra._internal.hydra
import hydra._internal.utils
from hydra._internal.utils import get_args_parser
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from experiments.cli import (
    ENVIRONMENT_FAILURE,
    HYDRA_REFUSES,
    JobFailed,
    Refused,
    StopRequest,
    guarded,
    leave,
    shows_all,
    told,
)
from zeroshot.errors import UserError
from zeroshot.strategy_settings import REFINEMENTS, STARTS, refinement_named, start_named

MOST_LINES = 12
# What Hydra and OmegaConf add to their reasons: where they looked, names of classes, and how to get past the refusal.
LEFT_OUT = re.compile(
    r"^In '.*?': (?=Could not find)|\n*Config search path:(?:\n\t.*)*|\n *(?:object_type|reference_type)=.*"
    r"|\n *full_key: *$|\nTo append to your config use .*|\nSee https://.*",
)
OPTIONS = re.compile(r"\n+(Available options in '.*?'):((?:\n\t.*)*)")

STRATEGIES: dict[str, Mapping[str, type]] = {"start.": STARTS, "refine.": REFINEMENTS}  # by the place of their fields

Work = Callable[[DictConfig, StopRequest], None]


def _raised(work: Callable[[], Any]) -> Any:
    return work()


# Hydra itself prints an error's whole chain and leaves; so it comes to the entry point, which tells what matters of it.
for _module in (hydra._internal.utils, hydra._internal.hydra):
    _module.run_and_report = _raised  # type: ignore[attr-defined]


def _no_groups(*_: Any, **__: Any) -> str:
    return ""


# For every help Hydra lists all groups of the configuration, twice, which takes longer than all else; ours names them.
if "--hydra-help" not in sys.argv:
    hydra._internal.hydra.Hydra.format_config_groups = _no_groups  # type: ignore[method-assign]


def composed(config_name: str, schema: type) -> Callable[[Work], Callable[[], None]]:
    """`hydra.main` of one of our functions, guarded: conf/<config_name>.yaml, whose type is the dataclass `schema`.

    Refusals have MOST_LINES at most. A sweep's job that fails does not stop the others.
    """

    def decorate(work: Work) -> Callable[[], None]:
        defects: list[Exception] = []

        @functools.wraps(work)  # Hydra takes the command's name and the place of conf/ from the file that holds it
        def task(config: DictConfig) -> None:
            try:
                in_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
                guarded(lambda stop: _checked(work, config, schema, stop), in_sweep)
            except Exception as defect:
                defects.append(defect)
                raise

        def main() -> None:
            guarded(lambda _: check_flags(sys.argv[1:]))
            try:
                hydra.main(version_base="1.3", config_path="../conf", config_name=config_name)(task)()
            except JobFailed as failed:
                leave(failed.message, failed.code)
            except Exception as error:
                if error in defects or shows_all():
                    raise
                if isinstance(error, OSError) and not isinstance(error, HydraException):
                    leave(f"error: {told(error)}", ENVIRONMENT_FAILURE)
                leave(shortened(error), HYDRA_REFUSES)

        return main

    return decorate


def _checked(work: Work, config: DictConfig, schema: type, stop: StopRequest) -> None:
    try:
        check_launcher(HydraConfig.get())
        check_keys(config, schema)
        work(config, stop)
    except (HydraException, OmegaConfBaseException) as error:
        if shows_all():
            raise
        raise Refused(shortened(error)) from None


def check_flags(arguments: list[str]) -> None:
    """Refuse flags that Hydra does not know, and strategies that there are not. Raises UserError."""

    def refuse(message: str) -> NoReturn:
        raise UserError(f"{message}: --help and --hydra-help say what can be given")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    if parser.parse_args(arguments).experimental_rerun is not None:
        raise UserError("--experimental-rerun reads a pickle, which may run anything: give the command itself again")
    for key, named in (("start", start_named), ("refine", refinement_named)):
        for argument in arguments:
            if re.fullmatch(rf"{key}=[a-z0-9_,]+", argument):  # what else is given is for Hydra to read
                for name in argument.partition("=")[2].split(","):
                    named(name)


def check_launcher(hydra_config: HydraConf) -> None:
    """Refuse a launcher that would be passed over: outside of a sweep only a grid has jobs. Raises UserError."""
    chosen, command = hydra_config.runtime.choices.get("hydra/launcher"), hydra_config.job.name
    if hydra_config.mode == RunMode.RUN and chosen not in ("default", "basic", None) and command != "reproduce":
        mend = "add -m, which makes a sweep" if command == "run" else "leave it out"
        raise UserError(f"hydra/launcher={chosen}, but one experiments.{command} has no jobs to launch: {mend}")


def check_keys(config: DictConfig, schema: type) -> None:
    """Refuse what Hydra lets pass: keys that were added with a plus and that nothing reads, another command's
    configuration, and NUL characters, which no path has.

    Raises UserError, and OmegaConf's errors where a value cannot be resolved.
    """
    if OmegaConf.get_type(config) is not schema:
        raise UserError("--config-name gives a configuration that is not this command's: begin its defaults with it")
    for place, node in _nodes(config):
        # Where a schema is merged over a strategy's, as imagine's is, its node has the type of all strategies.
        strategies = STRATEGIES.get(place, {})
        known = _fields(strategies.get(node.get("name"), OmegaConf.get_type(node))) or list(node)
        for key in map(str, node):
            if key not in known:
                raise UserError(f"{place}{key} is unknown, so + cannot add it: there are {', '.join(sorted(known))}")
            if isinstance(node[key], str) and "\0" in node[key]:
                raise UserError(f"{place}{key} = {node[key]!r}, but no name or text has a NUL in it: remove it")


def _nodes(config: DictConfig, place: str = "") -> Iterator[tuple[str, DictConfig]]:
    yield place, config
    for key in map(str, config):
        if isinstance(config[key], DictConfig):
            yield from _nodes(config[key], f"{place}{key}.")


def _fields(schema: object) -> list[str]:
    return [f.name for f in dataclasses.fields(schema)] if dataclasses.is_dataclass(schema) else []


def shortened(error: Exception) -> str:
    """Why there is no configuration: MOST_LINES at most that name the key, or what was given, and what is allowed."""
    if isinstance(error, OverrideParseException):
        reason = str(error.__context__ or error).partition(" expecting ")[0]
        return f"error: {error.override!r} is no override ({reason}): quote special characters, as in 'key=\"a, b\"'"
    if isinstance(error, HydraException | OmegaConfBaseException):
        cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
        reasons = [str(error)] + [str(cause)] * (str(cause) not in str(error))
        if isinstance(cause, ConfigKeyError | ConfigAttributeError):
            there = _fields(cause.object_type) or list(map(str, cause.parent_node or ()))
            reasons.append(f"Known there: {', '.join(there)}")
    else:  # of a YAML file, or what Hydra does not look for
        reasons = [f"{type(error).__name__}: {error}", f"given: {' '.join(sys.argv[1:])}"]
    lines = OPTIONS.sub(_options, LEFT_OUT.sub("", "\n".join(reasons))).strip().splitlines()
    return "\n".join([f"error: {lines[0]}", *lines[1:MOST_LINES]])


def _options(found: re.Match[str]) -> str:
    """What may be chosen, on one line, without the schemas that stand beside the files in Hydra's store."""
    return f"\n{found[1]}: {', '.join(name for name in found[2].split() if not name.endswith('fields'))}"
