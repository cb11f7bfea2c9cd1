"""How a sweep ends: every job has had its turn, the failed ones are listed, the exit code is that of the worst."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hydra.core.utils import JobReturn, JobStatus, filter_overrides

from experiments.cli import USER_ERROR, JobFailed, leave
from zeroshot.errors import one_line


def leave_if_failed(jobs: Sequence[JobReturn]) -> None:
    """Name the jobs that failed and exit with the highest of their codes; return where none did.

    A job that ended with another exception than JobFailed is a defect: Hydra shows its traceback and exits with 1.
    """
    outcomes = [(job, job._return_value) for job in jobs if job.status == JobStatus.FAILED]
    failed = [(job, outcome) for job, outcome in outcomes if isinstance(outcome, JobFailed)]
    if not failed or len(failed) < len(outcomes):
        return
    print(f"{len(failed)} of {len(jobs)} jobs failed, the others are done:", file=sys.stderr)
    for job, outcome in failed:
        print(f"  {one_line(f'{named(job.overrides or [])}: {outcome.message}')}", file=sys.stderr)
    sys.exit(max(outcome.code for _, outcome in failed))


def refuse_twins(jobs: Sequence[Sequence[str]]) -> None:
    """Leave with the user's exit code where a sweep names the same job twice, or none, before any job runs."""
    if not jobs:
        leave("error: the sweep names no job: give each key one value at least", USER_ERROR)
    for number, job in enumerate(jobs):
        if job in jobs[:number]:
            leave(f"error: the sweep names {named(job)!r} more than once: name each value once", USER_ERROR)


def named(overrides: Sequence[str]) -> str:
    """A job by what it was given."""
    return " ".join(filter_overrides(overrides)) or "the only job"
