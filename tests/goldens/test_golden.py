"""Every golden says whose code made it, so that it cannot be the project's own numbers."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from pathlib import Path

import pytest

from tests.goldens.golden import HERE
from tests.goldens.make import PEERS

ROOT = HERE.parents[1]


@pytest.mark.parametrize("name", PEERS)
def test_a_golden_names_its_peer_and_the_files_that_were_run(name: str) -> None:
    golden = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    assert golden["peer"] == PEERS[name][1] and re.fullmatch(r"commit [0-9a-f]{40}|\S+ [\d.]+", golden["version"])
    assert golden["command"] == f"python -m tests.goldens.make {name} CHECKOUT"
    assert golden["version"].removeprefix("commit ").split()[-1] in (HERE / "README.md").read_text(encoding="utf-8")
    ours = {hashlib.sha256(path.read_bytes()).hexdigest() for path in ROOT.glob("zeroshot/**/*.py")}
    assert golden["cases"] and golden["sha256"] and not ours & set(golden["sha256"].values())


def test_every_golden_has_a_peer_and_all_are_small() -> None:
    files = {path.stem: path.stat().st_size for path in HERE.glob("*.json")}
    assert set(files) == set(PEERS) and sum(files.values()) < 200_000


def test_the_packages_files_are_those_that_are_installed() -> None:
    spec = importlib.util.find_spec("pytorch_pretrained_biggan")
    assert spec and spec.origin
    for file, digest in json.loads((HERE / "biggan.json").read_text(encoding="utf-8"))["sha256"].items():
        assert hashlib.sha256((Path(spec.origin).parent / file).read_bytes()).hexdigest() == digest, file
