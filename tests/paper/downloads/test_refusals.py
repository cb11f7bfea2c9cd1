"""What a download refuses: wrong files, web pages, strange pages of Google Drive, and the network when offline."""

from __future__ import annotations

import dataclasses
import hashlib
import socket
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from tests.paper.downloads import server as served
from tests.paper.downloads.server import FILE, SHA256, WARNING_PAGE, Server, item, names
from zeroshot.errors import EnvironmentFailure
from zeroshot.paper.downloads.fetch import fetch
from zeroshot.storage import pins


def test_a_wrong_checksum_is_set_aside_and_both_are_named(server: Server, tmp_path: Path) -> None:
    server.content = FILE[::-1]
    actual = hashlib.sha256(FILE[::-1]).hexdigest()
    with pytest.raises(EnvironmentFailure, match=f"has sha256 {actual}, but expected is {SHA256}"):
        fetch(item(f"{server.address}/file"), tmp_path)
    assert names(tmp_path) == {"models/model.pth.damaged"}
    assert (tmp_path / "models/model.pth.damaged").read_bytes() == FILE[::-1]


def test_after_a_wrong_checksum_the_next_source_is_tried(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    (folder / "models").mkdir(parents=True)
    (folder / "models/model.pth").write_bytes(b"not the model")
    cache = tmp_path / "cache"
    assert fetch(item(f"{server.address}/file"), cache, mirrors=[str(folder)]).read_bytes() == FILE
    assert (cache / "models/model.pth.damaged").read_bytes() == b"not the model"


def test_a_wrong_length_is_refused_before_anything_comes(server: Server, tmp_path: Path) -> None:
    server.content = FILE[:-1]
    with pytest.raises(EnvironmentFailure, match="299,999 bytes instead of 300,000"):
        fetch(item(f"{server.address}/file"), tmp_path)
    assert names(tmp_path) == set()


def test_first_use_is_pinned_and_another_file_is_refused(server: Server, tmp_path: Path) -> None:
    wanted = item(f"{server.address}/file", sha256=None, size=1)
    path = fetch(wanted, tmp_path)
    assert pins.pinned(path) == SHA256
    path.write_bytes(b"tampered with")
    with pytest.raises(EnvironmentFailure, match=f"expected is {SHA256} .pinned on first use.*delete its line"):
        fetch(wanted, tmp_path)
    assert not path.exists()
    server.content = b"another training run"
    with pytest.raises(EnvironmentFailure, match="pinned on first use"):
        fetch(wanted, tmp_path)
    assert not path.exists()
    server.content = FILE
    assert fetch(wanted, tmp_path).read_bytes() == FILE


@pytest.mark.parametrize("known", [SHA256, None])
@pytest.mark.parametrize(("place", "reason"), [("page", "Quota exceeded"), ("disguised", "a web page instead of")])
def test_a_web_page_is_never_taken_for_the_file(
    server: Server, tmp_path: Path, place: str, reason: str, known: str | None
) -> None:
    wanted = item(f"{server.address}/{place}", sha256=known, size=None)
    with pytest.raises(EnvironmentFailure, match=reason):
        fetch(wanted, tmp_path)
    assert names(tmp_path) == set()


def test_google_drives_question_is_answered(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroshot.paper.downloads.web.DRIVE", f"{server.address}/drive")
    server.cuts = [10_000, 50_000]  # the page is shorter than that
    path = fetch(item("gdrive:abc?resourcekey=0-key"), tmp_path)
    assert path.read_bytes() == FILE
    first = urllib.parse.parse_qs(urllib.parse.urlsplit(server.asked[0][0]).query)
    assert first == {"id": ["abc"], "export": ["download"], "confirm": ["t"], "resourcekey": ["0-key"]}
    assert server.asked[-1][1] == "bytes=50000-"


@pytest.mark.parametrize(
    ("action", "reason"),
    [("https://evil.example/drive", "leads to https://evil.example/drive"), (None, "Virus scan warning")],
)
def test_google_drives_page_must_lead_to_google_drive(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str | None, reason: str
) -> None:
    page = WARNING_PAGE.replace("{action}", action) if action else WARNING_PAGE.replace("download-form", "other")
    monkeypatch.setattr(served, "WARNING_PAGE", page)
    monkeypatch.setattr("zeroshot.paper.downloads.web.DRIVE", f"{server.address}/drive")
    with pytest.raises(EnvironmentFailure, match=reason):
        fetch(item("gdrive:abc"), tmp_path)
    assert names(tmp_path) == set()


def test_sources_are_tried_in_order_and_all_reasons_told(server: Server, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
    wanted = item(f"{server.address}/gone", closed, f"{server.address}/page")
    with pytest.raises(EnvironmentFailure) as caught:
        fetch(wanted, tmp_path, mirrors=[str(tmp_path / "nowhere")])
    text = str(caught.value)
    assert "\n" not in text
    told = [
        "nowhere/models/model.pth: No such file",
        "/gone: HTTP 404",
        f"{closed}: no connection",
        "/page: a web page",
    ]
    places = [text.index(part) for part in told]
    assert places == sorted(places)
    assert text.endswith(f"By hand: put it at {tmp_path / 'models/model.pth'}")


def test_a_local_mirror_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", _no_socket)
    folder = tmp_path / "mirror" / "models"
    folder.mkdir(parents=True)
    (folder / "model.pth").write_bytes(FILE)
    path = fetch(item(), tmp_path / "cache", mirrors=[str(tmp_path / "mirror")], offline=True)
    assert path.read_bytes() == FILE


def test_a_mirrors_address_is_tried_first(server: Server, tmp_path: Path) -> None:
    wanted = item("http://127.0.0.1:1/never", filename="file")
    assert fetch(wanted, tmp_path, mirrors=[f"{server.address}/"]).read_bytes() == FILE


def _no_socket(*arguments: Any, **named: Any) -> None:
    raise AssertionError("a socket was opened")


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_opens_no_socket(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    wanted = item(f"{server.address}/file", "gdrive:abc")
    if how == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with monkeypatch.context() as patch:
        for name in ("socket", "create_connection", "getaddrinfo"):
            patch.setattr(socket, name, _no_socket)
        with pytest.raises(EnvironmentFailure, match=r"model is missing: .*: not tried, because offline; gdrive:abc"):
            fetch(wanted, tmp_path, offline=how == "argument")
    assert (server.asked, names(tmp_path), list(tmp_path.iterdir())) == ([], set(), [])


def test_offline_takes_what_is_there_and_checks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", _no_socket)
    wanted = dataclasses.replace(item("https://nowhere.example/file"), filename="model.pth")
    (tmp_path / "model.pth").write_bytes(FILE)
    assert fetch(wanted, tmp_path, offline=True).read_bytes() == FILE
    (tmp_path / "model.pth").write_bytes(b"other")
    with pytest.raises(EnvironmentFailure, match="checksum mismatch"):
        fetch(wanted, tmp_path, offline=True)


def test_a_full_disk_is_told_with_path_and_bytes(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1_000})())
    with pytest.raises(EnvironmentFailure, match=r"disk full: .*models needs 300,000 more bytes, but 1,000 are free"):
        fetch(item(f"{server.address}/file"), tmp_path)
    assert names(tmp_path) == set()


def test_a_cache_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(EnvironmentFailure, match=r"models cannot be written .*ZEROSHOT_CACHE"):
        fetch(item("https://nowhere.example/file"), tmp_path / "cache")


def test_two_downloads_of_one_file_do_not_mix(server: Server, tmp_path: Path) -> None:
    wanted = item(f"{server.address}/file")
    told: list[str] = []

    def second() -> bool:
        if not told:
            with pytest.raises(EnvironmentFailure, match="being written by another process") as caught:
                fetch(wanted, tmp_path)
            told.append(str(caught.value))
        return False

    assert fetch(wanted, tmp_path, stop=second).read_bytes() == FILE
    assert told
