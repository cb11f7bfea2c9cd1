"""What `hydra/launcher=slurm` takes: the fields of conf/hydra/launcher/slurm.yaml and a few more, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zeroshot.errors import UserError

OURS = ("array", "dependency", "error", "job-name", "open-mode", "output", "signal", "time")
OPTION = re.compile(r"[a-z][a-z0-9-]*")
EARLY = 30  # seconds by which Slurm may be early with its signal, since it looks at its jobs every half minute only
# What `auto` stands for where the jobs compute on GPUs, and where they do not.
AUTO: dict[str, tuple[float, float | None]] = {"gpus_per_node": (1, None), "cpus_per_task": (4, 2), "mem_gb": (16, 4)}


@dataclass
class SlurmFields:
    """What is asked of Slurm for every job: one process."""

    name: str = "zeroshot"
    partition: str | None = None  # None: the cluster's own
    account: str | None = None
    # auto: of AUTO. None: the cluster's own; of GPUs none is asked for.
    gpus_per_node: int | str | None = "auto"
    cpus_per_task: int | str = "auto"
    mem_gb: float | str | None = "auto"
    timeout_min: int = 240  # of one turn
    signal_delay_s: int = 120  # before the end of its turn a job is told to finish its block and queue again
    max_num_timeout: int = 20  # how often it may be
    array_parallelism: int = 32  # jobs at once
    additional_parameters: Mapping[str, Any] | None = None  # other options of sbatch
    setup: list[str] | None = None  # lines of bash ahead of the job's own
    qos: str | None = None
    constraint: str | None = None
    exclude: str | None = None
    gres: str | None = None
    comment: str | None = None

    def check(self) -> None:
        """Raises UserError for a value that is of another type, out of range, or makes no sense beside another."""
        for key, least in (
            ("timeout_min", 1),
            ("signal_delay_s", 1),
            ("max_num_timeout", 0),
            ("array_parallelism", 1),
        ):
            value = getattr(self, key)
            if type(value) is not int or value < least:
                raise UserError(f"hydra.launcher.{key} = {value!r}, but it is a whole number from {least} on")
        gpus, cpus, memory = self.gpus_per_node, self.cpus_per_task, self.mem_gb
        if gpus not in (None, "auto") and (type(gpus) is not int or gpus < 0):
            raise UserError(
                f"hydra.launcher.gpus_per_node = {gpus!r}, but it is auto, null, or a whole number from 0 on"
            )
        if cpus != "auto" and (type(cpus) is not int or cpus < 1):
            raise UserError(f"hydra.launcher.cpus_per_task = {cpus!r}, but it is auto, or a whole number from 1 on")
        if memory not in (None, "auto") and (isinstance(memory, bool | str) or not 0.001 <= memory < 1e6):
            raise UserError(
                f"hydra.launcher.mem_gb = {memory!r}, but it is auto, null, or a number of GB from 0.001 on"
            )
        seconds, needed = self.timeout_min * 60, 2 * self.signal_delay_s + EARLY
        if seconds < needed:
            raise UserError(
                f"hydra.launcher.timeout_min = {self.timeout_min} is {seconds} s, but with signal_delay_s = "
                f"{self.signal_delay_s} a turn has at least {needed} s, or no work is done before the signal: give "
                "more minutes, or a shorter delay"
            )
        for option, value in self.options.items():
            if not OPTION.fullmatch(option) or not str(value).isprintable() or isinstance(value, Mapping | list):
                raise UserError(
                    f"hydra.launcher.{option} = {value!r}, but sbatch's options are words, their values lines"
                )
        taken = [key for key in self._more if key in OURS]
        if taken:
            raise UserError(
                f"hydra.launcher.additional_parameters.{taken[0]} is given, but the launcher itself sets "
                f"{', '.join(OURS)}: leave it out"
            )
        if isinstance(self.setup, str) or any(not isinstance(line, str) for line in self.setup or ()):
            raise UserError(f"hydra.launcher.setup = {self.setup!r}, but it is a list of lines: ['module load cuda']")

    @property
    def _more(self) -> dict[str, Any]:
        return {key.replace("_", "-"): value for key, value in (self.additional_parameters or {}).items()}

    @property
    def options(self) -> dict[str, Any]:
        """Options of sbatch that the user chose; True stands for one without a value."""
        keys = ("partition", "account", "qos", "constraint", "exclude", "gres", "comment")
        chosen = {key: getattr(self, key) for key in keys} | self._more
        return {"job-name": self.name} | {k: v for k, v in chosen.items() if v is not None and v is not False}

    def asked(self, on_gpus: bool) -> dict[str, Any]:
        """GPUs, CPUs and GB of a job as numbers; None: left to the cluster.

        Args:
            on_gpus: whether the jobs compute on GPUs.
        """
        found = {key: getattr(self, key) for key in AUTO}
        asked = {key: AUTO[key][not on_gpus] if value == "auto" else value for key, value in found.items()}
        if self.gres is not None and self.gpus_per_node == "auto":
            asked["gpus_per_node"] = None
        return asked
