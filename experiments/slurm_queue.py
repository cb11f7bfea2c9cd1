"""Slurm's commands: sbatch, squeue, scontrol, scancel, and sacct where a cluster keeps accounts."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroshot.errors import EnvironmentFailure, UserError

PATIENCE = 60  # seconds that a command of Slurm's may take
# Why a job that waits will wait for ever, unless an administrator changes the cluster.
NEVER = re.compile(
    r"PartitionTimeLimit|PartitionNodeLimit|PartitionConfig|BadConstraints|Invalid(Account|QOS)|(Account|QOS)NotAllowed"
    r"|(Assoc|QOS)(Max|Grp)\w*(PerJob|PerNode)\w*(Limit)?|AssocMaxWallDurationPerJobLimit|DependencyNeverSatisfied"
)
UNREACHABLE = re.compile(r"[Uu]nable to contact|[Cc]onnection|[Ss]ocket|[Tt]imed out|authentication|munge", re.ASCII)


@dataclass(frozen=True)
class State:
    """What squeue says of a job: PENDING and why, RUNNING, TIMEOUT, …"""

    name: str
    reason: str = ""

    @property
    def waits(self) -> bool:
        """Whether it is in the queue and does not run."""
        return self.name in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD")

    @property
    def runs(self) -> bool:
        """Whether it is at work, or nearly."""
        return self.name in ("RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT")

    @property
    def never(self) -> bool:
        """Whether it can never start."""
        return self.waits and bool(NEVER.fullmatch(self.reason))


def submit(script: Path) -> str:
    """Hand a script in; returns the job's id.

    Raises UserError with Slurm's reason where it refuses what is asked for, EnvironmentFailure where it is not there.
    """
    environment = dict(os.environ)
    if "SLURM_JOB_ID" in environment:  # from within a job, whose size is not theirs
        environment = {
            key: value for key, value in environment.items() if not key.startswith("SLURM_") or "CONF" in key
        }
    done = _call(["sbatch", "--parsable", str(script)], environment)
    if done.returncode != 0:
        said = " ".join(line.removeprefix("sbatch: ").removeprefix("error: ") for line in done.stderr.splitlines())
        if UNREACHABLE.search(said):
            raise EnvironmentFailure(f"Slurm does not answer: {said} (the script: {script})")
        raise UserError(f"Slurm refuses the jobs: {said}; change hydra.launcher.… (the script: {script})")
    return done.stdout.strip().partition(";")[0]


def states(ids: Iterable[str], name: str) -> dict[str, State] | None:
    """The states of jobs and of arrays' jobs (`12_3`) by their ids, those that ended a while ago left out.

    None where Slurm does not answer.

    Args:
        ids: of jobs or of arrays' jobs.
        name: that the jobs bear; others' are left out, since a cluster set up anew counts from 1 again.
    """
    wanted = sorted({job.partition("_")[0] for job in ids})
    if not wanted:
        return {}
    listed = ["--noheader", "--array", "--states=all", f"--jobs={','.join(wanted)}", "--format=%i|%T|%r|%j"]
    try:
        done = _call(["squeue", *listed])
    except EnvironmentFailure:
        return None
    if done.returncode != 0 and "Invalid job id" not in done.stderr:
        return None
    rows = [line.split("|", 3) for line in done.stdout.splitlines() if line.count("|") >= 3]
    return {job: State(state, reason) for job, state, reason, called in rows if called == name}


def accounted(job: str) -> str:
    """The state in which a job ended that squeue has forgotten; empty where the cluster keeps no accounts."""
    try:
        done = _call(["sacct", "--noheader", "--parsable2", "--allocations", "--format=State", f"--jobs={job}"])
    except EnvironmentFailure:
        return ""
    return done.stdout.strip().partition("\n")[0] if done.returncode == 0 else ""


def requeue(job: str) -> None:
    """Put a job back into the queue; whether that was granted is told by its state."""
    _call(["scontrol", "requeue", job])


def cancel(jobs: Sequence[str]) -> None:
    """Take jobs out of the queue."""
    _call(["scancel", *jobs])


def _call(command: Sequence[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one of Slurm's commands. Raises EnvironmentFailure where it is missing, or does not end."""
    environment = (environment or dict(os.environ)) | {"LC_ALL": "C"}
    try:
        return subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for whoever waits, not for a command in the middle of its work
        )
    except FileNotFoundError:
        raise EnvironmentFailure(
            f"no {command[0]} on this machine: hydra/launcher=slurm is for a Slurm cluster; local runs jobs here"
        ) from None
    except subprocess.TimeoutExpired:
        raise EnvironmentFailure(f"Slurm's {command[0]} did not answer within {PATIENCE} s") from None
