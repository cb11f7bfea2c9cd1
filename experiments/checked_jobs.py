"""What a sweep's jobs would be refused for, said before any of them waits in a queue."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.cli import Refused
from experiments.composed import check_keys, shortened
from experiments.config import Experiment, run_settings
from experiments.outcomes import named
from zeroshot.errors import UserError
from zeroshot.settings import RunSettings
from zeroshot.worlds.sources import check_present
from zeroshot.worlds.world import World


def check_jobs(context: HydraContext, sweep: DictConfig, jobs: Sequence[Sequence[str]]) -> None:
    """Compose each job's configuration and check it; no model is loaded.

    Raises UserError or EnvironmentFailure as the first wrong job would, and Refused for what Hydra refuses.
    """
    worlds: dict[str, World] = {}
    for overrides in jobs:
        try:
            config = context.config_loader.load_sweep_config(sweep, list(overrides))
            OmegaConf.set_struct(config, False)
            del config["hydra"]
            check_keys(config, Experiment)
            _check(run_settings(config), worlds)
        except (HydraException, OmegaConfBaseException) as error:
            raise Refused(f"{shortened(error)}\nin the job {named(overrides)}") from None
        except UserError as error:
            raise UserError(f"{named(overrides)}: {error}") from None


def _check(settings: RunSettings, worlds: dict[str, World]) -> None:
    check_present(settings)
    world = worlds.setdefault(f"{settings.data} {settings.protocol}", World(settings))  # reads its captions once
    world.searched(settings)
