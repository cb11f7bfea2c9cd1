"""Fault 17: with everything there nothing is asked of a network, even where there is none.

urllib3 binds a socket to ::1 when it is imported, to see whether there is IPv6; that one goes nowhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

GUARD = """
import socket, sys
def forbid(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        print("SOCKET", event, arguments, file=sys.stderr, flush=True)
sys.addaudithook(forbid)
"""


def test_the_miniature_opens_no_socket_and_runs_without_a_network(output: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(GUARD)
    line = [sys.executable, "-m", "experiments.run", "experiment=tiny", "device=cpu", f"output={output}"]
    without = ["unshare", "--net", "--map-root-user"]
    if shutil.which("unshare") and subprocess.run([*without, "true"], capture_output=True).returncode == 0:
        line = [*without, *line]  # not even a loopback interface
    environment = os.environ | {"PYTHONPATH": f"{site}:{ROOT}"}
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "SOCKET" not in done.stderr
    check = [sys.executable, "-c", "import socket; socket.create_connection(('127.0.0.1', 9))"]
    assert "SOCKET socket.getaddrinfo" in subprocess.run(check, env=environment, capture_output=True, text=True).stderr
