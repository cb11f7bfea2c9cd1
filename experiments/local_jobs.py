"""The jobs of a sweep as processes of this machine, several at once, threads and GPUs divided among them."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from hydra.core.utils import JobReturn, JobStatus

from experiments.cli import ENVIRONMENT_FAILURE, USER_ERROR, JobFailed, signals
from experiments.sweep import Job, Sweep
from zeroshot.errors import UserError

log = logging.getLogger(__name__)

WITHOUT_GPU = 2  # jobs at once where n_jobs is not given and there is no GPU


@dataclass
class Running:
    """A job that runs: its number in the sweep, its place among those that run at once."""

    number: int
    job: Job
    slot: int
    log: Path
    process: subprocess.Popen[bytes]


def run_jobs(sweep: Sweep, n_jobs: int | None) -> list[JobReturn]:
    """Run the jobs of a sweep; failed ones do not stop the others.

    A signal is passed on to the jobs that run, no other is started, and the process leaves with the signal's code.

    Args:
        sweep: the jobs.
        n_jobs: how many at once; None: one per GPU, two where there is none.

    Raises UserError for a number of jobs below 1.
    """
    if n_jobs is not None and n_jobs < 1:
        raise UserError(f"hydra.launcher.n_jobs = {n_jobs}, but at least one job runs at a time: give null, 1 or more")
    folder, jobs = sweep.folder, sweep.jobs
    folder.mkdir(parents=True, exist_ok=True)
    threads, gpus = _this_machine()
    at_once = min(n_jobs or len(gpus) or WITHOUT_GPU, len(jobs))
    log.info("%d jobs, %d at once; their output goes to %s/<number>.log", len(jobs), at_once, folder)
    waiting = deque(enumerate(jobs))
    running: list[Running] = []
    ended: dict[int, JobReturn] = {}
    passed_on = 0
    with signals() as received:
        while running or (waiting and not received):
            while waiting and len(running) < at_once and not received:
                number, given = waiting.popleft()
                slot = min(set(range(at_once)) - {job.slot for job in running})
                device = _device(given.overrides, sweep.device)
                environment = os.environ | job_environment(slot, at_once, threads, gpus, device)
                command = [sys.executable, *given.arguments, *sweep.own]
                path = folder / f"{number}.log"
                running.append(Running(number, given, slot, path, _start(command, path, environment)))
                log.info("#%d started: %s", number, given.name)
            time.sleep(0.1)
            for signal_number in received[passed_on:]:
                passed_on += 1
                for job in running:
                    with suppress(ValueError):  # Windows sends no Ctrl-C, which reaches the jobs by itself there
                        job.process.send_signal(signal_number)
            for job in [job for job in running if job.process.poll() is not None]:
                running.remove(job)
                ended[job.number] = _ended(job)
    if received:
        print(f"stopped, {len(waiting)} jobs were not started; the same command goes on", file=sys.stderr)
        sys.exit(128 + received[0])
    return [ended[number] for number in sorted(ended)]


def job_environment(slot: int, at_once: int, threads: int, gpus: Sequence[str], device: str) -> dict[str, str]:
    """What a job's environment has of its own: a part of the threads, and the GPU of its slot.

    Args:
        slot: its place among the jobs that run at once, from 0; two that run at the same time have different ones.
        at_once: how many run at once.
        threads: how many threads there are for all of them.
        gpus: the GPUs there are, as CUDA_VISIBLE_DEVICES names them.
        device: the job's; one that names a GPU itself (cuda:1) sees all of them.
    """
    own = str(max(1, threads // at_once))
    changes = {"OMP_NUM_THREADS": own, "MKL_NUM_THREADS": own}
    if gpus and device in ("auto", "cuda"):
        changes["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
    return changes


def _this_machine() -> tuple[int, list[str]]:
    """Threads that this process would use, and its GPUs as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    names = [str(gpu) for gpu in range(count)] if visible is None else visible.split(",")[:count]
    return torch.get_num_threads(), names


def _device(overrides: Sequence[str], default: str) -> str:
    given = [override.partition("=")[2] for override in overrides if override.startswith("device=")]
    return given[-1] if given else default


def _start(command: Sequence[str], path: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with path.open("ab") as output:
        # A session of its own: Ctrl-C reaches this process only, which passes it on once.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )


def _ended(job: Running) -> JobReturn:
    """What a job came to; says so by the last line that it wrote."""
    code = job.process.returncode
    lines = job.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = lines[-1] if lines else "no output"
    outcome = JobReturn(overrides=job.job.overrides, status=JobStatus.COMPLETED)
    if code < 0:
        last = f"killed by {signal.Signals(-code).name}, see {job.log}"
    elif code not in (0, USER_ERROR, ENVIRONMENT_FAILURE):
        last = f"{last} (exit code {code}, see {job.log})"
    if code != 0:
        outcome.status = JobStatus.FAILED
        outcome.return_value = JobFailed(last, code if code > 0 else ENVIRONMENT_FAILURE)
    log.info("#%d %s: %s", job.number, "ended" if code == 0 else "failed", last)
    return outcome
