"""A real Slurm on this machine: munged, slurmctld and one slurmd for each node, on loopback, in a folder of its own.

Needs Debian's packages slurm-wlm and munge, or the like, and neither systemd, nor cgroups, nor root.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
MISSING = "needs a Slurm to start: apt-get install slurm-wlm munge"
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=2,sched_min_interval=100000
KillWait={kill_wait}
MinJobAge=300
SlurmdTimeout=20
MpiDefault=none
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
JobRequeue=1
{nodes}
PartitionName=cpu Nodes=ALL Default=YES MaxTime=300 State=UP
"""


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


class Slurm:
    """A cluster without accounting; `environment` lets commands find it.

    Args:
        root: an empty folder for all its files.
        nodes: how many, each of two CPUs, whatever this machine has, and 8 GB.
        kill_wait: seconds between SIGTERM and SIGKILL at the end of a job's time.
    """

    def __init__(self, root: Path, nodes: int = 1, kill_wait: int = 5) -> None:
        self.root, self.nodes = root, [f"node{n}" for n in range(nodes)]
        self.environment = {"SLURM_CONF": str(root / "slurm.conf")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        host, ports = socket.gethostname().partition(".")[0], _free_ports(nodes + 1)
        lines = [
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=8000 State=UNKNOWN"
            for name, port in zip(self.nodes, ports[1:], strict=True)
        ]
        (root / "munge").mkdir(mode=0o755)
        (root / "state").mkdir()
        (root / "munge" / "key").write_bytes(os.urandom(128))
        (root / "munge" / "key").chmod(0o600)
        text = CONFIGURATION.format(
            host=host, port=ports[0], user=getpass.getuser(), root=root, nodes="\n".join(lines), kill_wait=kill_wait
        )
        (root / "slurm.conf").write_text(text)

    def start(self) -> None:
        """Start all daemons and wait until every node is there. Raises RuntimeError where one is not."""
        munge = self.root / "munge"
        files = [f"--{name}={munge / name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
        self._spawn("munged", "munged", "--force", "--foreground", f"--key-file={munge / 'key'}", *files)
        self._wait(lambda: (munge / "socket").exists())
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self._wait(lambda: self.call("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * len(self.nodes))

    def start_controller(self) -> None:
        """Start slurmctld, which takes up the state it had."""
        self._spawn("slurmctld", "slurmctld", "-D")

    def start_node(self, node: str) -> None:
        """Start a node's slurmd."""
        (self.root / f"spool-{node}").mkdir(exist_ok=True)
        self._spawn(node, "slurmd", "-D", "-N", node)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """End `slurmctld`, `munged` or a node's slurmd."""
        process = self._processes.pop(name)
        process.send_signal(number)
        process.wait(timeout=60)

    def stop(self) -> None:
        """End all jobs, then all daemons."""
        if "slurmctld" in self._processes:
            self.cancel_all()
        for name in reversed(list(self._processes)):
            self.kill(name, signal.SIGTERM if name != "munged" else signal.SIGKILL)

    def cancel_all(self) -> None:
        """End all jobs, and wait until they are gone."""
        self.call("scancel", "--user", getpass.getuser())
        end = time.monotonic() + 30
        while self.call("squeue", "-h", "-o", "%T").strip() and time.monotonic() < end:
            time.sleep(0.2)

    def call(self, *command: str) -> str:
        """What one of Slurm's commands prints; empty where it fails."""
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True, timeout=60)
        return done.stdout

    def _spawn(self, name: str, *command: str) -> None:
        program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert program is not None
        with (self.root / f"{name}.out").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                [program, *command[1:]],
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _wait(self, ready: object, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not ready():  # type: ignore[operator]
            if time.monotonic() > end:
                logs = "\n".join(path.read_text()[-1000:] for path in self.root.glob("*.out"))
                raise RuntimeError(f"Slurm did not start:\n{logs}")
            time.sleep(0.1)


def available() -> bool:
    """Whether Slurm's programs are on this machine."""
    return all(shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") for name in NEEDED)


def started(root: Path, nodes: int = 1) -> Slurm:
    """A cluster that runs; skips the test where Slurm is not installed."""
    if not available():
        pytest.skip(MISSING)
    root.mkdir(parents=True, exist_ok=True)
    cluster = Slurm(root, nodes)
    try:
        cluster.start()
    except BaseException:
        cluster.stop()
        raise
    return cluster
