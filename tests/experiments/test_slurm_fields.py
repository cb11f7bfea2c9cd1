"""hydra/launcher=slurm without a Slurm: what is refused, what sbatch is given, and what the state of a job comes to."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments import slurm_jobs
from experiments.live import Live
from experiments.run import main as run_main
from experiments.slurm_fields import SlurmFields
from experiments.slurm_jobs import Waited, _counted, _look
from experiments.slurm_queue import State
from experiments.slurm_script import script
from experiments.sweep import Job
from tests.conftest import Call
from zeroshot.errors import UserError


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"timeout_min": 4}, "timeout_min = 4 is 240 s, but with signal_delay_s = 120 a turn has at least 270 s"),
        ({"timeout_min": 0}, "timeout_min = 0, but it is a whole number from 1 on"),
        ({"timeout_min": "1-00:00"}, "timeout_min = '1-00:00'"),
        ({"signal_delay_s": 0}, "signal_delay_s = 0"),
        ({"max_num_timeout": -1}, "max_num_timeout = -1"),
        ({"array_parallelism": True}, "array_parallelism = True"),
        ({"cpus_per_task": 0}, "cpus_per_task = 0, but it is auto"),
        ({"cpus_per_task": None}, "cpus_per_task = None, but it is auto"),
        ({"gpus_per_node": -1}, "gpus_per_node = -1, but it is auto, null"),
        ({"mem_gb": "16G"}, "mem_gb = '16G', but it is auto, null"),
        ({"mem_gb": float("nan")}, "mem_gb = nan"),
        ({"partition": "a\nb"}, "hydra.launcher.partition = 'a\\\\nb'"),
        ({"setup": "module load cuda"}, "setup = 'module load cuda', but it is a list"),
        ({"additional_parameters": {"array": "0-3"}}, "additional_parameters.array is given, but the launcher itself"),
        ({"additional_parameters": {"open_mode": "truncate"}}, "additional_parameters.open-mode is given"),
        ({"additional_parameters": {"a b": 1}}, "hydra.launcher.a b = 1"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], said: str) -> None:
    SlurmFields().check()
    with pytest.raises(UserError, match=said):
        SlurmFields(**fields).check()


@pytest.mark.parametrize(
    ("fields", "on_gpus", "asked"),
    [
        ({}, False, (None, 2, 4)),
        ({}, True, (1, 4, 16)),
        ({"gpus_per_node": None}, True, (None, 4, 16)),
        ({"gpus_per_node": 0, "cpus_per_task": 1, "mem_gb": None}, True, (0, 1, None)),
        ({"gres": "gpu:a100:1"}, True, (None, 4, 16)),
        ({"gpus_per_node": 2}, False, (2, 2, 4)),
    ],
)
def test_no_gpu_is_asked_for_where_none_is_needed(
    fields: dict[str, Any], on_gpus: bool, asked: tuple[float | None, ...]
) -> None:
    assert tuple(SlurmFields(**fields).asked(on_gpus).values()) == asked
    text = script([Job(["k=1"])], [], SlurmFields(**fields), Path("/here"), on_gpus, None)
    assert ("gpus-per-node" in text) == bool(asked[0]) and f"srun --ntasks=1 --cpus-per-task={asked[1]} " in text
    assert ("--mem=" in text) == (asked[2] is not None)


def test_a_script_quotes_what_is_odd() -> None:
    folder = Path("/a shared folder/100% 'odd'")
    fields = SlurmFields(qos="high", additional_parameters={"requeue": True, "exclusive": False})
    text = script(
        [Job(["output='a b'"]), Job([], "reproduce", "shared")], ["hydra.verbose=true"], fields, folder, False, "7"
    )
    for line in (
        "#SBATCH --qos=high",
        "#SBATCH --requeue",
        "#SBATCH --array=0-1%32",
        "#SBATCH --dependency=afterany:7",
        """#SBATCH --output='/a shared folder/100%% '"'"'odd'"'"'/%a.log'""",
        f"""0) set -- {sys.executable} -m experiments.run 'output='"'"'a b'"'"'' hydra.verbose=true ;;""",
        f"1) set -- {sys.executable} -m experiments.reproduce shared hydra.verbose=true ;;",
    ):
        assert f"{line}\n" in text
    assert "exclusive" not in text
    with pytest.raises(UserError, match="Slurm writes no logs"):
        script([Job([])], [], fields, Path("/a\\b"), False, None)


@pytest.fixture
def waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Waited:
    """A job that was handed in at 100 s; it is 100 s."""
    monkeypatch.setattr(slurm_jobs.time, "monotonic", lambda: 100.0)
    return Waited(Job(["k=1"]), "12_3", tmp_path, seen=100.0)


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_jobs.time, "monotonic", lambda: 200.0)


def test_a_job_that_slurm_has_forgotten_is_not_waited_for(waited: Waited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no sacct
    _look(waited, {}, SlurmFields())
    later(monkeypatch)
    _look(waited, None, SlurmFields())  # Slurm does not answer: nothing is concluded
    assert not waited.done
    _look(waited, {}, SlurmFields())
    assert waited.outcome and waited.outcome.code == 3 and "Slurm no longer knows it" in waited.outcome.message


def test_a_file_that_comes_late_is_waited_for(waited: Waited, monkeypatch: pytest.MonkeyPatch) -> None:
    _look(waited, {"12_3": State("COMPLETED")}, SlurmFields())
    assert not waited.done
    (waited.folder / "3.exit").write_text("0\n")
    _look(waited, {"12_3": State("COMPLETED")}, SlurmFields())
    assert _counted([waited]) == "0 pending, 0 running, 1 done, 0 failed"


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        (State("CANCELLED"), 3, "CANCELLED"),
        (State("NODE_FAIL"), 3, "NODE_FAIL"),
        (State("OUT_OF_MEMORY"), 3, "OUT_OF_MEMORY"),
        (State("PENDING", "PartitionTimeLimit"), 2, "can never start: Slurm says PartitionTimeLimit"),
        (State("PENDING", "QOSMaxWallDurationPerJobLimit"), 2, "can never start"),
        (State("PENDING", "QOSMaxJobsPerUserLimit"), 0, ""),  # waits for its turn
        (State("PENDING", "Resources"), 0, ""),
        (State("RUNNING"), 0, ""),
    ],
)
def test_what_a_state_comes_to(
    waited: Waited, state: State, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_jobs, "cancel", lambda jobs: None)
    waited.log.write_text("error: disk\nslurmstepd: error: *** JOB\n")
    _look(waited, {"12_3": state}, SlurmFields())
    assert waited.done == bool(code)
    if code:
        assert waited.outcome and waited.outcome.code == code and said in waited.outcome.message
        assert waited.outcome.message.endswith(f"error: disk (log: {waited.log})")


def test_the_line_counts_and_gives_the_queues_reasons(waited: Waited, tmp_path: Path) -> None:
    jobs = [Waited(Job([]), f"12_{n}", tmp_path) for n in range(4)]
    jobs[0].state, jobs[1].state, jobs[2].done = State("PENDING", "Priority"), State("RUNNING", "None"), True
    jobs[3].failed("gone", 3)
    assert _counted(jobs) == "1 pending (Priority), 1 running, 1 done, 1 failed"


@pytest.mark.parametrize(
    ("terminal", "shown"), [(False, "a\nb\nnote\nb\n"), (True, "\r\x1b[Ka\r\x1b[Kb\r\x1b[Knote\n\r\x1b[Kb\n")]
)
def test_a_line_lives_on_a_terminal_and_else_tells_changes(
    terminal: bool, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    stream.isatty = lambda: terminal  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", stream)
    with Live() as live:
        for line in ("a", "a", "b"):
            live.show(line)
        live.note("note")
        live.show("b")
    assert stream.getvalue() == shown


def test_wrong_settings_are_said_before_anything_is_handed_in(call: Call, tmp_path: Path) -> None:
    sweep = (f"output={tmp_path}", "hydra/launcher=slurm", "-m")
    code, _, stderr = call(run_main, "k=1,2000", *sweep)
    assert code == 2 and "k=2000" in stderr and "k = 2000, but this world has 1,000 labels" in stderr
    code, _, stderr = call(run_main, "captions=2,9999", *sweep)
    assert code == 2 and "captions = 9999" in stderr
    assert not list(tmp_path.glob("hydra/*/*/slurm"))


def test_without_slurm_one_line_says_so(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, stderr = call(run_main, "-m", "k=1", f"output={tmp_path}", "hydra/launcher=slurm")
    assert code == 3 and stderr.splitlines()[-1].startswith("error: no sbatch on this machine")
