"""The jobs of a sweep, or of a grid, as a launcher gets them: each is a command of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.conf import HydraConf
from hydra.core.utils import JobReturn, configure_log
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from experiments.cli import guarded
from experiments.outcomes import leave_if_failed, named, refuse_twins
from zeroshot.errors import UserError

SWEEPS_OWN = re.compile(r"[+~]*hydra[./](launcher|sweep|sweeper|mode|run)\b")  # overrides that are not for the jobs


@dataclass(frozen=True)
class Job:
    """`python -m experiments.<entry> [target] <overrides>`."""

    overrides: list[str]
    entry: str = "run"
    target: str = ""  # of experiments.reproduce

    @property
    def arguments(self) -> list[str]:
        """What follows `python`."""
        return ["-m", f"experiments.{self.entry}", *([self.target] if self.target else []), *self.overrides]

    @property
    def name(self) -> str:
        """The job by what it was given."""
        return f"{self.target} {named(self.overrides)}".strip()


@dataclass(frozen=True)
class Sweep:
    """Jobs that a launcher runs."""

    jobs: list[Job]
    folder: Path  # for their logs
    output: Path  # root of all outputs
    device: str  # the jobs', where their overrides name none
    own: list[str]  # Hydra's overrides for every job
    on_gpus: bool  # whether the jobs want a GPU each


def sweep_of(config: DictConfig, hydra: HydraConf, jobs: Sequence[Job]) -> Sweep:
    """The jobs with what a configuration and Hydra's part of it say of them."""
    own = [override for override in hydra.overrides.hydra if not SWEEPS_OWN.match(override)]
    device = str(config.device)
    on_gpus = device.startswith("cuda") or (device == "auto" and config.world.name == "paper")
    return Sweep(list(jobs), Path(str(hydra.sweep.dir)), Path(config.output), device, own, on_gpus)


def jobs_of_run(config: DictConfig, job_overrides: Sequence[Sequence[str]], launcher: str) -> list[Job]:
    """A sweep's jobs. Raises UserError for a sweep of another command than experiments.run."""
    entry = config.hydra.job.name
    if entry != "run":
        mend = ": leave out -m" if entry == "reproduce" else ""
        raise UserError(f"hydra/launcher={launcher} runs sweeps of experiments.run, not of experiments.{entry}{mend}")
    return [Job(list(overrides)) for overrides in job_overrides]


class JobsLauncher(Launcher):
    """A launcher whose jobs are commands of their own; `run` runs them."""

    name = ""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep the sweep's configuration and what composes its jobs'."""
        self.config, self.hydra_context = config, hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs; leave with the code of the failed ones, if any."""
        refuse_twins(job_overrides)
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        ended: list[JobReturn] = []

        def run() -> None:
            jobs = jobs_of_run(self.config, job_overrides, self.name)
            self.check(job_overrides)
            ended.extend(self.run(sweep_of(self.config, self.config.hydra, jobs)))

        guarded(lambda _: run())
        leave_if_failed(ended)
        return ended

    def check(self, job_overrides: Sequence[Sequence[str]]) -> None:
        """Raise UserError or EnvironmentFailure for a job that cannot run; one that runs here says so by itself."""

    def run(self, sweep: Sweep, first: Sequence[Job] = ()) -> list[JobReturn]:
        """Run jobs, some of them first where those wait long in a queue."""
        raise NotImplementedError
