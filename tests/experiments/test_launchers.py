"""Sweeps: the launchers, what happens to jobs that fail or are stopped, exit codes."""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus

from experiments import local_jobs
from experiments.cli import JobFailed, StopRequest, guarded
from experiments.imagine import main as imagine_main
from experiments.local_jobs import job_environment, run_jobs
from experiments.outcomes import leave_if_failed
from experiments.reproduce import main as reproduce_main
from experiments.run import main as run_main
from experiments.sweep import Job, Sweep, sweep_of
from tests.conftest import Call, command, with_cache
from tests.experiments.test_config import composed_with_hydra
from zeroshot.errors import EnvironmentFailure, Interrupted, UserError

TINY = ("experiment=tiny", "device=cpu", "search.images=fresh")


def job(code: int = 0, message: str = "") -> JobReturn:
    done = JobReturn(overrides=[f"k={code}"], status=JobStatus.FAILED if code else JobStatus.COMPLETED)
    done.return_value = JobFailed(message, code) if code else None
    return done


@pytest.mark.parametrize("launcher", ["default", "local", "slurm"])
def test_a_sweep_that_names_a_job_twice_is_refused_before_any_runs(call: Call, tmp_path: Path, launcher: str) -> None:
    arguments = ("-m", "generator=sagan", "seed=7,8,7", f"hydra/launcher={launcher}", f"output={tmp_path}")
    code, _, stderr = call(run_main, *arguments)
    assert code == 2 and "the sweep names 'generator=sagan seed=7 " in stderr and "more than once" in stderr
    assert not list(tmp_path.glob("miniature"))


def test_a_sweep_leaves_with_the_worst_code_and_names_what_failed(capsys: pytest.CaptureFixture) -> None:
    leave_if_failed([job(), job()])
    with pytest.raises(SystemExit) as left:
        leave_if_failed([job(2, "error: k = 0"), job(), job(3, "error: disk")])
    assert left.value.code == 3
    assert capsys.readouterr().err.splitlines() == [
        "2 of 3 jobs failed, the others are done:",
        "  k=2: error: k = 0",
        "  k=3: error: disk",
    ]


@pytest.mark.parametrize(
    ("slot", "at_once", "threads", "gpus", "device", "expected"),
    [
        (0, 2, 8, [], "auto", ("4", None)),
        (2, 3, 8, [], "cpu", ("2", None)),
        (5, 16, 8, [], "auto", ("1", None)),  # never none
        (0, 8, 64, list("01234567"), "auto", ("8", "0")),
        (7, 8, 64, list("01234567"), "cuda", ("8", "7")),
        (2, 4, 64, ["0", "1"], "auto", ("16", "0")),  # more jobs than GPUs
        (1, 2, 8, ["5", "MIG-ab"], "auto", ("4", "MIG-ab")),  # those that the launching process may see
        (1, 2, 8, ["0", "1"], "cuda:0", ("4", None)),  # names its own
        (1, 2, 8, ["0", "1"], "cpu", ("4", None)),
    ],
)
def test_threads_and_gpus_are_divided(
    slot: int, at_once: int, threads: int, gpus: list[str], device: str, expected: tuple[str, str | None]
) -> None:
    own = job_environment(slot, at_once, threads, gpus, device)
    assert (own["OMP_NUM_THREADS"], own.get("CUDA_VISIBLE_DEVICES")) == expected
    assert own["MKL_NUM_THREADS"] == own["OMP_NUM_THREADS"]


@pytest.fixture
def jobs_are(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets jobs be a few lines of Python that find their overrides in sys.argv."""

    def replace(code: str) -> None:
        monkeypatch.setattr(Job, "arguments", property(lambda job: ["-c", code, *job.overrides]))

    return replace


def sweep(output: Path, *jobs: str) -> Sweep:
    config = composed_with_hydra(f"output={output}")
    return sweep_of(config, config.hydra, [Job([job]) for job in jobs])


def test_local_jobs_overlap_as_many_as_said_with_slots_of_their_own(
    jobs_are: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs_are(
        "import os, sys, time; a = time.time(); time.sleep(0.3);"
        "print(a, time.time(), os.environ['OMP_NUM_THREADS'], os.environ['CUDA_VISIBLE_DEVICES'])"
    )
    monkeypatch.setattr(local_jobs, "_this_machine", lambda: (4, ["0", "1"]))
    jobs = run_jobs(sweep(tmp_path, "k=1", "k=2", "k=3", "k=4", "k=5"), 2)
    assert all(job.status == JobStatus.COMPLETED for job in jobs)
    logs = [next(tmp_path.glob(f"hydra/*/*/{n}.log")).read_text().split() for n in range(5)]
    spans = [(float(start), float(end)) for start, end, _, _ in logs]
    assert {threads for *_, threads, _ in logs} == {"2"}
    at_once = [[n for n, (a, b) in enumerate(spans) if a <= start < b] for start, _ in spans]
    assert max(map(len, at_once)) == 2
    assert all(len({logs[n][3] for n in together}) == len(together) for together in at_once)  # never on one GPU


def test_local_jobs_that_fail_are_told_apart(jobs_are: Callable[[str], None], tmp_path: Path) -> None:
    jobs_are(
        "import os, sys; n = int(sys.argv[1][2:]); print('said', n, flush=True);"
        "os.kill(os.getpid(), 9) if n == 9 else sys.exit(n)"
    )
    jobs = run_jobs(sweep(tmp_path, "k=0", "k=2", "k=9", "k=1"), 2)
    assert jobs[0].status == JobStatus.COMPLETED
    failed = [job._return_value for job in jobs[1:]]
    assert [failure.code for failure in failed] == [2, 3, 1]
    assert failed[0].message == "said 2" and failed[1].message.startswith("killed by SIGKILL, see ")
    assert failed[2].message.startswith("said 1 (exit code 1, see ")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_reaches_the_jobs_that_run_and_starts_no_other(
    number: int, code: int, jobs_are: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    jobs_are(
        f"""
import os, signal, sys, time

def leave(number, frame):
    print("got", number)
    sys.exit(128 + number)

signal.signal({number}, leave)
if sys.argv[1] == "k=1":
    time.sleep(1)  # the other is ready
    os.kill({os.getpid()}, {number})
time.sleep(60)
"""
    )
    before = signal.getsignal(number)
    started = time.monotonic()
    with pytest.raises(SystemExit) as left:
        run_jobs(sweep(tmp_path, "k=1", "k=2", "k=3"), 2)
    assert left.value.code == code and time.monotonic() - started < 30
    assert "stopped, 1 jobs were not started; the same command goes on" in capsys.readouterr().err
    assert [path.read_text() for path in sorted(tmp_path.glob("hydra/*/*/*.log"))] == [f"got {number}\n"] * 2
    assert signal.getsignal(number) == before


def test_at_least_one_job_runs_at_a_time(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="n_jobs = 0"):
        run_jobs(sweep(tmp_path, "k=1"), 0)


@pytest.mark.parametrize("launcher", ["local", "slurm"])
@pytest.mark.parametrize(
    ("main", "arguments", "said"),
    [
        (run_main, ("k=10",), "one experiments.run has no jobs to launch: add -m"),
        (imagine_main, ("prompt=bird",), "one experiments.imagine has no jobs to launch: leave it out"),
        (imagine_main, ("-m", "prompt=bird"), "runs sweeps of experiments.run, not of experiments.imagine"),
        (
            reproduce_main,
            ("table1", "-m"),
            "runs sweeps of experiments.run, not of experiments.reproduce: leave out -m",
        ),
    ],
)
def test_a_launcher_is_never_passed_over(
    main: Callable[[], None], arguments: tuple[str, ...], said: str, launcher: str, call: Call, tmp_path: Path
) -> None:
    code, _, stderr = call(main, *arguments, f"hydra/launcher={launcher}", f"output={tmp_path}")
    assert code == 2 and said in stderr and not list(tmp_path.glob("miniature"))


@pytest.mark.parametrize(("error", "code"), [(UserError("k = 0"), 2), (EnvironmentFailure("disk"), 3)])
def test_in_a_sweep_an_error_is_an_exception_that_the_launcher_collects(error: Exception, code: int) -> None:
    def work(stop: StopRequest) -> None:
        raise error

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(JobFailed) as failed:
        guarded(work, in_sweep=True)
    assert failed.value.code == code and failed.value.message == f"error: {error}"
    assert signal.getsignal(signal.SIGTERM) == before
    with pytest.raises(SystemExit) as left:
        guarded(work)
    assert left.value.code == code


def test_a_schedulers_signal_finishes_the_block_and_a_sigterm_that_is_ignored_stays_so() -> None:
    def work(stop: StopRequest) -> None:
        os.kill(os.getpid(), signal.SIGTERM)  # Slurm's first word of a preemption
        assert not stop()
        os.kill(os.getpid(), signal.SIGUSR2)
        while not stop():
            time.sleep(0.01)
        raise Interrupted("here")

    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit) as left:
            guarded(work, in_sweep=True)
        assert left.value.code == 128 + signal.SIGUSR2 and signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def variant(output: Path) -> Path:
    (folder,) = (output / "miniature").glob("paper*")
    return folder


@pytest.mark.slow
def test_two_shards_by_the_local_launcher_are_one_run(output: Path) -> None:
    where = (f"output={output}", "hydra/launcher=local", "hydra.launcher.n_jobs=2")
    done = command("experiments.run", "-m", "k=10", "shard=1/2,2/2", *TINY, *where)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "2 jobs, 2 at once" in done.stdout and "best CLIP score" in done.stdout
    path = variant(output) / "runs" / "sagan" / "k=0010" / "seed=42"
    assert json.loads((path / "metrics.json").read_text())["captions"] == 6 and not list(path.glob(".lock*"))


@pytest.mark.slow
def test_a_grid_by_the_local_launcher_writes_the_tables_of_one_process(cache: Path, tmp_path: Path) -> None:
    grid = ("experiment=tiny", "grid.k=[1,10]", "grid.seeds=[42]", "device=cpu")
    here, jobs = with_cache(tmp_path / "here", cache), with_cache(tmp_path / "jobs", cache)
    for output, launcher in ((here, "default"), (jobs, "local")):
        given = ("table1", *grid, f"hydra/launcher={launcher}", f"output={output}")
        done = command("experiments.reproduce", *given, OMP_NUM_THREADS="1")
        assert done.returncode == 0, done.stderr
    assert len(list(jobs.glob("hydra/*/*/[0-3].log"))) == 4
    tables = [path.relative_to(here) for path in here.glob("miniature/**/tables/*")]
    assert len(tables) >= 6 and all((here / path).read_bytes() == (jobs / path).read_bytes() for path in tables)


def test_a_failed_job_does_not_lose_the_others(
    output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", "-m", "k=2000,1", *TINY, f"output={output}"])
    monkeypatch.delitem(sys.modules, "experiments.run", raising=False)
    GlobalHydra.instance().clear()
    with pytest.raises(SystemExit) as left:
        runpy.run_module("experiments.run", run_name="__main__")
    errors = capsys.readouterr().err
    assert left.value.code == 2 and "Traceback" not in errors
    assert "1 of 2 jobs failed, the others are done:" in errors and "k = 2000, but" in errors
    assert (variant(output) / "runs" / "sagan" / "k=0001" / "seed=42" / "metrics.json").exists()
