"""A generator's sanity check: python -m experiments.check generator=sagan (or generators=[sagan,biggan,mine]).

The same as zeroshot.check. A generator is loaded without the refusals of range, mode and neighbours, which `run` keeps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from experiments.cli import StopRequest, run_as_command
from experiments.composed import composed
from experiments.config import Check, register, run_settings
from zeroshot.limits import check_values
from zeroshot.runs.inspection.sizes import Sizes
from zeroshot.settings import RunSettings
from zeroshot.worlds.sources import check_present
from zeroshot.worlds.world import World

register()


@composed("check", Check)
def main(config: DictConfig, stop: StopRequest) -> None:
    """Check the generators that the configuration names; print verdicts and table, and say where the reports lie."""
    plain: Any = OmegaConf.to_object(config)
    sizes = Sizes(plain.check.classes, plain.check.per_class, plain.check.captions, plain.check.b_max)
    every = generators(config)
    check_values("generators", [one.generator.name for one in every])
    for settings in every:
        check_present(settings)
    output = Path(config.output)
    world = World(every[0], config.device, cache=output / "cache")
    from zeroshot.report.inspection.check import check_all  # models' libraries: a refusal needs none of them
    from zeroshot.runs.inspection.subject import subject

    found = check_all(world, lambda: [subject(world, one.generator) for one in every], sizes, output, stop)
    print(found)
    for folder in found.folders.values():
        print(f"→ {folder}: report.md, report.json, report.png")


def generators(config: DictConfig) -> list[RunSettings]:
    """The settings of each of `generators`, or of `generator` where that is empty.

    Raises UserError for one named twice, and as run_settings.
    """
    if not config.generators:
        return [run_settings(config)]
    check_values("generators", list(config.generators))
    own = [o for o in HydraConfig.get().overrides.task if not o.startswith(("generator=", "generators=", "generator@"))]
    return [run_settings(compose("check", overrides=[*own, f"generator={name}"])) for name in config.generators]


if __name__ == "__main__":
    run_as_command(main)
