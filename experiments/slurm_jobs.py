"""Jobs handed to Slurm and waited for. They go on without whoever waits, who may come back and wait again."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus

from experiments.cli import ENVIRONMENT_FAILURE, USER_ERROR, JobFailed, signals
from experiments.live import Live
from experiments.slurm_fields import SlurmFields
from experiments.slurm_queue import State, accounted, cancel, requeue, states, submit
from experiments.slurm_script import STOPPED, script
from experiments.sweep import Job, Sweep
from zeroshot.storage.files import check_writable, write_text

GRACE = 30  # seconds until a file that a job has written is seen from another node, and until squeue knows a new job
OFTEN, SELDOM = 1.0, 15.0  # seconds between two looks: at first, and in the end


NEW = State("PENDING")


@dataclass
class Waited:
    """A job of Slurm's that is waited for."""

    job: Job
    id: str  # 12_3: the fourth of array 12
    folder: Path  # of its array
    state: State = NEW
    seen: float = 0.0  # when squeue last told of it, or it was handed in
    outcome: JobFailed | None = None
    done: bool = False
    ended: float = 0.0  # when squeue first told that it is over

    @property
    def _number(self) -> str:
        return self.id.partition("_")[2]

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.folder / f"{self._number}.log"

    @property
    def code(self) -> int | None:
        """Its exit code, once it is over."""
        try:
            return int((self.folder / f"{self._number}.exit").read_text())
        except (OSError, ValueError):
            return None

    def again(self, most: int) -> bool:
        """Put it back into the queue after a time limit; False where that was done `most` times before."""
        turns = self.folder / f"{self._number}.turns"
        with turns.open("a+") as file:
            file.seek(0)
            if len(file.readlines()) >= most:
                return False
            file.write("time limit\n")
        (self.folder / f"{self._number}.exit").unlink(missing_ok=True)
        requeue(self.id)
        return True

    def failed(self, reason: str, code: int) -> None:
        """Note that it is over, with what it said last."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            lines = []
        said = [line for line in lines if not line.startswith(("srun: ", "slurmstepd: "))][-1:]
        told = "; ".join([*([reason] if reason else []), *said]) or "no output"
        self.outcome, self.done = JobFailed(f"{told} (log: {self.log})", code), True


def run_jobs(sweep: Sweep, fields: SlurmFields, first: Sequence[Job] = ()) -> list[JobReturn]:
    """Hand in the jobs that are not in the queue yet, as one array, and wait for all of them.

    A signal ends the waiting, not the jobs, and the process leaves with the signal's code.

    Args:
        sweep: the jobs.
        fields: what is asked of Slurm.
        first: jobs, as another array, which have to end before the others begin.

    Raises UserError for what Slurm refuses, EnvironmentFailure where it is not there.
    """
    fields.check()
    check_writable(sweep.output)
    waited = _picked_up(sweep, fields.name)
    missing = [job for job in sweep.jobs if job not in [w.job for w in waited]]
    if waited:
        _say(f"{len(waited)} of these jobs are in the queue already: {_ids(waited)}")
    if missing and first:
        waited += _handed_in(sweep, list(first), fields, None)
        waited += _handed_in(sweep, missing, fields, waited[-1].id.partition("_")[0])
    elif missing:
        waited += _handed_in(sweep, missing, fields, None)
    _wait(waited, fields)
    return [_returned(job) for job in waited]


def _record(output: Path, job: Job) -> Path:
    """Where it is kept which of Slurm's jobs does a job."""
    digest = hashlib.sha256(json.dumps([job.entry, job.target, sorted(job.overrides)]).encode()).hexdigest()
    return output / "hydra" / "slurm" / f"{digest[:16]}.json"


def _picked_up(sweep: Sweep, name: str) -> list[Waited]:
    """Those of a sweep's jobs that an earlier command handed in and that are not over."""
    found = []
    for job in sweep.jobs:
        try:
            kept = json.loads(_record(sweep.output, job).read_text())
            found.append(Waited(job, str(kept["id"]), Path(kept["folder"]), seen=time.monotonic()))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    known = states([waited.id for waited in found], name) or {}
    alive = [w for w in found if w.id in known and (known[w.id].waits or known[w.id].runs) and w.code is None]
    return [w for w in alive if w.folder.is_dir()]


def _handed_in(sweep: Sweep, jobs: list[Job], fields: SlurmFields, after: str | None) -> list[Waited]:
    folder = _new_folder(sweep.folder.absolute())
    path = folder / "script.sh"
    write_text(path, script(jobs, sweep.own, fields, folder, sweep.on_gpus, after))
    array = submit(path)
    waited = [Waited(job, f"{array}_{number}", folder, seen=time.monotonic()) for number, job in enumerate(jobs)]
    for job in waited:
        write_text(_record(sweep.output, job.job), json.dumps({"id": job.id, "folder": str(folder)}) + "\n")
    what = "first, " if after is None and jobs[0].target else f"after {after}, " if after else ""
    _say(f"Slurm job {array}: {what}{len(jobs)} jobs; their output goes to {folder}/<number>.log")
    return waited


def _new_folder(sweep: Path) -> Path:
    number = 0
    while True:
        folder = sweep / ("slurm" if number == 0 else f"slurm-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def _wait(waited: list[Waited], fields: SlurmFields) -> None:
    started, silent = time.monotonic(), False
    with signals() as received, Live() as live:
        while True:
            known = states([job.id for job in waited if not job.done], fields.name)
            if known is None and not silent:
                live.note("Slurm does not answer; waiting for it")
            silent = known is None
            for job in waited:
                if not job.done:
                    _look(job, known, fields)
            live.show(f"Slurm job {_ids(waited)}: {_counted(waited)}")
            if all(job.done for job in waited):
                return
            until = time.monotonic() + min(SELDOM, max(OFTEN, (time.monotonic() - started) / 20))
            while not received and time.monotonic() < until:
                time.sleep(0.1)
            if received:
                break
    ids = _ids([job for job in waited if not job.done])
    _say(
        f"stopped waiting; Slurm job {ids} goes on without this command. The same command waits for it again and does "
        f"what follows; scancel {ids.replace(', ', ' ')} ends it"
    )
    sys.exit(128 + received[0])


def _look(job: Waited, known: dict[str, State] | None, fields: SlurmFields) -> None:
    """Take in what is new of a job."""
    code = job.code
    if known is not None and job.id in known:
        job.state, job.seen = known[job.id], time.monotonic()
    timed_out = job.state.name in ("TIMEOUT", "DEADLINE") or code == STOPPED
    if code is not None and code != STOPPED:
        _ended(job, code)
    elif timed_out and not (job.state.waits or job.state.runs):
        # Queued again it waits for a while, so that the next look does not take the old state for a new one.
        if not job.again(fields.max_num_timeout):
            most = f"hydra.launcher.max_num_timeout = {fields.max_num_timeout}"
            job.failed(f"its time was up once more than {most} allows", ENVIRONMENT_FAILURE)
        job.state = State("REQUEUED")
    elif known is None:
        return
    elif job.state.never:
        cancel([job.id])
        job.failed(f"taken out of the queue, it can never start: Slurm says {job.state.reason}", USER_ERROR)
    elif job.id not in known and time.monotonic() - job.seen > GRACE:
        state = accounted(job.id)
        job.failed(f"ended without a result: {state or 'Slurm no longer knows it'}", ENVIRONMENT_FAILURE)
    elif job.id in known and not (job.state.waits or job.state.runs) and _late(job):
        job.failed(f"ended without a result: {job.state.name}", ENVIRONMENT_FAILURE)


def _late(job: Waited) -> bool:
    """Whether nothing of a job that Slurm has ended is to be expected any more."""
    if job.state.name not in ("COMPLETED", "FAILED"):  # from outside: its script came to no end
        return True
    job.ended = job.ended or time.monotonic()
    return time.monotonic() - job.ended > GRACE


def _ended(job: Waited, code: int) -> None:
    if code == 0:
        job.done = True
    elif code > 128:
        job.failed(f"killed by signal {code - 128}", ENVIRONMENT_FAILURE)
    else:
        job.failed("" if code in (USER_ERROR, ENVIRONMENT_FAILURE) else f"exit code {code}", code)


def _counted(waited: Sequence[Waited]) -> str:
    """How many jobs wait and why, run, are done, failed."""
    there = [job for job in waited if not job.done]
    waiting = [job for job in there if not job.state.runs]
    reasons = Counter(job.state.reason for job in waiting if job.state.reason not in ("", "None"))
    why = f" ({', '.join(reasons)})" if reasons else ""
    failed = sum(job.outcome is not None for job in waited)
    done = len(waited) - len(there) - failed
    return f"{len(waiting)} pending{why}, {len(there) - len(waiting)} running, {done} done, {failed} failed"


def _ids(waited: Sequence[Waited]) -> str:
    return ", ".join(dict.fromkeys(job.id.partition("_")[0] for job in waited))


def _returned(job: Waited) -> JobReturn:
    outcome = JobReturn(overrides=job.job.overrides, status=JobStatus.FAILED if job.outcome else JobStatus.COMPLETED)
    outcome.return_value = job.outcome
    return outcome


def _say(line: str) -> None:
    print(line, file=sys.stderr)
