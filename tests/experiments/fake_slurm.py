"""A stand-in for Slurm's commands, enough for submitit: jobs are processes, the queue is a folder.

Called as `fake_slurm.py COMMAND arguments…` by scripts named sbatch, srun, sacct and scontrol in front of the path.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

QUEUE = Path(os.environ["FAKE_SLURM"])
JOB = "7"


def start(script: Path, index: int) -> None:
    """Run a job of the array, as a process that outlives this one."""
    own = {"SLURM_JOB_ID": f"{JOB}_{index}", "SLURM_ARRAY_JOB_ID": JOB, "SLURM_ARRAY_TASK_ID": str(index)}
    place = {"SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    environment, quiet = os.environ | own | place, subprocess.DEVNULL
    subprocess.Popen(["bash", str(script)], env=environment, start_new_session=True, stdout=quiet, stderr=quiet)


def main(command: str, *arguments: str) -> None:
    script = QUEUE / "script.sh"
    if command == "sbatch":
        script.write_text(Path(arguments[-1]).read_text())
        print(f"Submitted batch job {JOB}")
        sys.stdout.flush()
        last = re.search(r"--array=0-(\d+)", script.read_text())
        for index in range(int(last[1]) + 1 if last else 1):
            start(script, index)
    elif command == "srun":
        kept = list(arguments)
        outputs = {}
        while kept[0].startswith("--"):
            option = kept.pop(0)
            if option in ("--output", "--error"):
                name = kept.pop(0).replace("%A_%a", os.environ["SLURM_JOB_ID"]).replace("%t", "0")
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                outputs[option] = Path(name).open("a")  # noqa: SIM115
        (QUEUE / f"{os.environ['SLURM_JOB_ID']}.pid").write_text(str(os.getpid()))
        os.dup2(outputs["--output"].fileno(), 1)
        os.dup2(outputs["--error"].fileno(), 2)
        os.execvp(kept[0], kept)
    elif command == "scontrol":
        job = arguments[1]
        (QUEUE / f"{job}.requeued").touch()
        start(script, int(job.partition("_")[2]))
    elif command == "sacct":
        print("JobID|State|NodeList")
        for path in QUEUE.glob("*.pid"):
            print(f"{path.stem}|RUNNING|here")


if __name__ == "__main__":
    main(*sys.argv[1:])
