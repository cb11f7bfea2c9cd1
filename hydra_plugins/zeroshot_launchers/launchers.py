"""How the jobs of a sweep are run. Hydra executes this file while it looks for plugins: classes only, nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, configure_log
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from experiments.cli import ENVIRONMENT_FAILURE, USER_ERROR, leave
from experiments.outcomes import leave_if_failed, refuse_twins

try:
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher as Submitit
except ImportError:

    class Submitit(Launcher):  # type: ignore[no-redef]
        """Stands for the launcher that is not installed, so that choosing it says what to do."""

        def __init__(self, **parameters: Any) -> None:
            pass

        def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
            leave("error: hydra/launcher=slurm needs an extra: pip install -e '.[cluster]'", USER_ERROR)

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            raise NotImplementedError


class DefaultLauncher(BasicLauncher):
    """hydra/launcher=default: one job after another in this process; failed ones do not stop the others."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs; leave with the code of the failed ones, if any."""
        refuse_twins(job_overrides)
        jobs = super().launch(job_overrides, initial_job_idx)
        leave_if_failed(jobs)
        return jobs


class LocalLauncher(Launcher):
    """hydra/launcher=local: several processes of this machine at once (experiments/local_jobs.py)."""

    def __init__(self, n_jobs: int | None = None) -> None:
        self.n_jobs = n_jobs
        self.config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep the sweep's configuration."""
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs; leave with the code of the failed ones, if any."""
        from experiments.local_jobs import run_jobs

        assert self.config is not None
        refuse_twins(job_overrides)
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        jobs = run_jobs(job_overrides, initial_job_idx, self.config, self.n_jobs)
        leave_if_failed(jobs)
        return jobs


class SlurmLauncher(Submitit):
    """hydra/launcher=slurm: an array of Slurm's jobs, queued again when their time is up, going on where they were."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the jobs as one array and wait for them; they go on without this process, should it end."""
        refuse_twins(job_overrides)
        try:
            jobs = super().launch(job_overrides, initial_job_idx)
        except Exception as error:  # no Slurm here, fields that it refuses, or a job that ended without a result
            reason = str(error).strip().splitlines() or [type(error).__name__]
            assert self.config is not None
            leave(f"error: {reason[0]} (logs: {self.config.hydra.sweep.dir}/slurm)", ENVIRONMENT_FAILURE)
        leave_if_failed(jobs)
        return jobs
