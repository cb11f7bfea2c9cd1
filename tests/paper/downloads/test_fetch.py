"""Downloads from a real server on this machine: resumed where they broke, never spliced from two files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.paper.downloads.server import FILE, SHA256, Server, item, names
from zeroshot.errors import EnvironmentFailure, Interrupted
from zeroshot.paper.downloads.fetch import fetch
from zeroshot.storage import pins


def test_a_file_arrives_verified_and_pinned(server: Server, tmp_path: Path) -> None:
    path = fetch(item(f"{server.address}/file"), tmp_path)
    assert path == tmp_path / "models/model.pth"
    assert path.read_bytes() == FILE
    assert names(tmp_path) == {"models/model.pth", "models/SHA256SUMS"}
    assert pins.pinned(path) == SHA256


def test_a_file_that_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    wanted = item(f"{server.address}/file")
    fetch(wanted, tmp_path)
    fetch(wanted, tmp_path)
    assert len(server.asked) == 1


def test_redirects_are_followed(server: Server, tmp_path: Path) -> None:
    assert fetch(item(f"{server.address}/moved"), tmp_path).read_bytes() == FILE


def test_a_cut_connection_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000, 50_000]
    assert fetch(item(f"{server.address}/file"), tmp_path).read_bytes() == FILE
    assert [(wanted, status) for _, wanted, status in server.asked] == [
        (None, 200),
        ("bytes=100000-", 206),
        ("bytes=150000-", 206),
    ]


def test_a_cut_connection_without_ranges_begins_again(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, [100_000]
    assert fetch(item(f"{server.address}/file"), tmp_path).read_bytes() == FILE
    assert [status for _, _, status in server.asked] == [200, 200]


def test_a_later_command_goes_on_where_an_earlier_one_stopped(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000] + [0] * 9
    with pytest.raises(EnvironmentFailure, match="ended after 100,000 of 300,000 bytes; 100,000 bytes are kept"):
        fetch(item(f"{server.address}/file"), tmp_path)
    assert "models/model.pth" not in names(tmp_path)
    server.cuts, server.asked = [], []
    assert fetch(item(f"{server.address}/file"), tmp_path).read_bytes() == FILE
    assert [wanted for _, wanted, _ in server.asked] == ["bytes=100000-"]


def test_what_has_come_is_kept_while_other_sources_have_nothing(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000] + [0] * 4
    places = [f"{server.address}/file", f"{server.address}/gone", str(tmp_path / "nowhere")]
    with pytest.raises(EnvironmentFailure, match=r"/file: .*; 100,000 bytes are kept, .*/gone: HTTP 404"):
        fetch(item(*places), tmp_path)
    server.cuts, server.asked = [], []
    assert fetch(item(*places), tmp_path).read_bytes() == FILE
    assert [wanted for _, wanted, _ in server.asked] == ["bytes=100000-"]


def test_a_second_source_begins_anew(server: Server, tmp_path: Path) -> None:
    """Its file could be another one, so nothing of the first source's is kept."""
    server.cuts = [100_000] + [0] * 4
    places = [f"{server.address}/file", f"{server.address}/moved"]
    assert fetch(item(*places, sha256=None), tmp_path).read_bytes() == FILE
    assert server.asked[-1][1:] == (None, 200)


def test_a_stopped_download_goes_on_too(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000]
    with pytest.raises(Interrupted, match=r"model\.pth\.partial"):
        fetch(item(f"{server.address}/file"), tmp_path, stop=lambda: True)
    assert names(tmp_path) == {"models/model.pth.partial", "models/model.pth.partial.json"}
    kept = (tmp_path / "models/model.pth.partial").stat().st_size
    assert 0 < kept <= 100_000
    assert fetch(item(f"{server.address}/file"), tmp_path).read_bytes() == FILE
    begun, status = server.asked[1][1:]
    assert (status, begun) == (206, f"bytes={kept}-")


@pytest.mark.parametrize("etag", ['"two"', None])
def test_a_file_that_changed_meanwhile_is_not_spliced(server: Server, tmp_path: Path, etag: str | None) -> None:
    """Its sha256 is unknown, so nothing else would tell."""
    wanted = item(f"{server.address}/file", sha256=None)
    server.cuts = [100_000] + [0] * 9
    server.etag = '"one"' if etag else None  # type: ignore[assignment]
    with pytest.raises(EnvironmentFailure):
        fetch(wanted, tmp_path)
    server.cuts, server.content, server.etag = [], FILE[::-1], etag  # type: ignore[assignment]
    assert fetch(wanted, tmp_path).read_bytes() == FILE[::-1]


def test_a_range_that_starts_elsewhere_is_not_spliced(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000] + [0] * 9
    wanted = item(f"{server.address}/file")
    with pytest.raises(EnvironmentFailure):
        fetch(wanted, tmp_path)
    partial = tmp_path / "models/model.pth.partial"
    partial.write_bytes(FILE + b"more")  # longer than the file: the server answers 416
    server.cuts = []
    assert fetch(wanted, tmp_path).read_bytes() == FILE
    assert 416 in [status for _, _, status in server.asked]


def test_a_whole_partial_file_is_only_verified(server: Server, tmp_path: Path) -> None:
    wanted = item(f"{server.address}/file")
    server.cuts = [100_000] + [0] * 9
    with pytest.raises(EnvironmentFailure):
        fetch(wanted, tmp_path)
    (tmp_path / "models/model.pth.partial").write_bytes(FILE)
    server.cuts, server.asked = [], []
    assert fetch(wanted, tmp_path).read_bytes() == FILE
    assert [status for _, _, status in server.asked] == [416]


def test_a_server_that_does_not_say_how_long(server: Server, tmp_path: Path) -> None:
    server.states_length = False
    assert fetch(item(f"{server.address}/file"), tmp_path).read_bytes() == FILE


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.fails = [503, 429]
    assert fetch(item(f"{server.address}/file"), tmp_path).read_bytes() == FILE
