"""How the jobs of a sweep are run. Hydra executes this file while it looks for plugins: classes only, nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn

from experiments.outcomes import leave_if_failed, refuse_twins
from experiments.slurm_fields import SlurmFields
from experiments.sweep import Job, JobsLauncher, Sweep


class DefaultLauncher(BasicLauncher):
    """hydra/launcher=default: one job after another in this process; failed ones do not stop the others."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs; leave with the code of the failed ones, if any."""
        refuse_twins(job_overrides)
        jobs = super().launch(job_overrides, initial_job_idx)
        leave_if_failed(jobs)
        return jobs


class LocalLauncher(JobsLauncher):
    """hydra/launcher=local: several processes of this machine at once (experiments/local_jobs.py)."""

    name = "local"

    def __init__(self, n_jobs: int | None = None) -> None:
        self.n_jobs = n_jobs

    def run(self, sweep: Sweep, first: Sequence[Job] = ()) -> list[JobReturn]:
        """Run the jobs; those that want what another makes wait for it."""
        from experiments.local_jobs import run_jobs

        return run_jobs(sweep, self.n_jobs)


class SlurmLauncher(JobsLauncher):
    """hydra/launcher=slurm: an array of Slurm's jobs, which go on in another turn when their time is up
    (experiments/slurm_jobs.py)."""

    name = "slurm"

    def __init__(self, **fields: Any) -> None:
        self.fields = SlurmFields(**fields)  # not a base: `setup` is a field of it and a method here

    def check(self, job_overrides: Sequence[Sequence[str]]) -> None:
        """Compose every job's configuration and check it, before any waits in a queue to be refused there."""
        from experiments.checked_jobs import check_jobs

        check_jobs(self.hydra_context, self.config, job_overrides)

    def run(self, sweep: Sweep, first: Sequence[Job] = ()) -> list[JobReturn]:
        """Submit the jobs and wait for them; they go on without this process, should it end."""
        from experiments.slurm_jobs import run_jobs

        return run_jobs(sweep, self.fields, first)
