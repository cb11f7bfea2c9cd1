"""Locks: shared and exclusive, gone with their owner, and without what only POSIX has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import ROOT, with_cache
from zeroshot.errors import EnvironmentFailure
from zeroshot.storage.locks import give_back, holder_of, locked, take

# Windows has neither fcntl nor resource nor these signals, and neither renames nor removes an open file. portalocker,
# which has no way without fcntl on POSIX, and its like are imported before the two vanish: what is shown here is that
# nothing of ours needs them.
PORTABLE = """
import importlib, os, pkgutil, signal, sys
from pathlib import Path
import portalocker, torch, tqdm, open_clip

sys.modules["fcntl"] = sys.modules["resource"] = None
del signal.SIGUSR1, signal.SIGUSR2

def refuse(event, given):
    if event in ("os.rename", "os.remove"):
        path = os.path.realpath(given[0])
        if any(os.path.realpath(file) == path for file in Path("/proc/self/fd").iterdir()):
            raise PermissionError(13, "open", path)

sys.addaudithook(refuse)
for package in map(importlib.import_module, ("zeroshot", "experiments", "hydra_plugins.zeroshot_launchers")):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)

from zeroshot.paper.downloads.fetch import fetch
from zeroshot.paper.downloads.table import Item
output = Path(sys.argv[1])
item = Item("x", "a test", "x/LICENSE", "by hand")
assert fetch(item, output, mirrors=[f"{output}/mirror"]).read_text() == "whole"

sys.argv = [*"run generator=sagan k=2 b_max=2 captions=4 search=fresh device=cpu".split(), f"output={output}"]
from experiments.run import main
main()
"""


def test_exclusive_keeps_everybody_out_and_shared_only_the_exclusive(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    first = take(path)
    assert first is not None and take(path) is None and take(path, shared=True) is None
    give_back(first, path)
    assert not path.exists()
    one, two = take(path, shared=True), take(path, shared=True)
    assert one is not None and two is not None and take(path) is None
    give_back(one, path)
    assert path.exists()  # the other still holds it
    give_back(two, path)
    assert not path.exists()


def test_a_lock_that_is_given_back_within_ones_patience_is_taken(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    first = take(path)
    assert first is not None and take(path, patience=0.05) is None
    threading.Timer(0.1, give_back, (first, path)).start()
    second = take(path, patience=60)
    assert second is not None and take(path) is None
    give_back(second, path)


def test_a_file_removed_between_opening_and_locking_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    first = take(path)
    path.unlink()
    second = take(path)  # another file under the same name: the first one's lock is not in its way
    assert first is not None and second is not None
    give_back(first, path)
    assert take(path) is None  # and giving that back did not remove this one's
    give_back(second, path)


def test_the_kernel_frees_a_killed_owners_lock(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    program = "import sys, time; from pathlib import Path; from zeroshot.storage.locks import take\\n"
    program = program.replace("\\n", "\n") + "f = take(Path(sys.argv[1])); print('held', file=f, flush=True); print()\n"
    owner = subprocess.Popen(
        [sys.executable, "-uc", f"{program}time.sleep(60)", str(path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None and owner.stdout.readline()
    assert take(path) is None and holder_of(path) == "held"
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert holder_of(path) == ""
    with locked(path, wait=False) as mine:
        assert mine
    assert not path.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(EnvironmentFailure, match=r"file/below cannot be written"),
        locked(tmp_path / "file/below/x", True),
    ):
        pass


def test_nothing_of_ours_needs_what_only_posix_has(cache: Path, tmp_path: Path) -> None:
    output = with_cache(tmp_path, cache)
    (output / "mirror/x").mkdir(parents=True)
    (output / "mirror/x/LICENSE").write_text("whole")
    done = subprocess.run(
        [sys.executable, "-c", PORTABLE, str(output)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and "best CLIP score" in done.stdout, done.stderr
