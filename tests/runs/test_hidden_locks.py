"""Two nodes that do not see each other's locks, on one shared folder: work is done twice, and no file is the worse.

Two processes stand for the nodes, each with its own locks only. A real NFS was not at hand.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, command, with_cache
from tests.runs.test_run import results
from zeroshot.runs.directory import RunDirectory
from zeroshot.storage.files import write_bytes

SETTINGS = ["generator=sagan", "k=10", "captions=34", "b_max=100", "device=cpu"]
BLIND = """
import sys
import zeroshot.storage.locks as locks
locks._lock = lambda file, shared=False: True
from experiments.run import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("images", "shards"), [("fresh", ("1/1", "1/1")), ("pool", ("1/2", "2/2"))])
def test_two_who_see_no_lock_of_each_other_end_with_the_same_files(
    images: str, shards: tuple[str, str], cache: Path, tmp_path: Path
) -> None:
    one, both = with_cache(tmp_path / "one", cache), with_cache(tmp_path / "both", cache)
    given = [*SETTINGS, f"search.images={images}"]
    done = command("experiments.run", *given, f"output={one}", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    nodes = [
        subprocess.Popen(
            [sys.executable, "-c", BLIND, *given, f"shard={shard}", f"output={both}"],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for shard in shards
    ]
    ended = [(node.communicate(timeout=300)[1], node.returncode) for node in nodes]
    assert all(code == 0 for _, code in ended), ended
    (ours,), (theirs,) = (folder.glob("miniature/paper*/runs/sagan/k=0010/seed=42") for folder in (both, one))
    assert results(ours) == results(theirs)
    assert not list(ours.glob(".*.partial")) and not list(ours.glob("blocks"))


def test_a_file_that_another_node_tidies_away_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace
    tidied: list[Path] = []

    def once_tidied(source: Path, target: Path) -> None:
        if not tidied:
            RunDirectory(tmp_path).tidy()  # the other's run is finished
            tidied.append(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", once_tidied)
    write_bytes(tmp_path / "metrics.json", b"{}")
    assert tidied and [path.name for path in tmp_path.iterdir()] == ["metrics.json"]
