"""The script of an array of Slurm's jobs: each is one process, which goes on in another turn when its time is up.

Slurm's signal ahead of the time limit ends a process with STOPPED, whether it finishes its block or, while Python still
starts, dies by it; then the script puts the job back into the queue. SIGTERM is passed over: an exit would tell Slurm
that the job is over, where it only makes room for others and comes again.
"""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.slurm_fields import SlurmFields
from experiments.sweep import Job
from zeroshot.errors import UserError

STOPPED = 128 + signal.SIGUSR2 if hasattr(signal, "SIGUSR2") else 140  # Windows has neither
# "$@" is the job's command, $n its number in the array. Files appear whole, under their name, by a rename.
BODY = """
rm -f -- "$folder/$n.exit"
export OMP_NUM_THREADS="${{OMP_NUM_THREADS:-{cpus}}}" PYTHONUNBUFFERED=1
{setup}
srun --ntasks=1 --cpus-per-task={cpus} bash -c 'trap "" TERM; exec "$@"' bash "$@" < /dev/null
code=$?
if [ "$code" = {stopped} ] && [ "$(cat -- "$folder/$n.turns" 2> /dev/null | wc -l)" -lt {turns} ]; then
    echo "time limit" >> "$folder/$n.turns"
    scontrol requeue "$SLURM_JOB_ID" && exit {stopped}
fi
echo "$code" > "$folder/.$n.partial" && mv -- "$folder/.$n.partial" "$folder/$n.exit"
exit "$code"
"""


def script(
    jobs: Sequence[Job], own: Sequence[str], fields: SlurmFields, folder: Path, on_gpus: bool, after: str | None
) -> str:
    """The text for sbatch.

    Args:
        jobs: of the array, in the order of its indices from 0.
        own: Hydra's overrides for all of them.
        fields: checked.
        folder: absolute; gets each job's <number>.log, .exit (its exit code, once it is over) and .turns (a line for
            each time that it was queued again for the time limit).
        on_gpus: whether the jobs compute on GPUs.
        after: id of a job that has to end first.
    """
    if "\\" in str(folder) or not str(folder).isprintable():
        raise UserError(
            f"output = {folder}, but Slurm writes no logs to a path with \\ or a control character: another"
        )
    asked = fields.asked(on_gpus)
    options = fields.options | {
        "array": f"0-{len(jobs) - 1}%{fields.array_parallelism}",
        "time": fields.timeout_min,
        "signal": f"USR2@{fields.signal_delay_s}",
        "output": f"{str(folder).replace('%', '%%')}/%a.log",
        "open-mode": "append",
        "nodes": 1,
        "ntasks": 1,
        "cpus-per-task": asked["cpus_per_task"],
    }
    if asked["gpus_per_node"]:
        options["gpus-per-node"] = asked["gpus_per_node"]
    if asked["mem_gb"]:
        options["mem"] = f"{max(1, round(asked['mem_gb'] * 1024))}M"
    if after:
        options["dependency"] = f"afterany:{after}"
    header = [f"#SBATCH --{key}" + ("" if value is True else f"={_quoted(value)}") for key, value in options.items()]
    commands = [shlex.join([sys.executable, *job.arguments, *own]) for job in jobs]
    cases = [f"{number}) set -- {command} ;;" for number, command in enumerate(commands)]
    body = BODY.format(
        cpus=asked["cpus_per_task"], setup="\n".join(fields.setup or ()), stopped=STOPPED, turns=fields.max_num_timeout
    )
    named = [f"folder={shlex.quote(str(folder))} n=$SLURM_ARRAY_TASK_ID", 'case "$n" in', *cases, "esac"]
    return "\n".join(["#!/bin/bash", *header, "", *named]) + body


def _quoted(value: object) -> str:
    """A value in a line of #SBATCH, which reads quotes as a shell does."""
    return shlex.quote(str(value))
