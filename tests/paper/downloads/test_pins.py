"""Checksums of downloads: known, pinned on first use, and refused when they change."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from zeroshot.errors import EnvironmentFailure
from zeroshot.paper.downloads.fetch import check
from zeroshot.storage import pins

DIGEST = hashlib.sha256(b"weights").hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "model.pth"
    found.write_bytes(b"weights")
    return found


def test_any_file_will_do_at_first(path: Path) -> None:
    assert check(path, None) == DIGEST
    assert pins.pinned(path) is None


def test_a_pinned_file_that_changed_is_refused_and_set_aside(path: Path) -> None:
    pins.pin(path, check(path, None))
    assert pins.pinned(path) == DIGEST
    path.write_bytes(b"other weights")
    other = hashlib.sha256(b"other weights").hexdigest()
    with pytest.raises(EnvironmentFailure, match=f"(?s){other}.*{DIGEST}.*pinned on first use.*delete its line"):
        check(path, None)
    assert not path.exists()
    assert path.with_name("model.pth.damaged").read_bytes() == b"other weights"


def test_a_known_checksum_counts_more_than_a_pin(path: Path) -> None:
    pins.pin(path, "0" * 64)
    assert check(path, DIGEST) == DIGEST
    with pytest.raises(EnvironmentFailure, match="1" * 64):
        check(path, "1" * 64)


def test_pins_of_several_files_live_together(path: Path) -> None:
    pins.pin(path, DIGEST)
    pins.pin(path.with_name("another file.bin"), "2" * 64)
    pins.pin(path.with_name("another file.bin"), "3" * 64)
    assert pins.pinned(path) == DIGEST
    assert pins.pinned(path.with_name("another file.bin")) == "3" * 64
    assert sorted(p.name for p in path.parent.iterdir()) == ["SHA256SUMS", "model.pth"]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_sha256sum_reads_the_pins(path: Path) -> None:
    pins.pin(path, DIGEST)
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=path.parent, check=True, capture_output=True)
    path.write_bytes(b"changed")
    result = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=path.parent, capture_output=True, check=False)
    assert result.returncode != 0


def test_pins_that_cannot_be_read_are_named(path: Path) -> None:
    (path.parent / "SHA256SUMS").write_bytes(b"\xff\xfe")
    with pytest.raises(EnvironmentFailure, match="SHA256SUMS cannot be read"):
        check(path, None)
