"""hydra/launcher=slurm on a real Slurm: jobs fail, are stopped, lose their node, go on; files as of one process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from tests.conftest import ROOT, command, with_cache
from tests.runs.test_run import results
from tests.slurm import Slurm, started

pytestmark = [pytest.mark.slow]
LAUNCHER = ("hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1")
MINUTE = ("hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=15")
WORK = ("generator=sagan", "k=10", "captions=17", "b_max=200", "device=cpu", "search.images=fresh")  # three blocks
PATIENCE = 400  # seconds


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    slurm = started(tmp_path_factory.mktemp("slurm"), nodes=2)
    yield slurm
    slurm.stop()


@pytest.fixture
def shared(cache: Path, tmp_path: Path) -> Path:
    """The folder of outputs; Slurm gets no path without something odd in it."""
    return with_cache(tmp_path / "a shared folder, 100% odd 'path'", cache)


@pytest.fixture(autouse=True)
def nothing_left(cluster: Slurm) -> Iterator[None]:
    """Ends what a test that failed has left."""
    yield
    while Command.started:
        Command.started.pop().process.kill()
    cluster.cancel_all()


@pytest.fixture(scope="module")
def alone(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What WORK comes to in one process that nothing stops."""
    output = with_cache(tmp_path_factory.mktemp("alone") / "outputs", cache)
    done = command("experiments.run", *WORK, "seed=42", f"output={output}", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    return results(run_folder(output))


def run_folder(output: Path, seed: int = 42) -> Path:
    (folder,) = output.glob("miniature/paper*")
    return folder / "runs" / "sagan" / "k=0010" / f"seed={seed}"


class Command:
    """A command that waits for Slurm's jobs, and what it has said so far."""

    started: ClassVar[list[Command]] = []

    def __init__(self, cluster: Slurm, output: Path, *arguments: str) -> None:
        Command.started.append(self)
        self._said = output.parent / f"said-{time.monotonic_ns()}"
        with self._said.open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments, quoted(output)],
                cwd=ROOT,
                env=os.environ | cluster.environment | {"OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                text=True,
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    @property
    def array(self) -> str:
        """The id of the last array that it handed in."""
        return re.findall(r"Slurm job (\d+): (?:\d+|after \d+, \d+) jobs;", self.said)[-1]

    def until(self, ready: Callable[[], object], seconds: float = PATIENCE) -> None:
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end and self.process.poll() is None, self.said
            time.sleep(0.1)

    def ended(self) -> int:
        """Its exit code."""
        return self.process.wait(PATIENCE)


def quoted(output: Path) -> str:
    escaped = str(output).replace("\\", "\\\\").replace("'", "\\'")
    return f"output='{escaped}'"


def sweep(cluster: Slurm, output: Path, seeds: str, *more: str) -> Command:
    return Command(cluster, output, "experiments.run", "-m", *WORK, f"seed={seeds}", *LAUNCHER, *more)


def worker(output: Path, seed: int = 42) -> int:
    """The process that computes a run, from its lock; 0 before it has begun to search."""
    for lock in output.glob(f"miniature/paper*/runs/sagan/k=0010/seed={seed}/.lock"):
        found = re.search(r"pid (\d+)", lock.read_text())
        if found and list(lock.parent.glob("blocks/0*.parquet")):
            return int(found[1])
    return 0


def log_of(output: Path, number: int = 0) -> str:
    return "".join(path.read_text() for path in sorted(output.glob(f"hydra/*/*/slurm*/{number}.log")))


def test_core_jobs_fail_reach_their_time_limit_are_queued_again_and_end_with_the_same_files(
    cluster: Slurm, shared: Path, alone: dict
) -> None:
    waiting = sweep(cluster, shared, "42,43", *MINUTE)
    waiting.until(lambda: worker(shared))
    waiting.until(lambda: worker(shared, 43))
    os.kill(worker(shared, 43), signal.SIGKILL)  # as the kernel does where memory ends
    os.kill(worker(shared), signal.SIGSTOP)  # its minute passes, however fast the machine; Slurm wakes it to be told
    assert waiting.ended() == 3
    assert "1 of 2 jobs failed, the others are done:" in waiting.said
    assert re.search(r"seed=43.*killed by signal 9.*\(log: .*/1\.log\)", waiting.said)
    assert "stopped; the next run of the same settings goes on" in (run_folder(shared) / "run.log").read_text()
    (turns,) = shared.glob("hydra/*/*/slurm/0.turns")
    assert turns.read_text() == "time limit\n"
    assert results(run_folder(shared)) == alone
    told = cluster.call("squeue", "-h", "-r", "-t", "all", "-j", waiting.array, "-o", "%i %T")
    assert sorted(told.splitlines()) == [f"{waiting.array}_0 COMPLETED", f"{waiting.array}_1 FAILED"]


def test_a_grid_in_one_word_writes_the_tables_of_a_local_one(cluster: Slurm, shared: Path, cache: Path) -> None:
    grid = ("experiment=tiny", "grid.k=[1,10]", "grid.seeds=[42]", "device=cpu")
    waiting = Command(cluster, shared, "experiments.reproduce", "table1", *grid, *LAUNCHER)
    assert waiting.ended() == 0, waiting.said
    assert re.search(r"Slurm job \d+: first, 2 jobs;", waiting.said) and "Dependency" in waiting.said
    assert re.search(r"Slurm job \d+: after \d+, 4 jobs;", waiting.said)
    here = with_cache(shared.parent / "here", cache)
    done = command("experiments.reproduce", "table1", *grid, f"output={here}", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    tables = [path.relative_to(here) for path in here.glob("miniature/**/tables/*")]
    assert len(tables) >= 6 and all((here / path).read_bytes() == (shared / path).read_bytes() for path in tables)
    again = Command(cluster, shared, "experiments.reproduce", "table1", *grid, *LAUNCHER)
    assert again.ended() == 0 and "Slurm job" not in again.said  # finished runs cost no job
    (lost,) = shared.glob("miniature/paper*/runs/sagan/k=0001/seed=42/metrics.json")
    lost.unlink()
    third = Command(cluster, shared, "experiments.reproduce", "table1", *grid, *LAUNCHER)
    assert third.ended() == 0 and re.search(r"Slurm job \d+: 1 jobs;", third.said)  # nobody to share with


def test_a_killed_turn_is_queued_again_by_who_waits(cluster: Slurm, shared: Path, alone: dict) -> None:
    deaf = "trap : USR2; while :; do sleep 1; done"  # a block that takes longer than signal_delay_s, in the first turn
    setup = f'test -e "$folder/deaf" || {{ touch "$folder/deaf"; set -- bash -c "{deaf}"; }}'
    waiting = sweep(cluster, shared, "42", *MINUTE, f"+hydra.launcher.setup=['{setup}']")
    assert waiting.ended() == 0, waiting.said
    assert "DUE TO TIME LIMIT" in log_of(shared) and results(run_folder(shared)) == alone
    (turns,) = shared.glob("hydra/*/*/slurm/0.turns")
    assert turns.read_text() == "time limit\n"


def test_a_signal_while_python_starts_queues_the_job_again_and_often_enough_fails_it(
    cluster: Slurm, shared: Path
) -> None:
    hold = "+hydra.launcher.setup=['set -- sleep 300']"  # stands for a start that takes longer than the turn
    waiting = sweep(cluster, shared, "42", hold, "hydra.launcher.max_num_timeout=1")
    for turn in (1, 2):
        waiting.until(lambda: "RUNNING" in cluster.call("squeue", "--steps", "-h", "-o", "%i RUNNING %N"))
        time.sleep(1)
        cluster.call("scancel", "--signal=USR2", f"{waiting.array}_0")
        if turn == 1:
            waiting.until(lambda: "(BeginTime)" in waiting.said)
    assert waiting.ended() == 3 and "hydra.launcher.max_num_timeout = 1 allows" in waiting.said


def test_waiting_may_end_and_the_same_command_picks_the_jobs_up(cluster: Slurm, shared: Path, alone: dict) -> None:
    waiting = sweep(cluster, shared, "42,43")
    waiting.until(lambda: worker(shared) and worker(shared, 43))
    waiting.process.send_signal(signal.SIGINT)
    assert waiting.ended() == 130 and "Traceback" not in waiting.said
    assert f"Slurm job {waiting.array} goes on without this command" in waiting.said
    again = sweep(cluster, shared, "42,43")
    again.until(lambda: f"2 of these jobs are in the queue already: {waiting.array}" in again.said)
    cluster.call("scancel", f"{waiting.array}_1")
    assert again.ended() == 3
    assert re.search(r"1 of 2 jobs failed.*\n.*seed=43.*CANCELLED", again.said)
    assert results(run_folder(shared)) == alone


def test_slurms_daemons_are_restarted_under_a_job(cluster: Slurm, shared: Path, alone: dict) -> None:
    waiting = sweep(cluster, shared, "42")
    waiting.until(lambda: worker(shared))
    node = cluster.call("squeue", "-h", "-j", waiting.array, "-o", "%N").strip()
    pid = worker(shared)
    os.kill(pid, signal.SIGSTOP)
    cluster.kill("slurmctld")
    waiting.until(lambda: "Slurm does not answer" in waiting.said)
    cluster.kill(node)
    cluster.start_controller()
    cluster.start_node(node)
    os.kill(pid, signal.SIGCONT)
    assert waiting.ended() == 0, waiting.said
    assert results(run_folder(shared)) == alone


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (["hydra.launcher.cpus_per_task=64"], "it can never start: Slurm says PartitionConfig"),
        (["hydra.launcher.mem_gb=900"], "Requested node configuration is not available"),
        (["hydra.launcher.partition=none"], "invalid partition specified: none"),
        (["hydra.launcher.gpus_per_node=1"], "Invalid generic resource"),
        (["hydra.launcher.timeout_min=9999"], "it can never start: Slurm says Partition"),
    ],
)
def test_what_can_never_start_is_said_at_once(cluster: Slurm, shared: Path, fields: list[str], said: str) -> None:
    waiting = sweep(cluster, shared, "42", *fields)
    assert waiting.process.wait(60) == 2 and said in waiting.said
    assert cluster.call("squeue", "-h", "-t", "PENDING") == ""


def test_shards_on_two_nodes_are_one_run_and_get_the_cpus_they_ask_for(
    cluster: Slurm, shared: Path, alone: dict
) -> None:
    two = ("hydra.launcher.cpus_per_task=2", "shard=1/2,2/2")
    waiting = sweep(cluster, shared, "42", *two)
    steps = "%i %N"
    waiting.until(lambda: len(cluster.call("squeue", "--steps", "-h", "-o", steps).splitlines()) >= 2)
    nodes = cluster.call("squeue", "-h", "-t", "RUNNING", "-o", "%N").split()
    step = cluster.call("squeue", "--steps", "-h", "-o", "%i").split()[0]
    shown = cluster.call("scontrol", "show", "step", step)
    assert waiting.ended() == 0, waiting.said
    assert sorted(nodes) == ["node0", "node1"] and "CPUs=2" in shown
    assert results(run_folder(shared)) == alone


def test_a_failing_job_leaves_its_line_in_its_log_and_its_code_with_slurm(cluster: Slurm, shared: Path) -> None:
    first = sweep(cluster, shared, "42", "captions=2", "b_max=2")
    assert first.ended() == 0
    config = run_folder(shared) / "config.yaml"
    config.write_text(config.read_text().replace("version:", "version: 0 #"))  # another's, made meanwhile
    again = sweep(cluster, shared, "42", "captions=2", "b_max=2")
    assert again.ended() == 3 and "belongs to another configuration (version" in again.said
    assert "error: " in log_of(shared).splitlines()[-2]
    assert "ExitCode=3:0" in cluster.call("scontrol", "show", "job", f"{again.array}_0")
