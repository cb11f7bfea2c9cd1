"""Hostile and damaged archives: one clear line, nothing written."""

from __future__ import annotations

import io
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from zeroshot.errors import EnvironmentFailure, Interrupted, UserError
from zeroshot.paper.downloads.extract import extract

Maker = Callable[[Path, str], Path]


def tar(folder: Path, *members: tarfile.TarInfo, name: str = "a.tar.gz") -> Path:
    path = folder / name
    with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as archive:
        for member in members:
            member.size = 7 if member.isreg() else 0
            archive.addfile(member, io.BytesIO(b"content") if member.isreg() else None)
    return path


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def tar_with(folder: Path, name: str) -> Path:
    return tar(folder, tar_member("good.txt"), tar_member(name))


def zip_with(folder: Path, name: str, mode: int = stat.S_IFREG | 0o644) -> Path:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.txt", "content")
        info = zipfile.ZipInfo("placeholder")
        info.filename = name  # afterwards: the constructor mends some names
        info.external_attr = mode << 16
        archive.writestr(info, "content")
    return path


def refused(archive: Path, place: Path, message: str) -> None:
    """The archive is refused with that message, and nothing but itself is in the folder."""
    before = sorted(place.rglob("*"))
    with pytest.raises(UserError, match=message) as caught:
        extract(archive, place / "inner" / "out")
    assert "\n" not in str(caught.value)
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("make", [tar_with, zip_with])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../x", r"'\.\./x', which leads outside"),
        ("a/../../x", "which leads outside"),
        ("..\\x", "which leads outside"),
        ("/x", "'/x', an absolute path"),
        ("C:\\x", "an absolute path"),
    ],
)
def test_members_outside_are_refused(tmp_path: Path, make: Maker, name: str, message: str) -> None:
    refused(make(tmp_path, name), tmp_path, message)


@pytest.mark.parametrize("link", ["/etc/passwd", "../../x", "good.txt"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_a_tar_are_refused(tmp_path: Path, kind: bytes, link: str) -> None:
    through = tar_member("door/x")
    refused(tar(tmp_path, tar_member("door", kind, link), through), tmp_path, "'door', a link to")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    refused(zip_with(tmp_path, "door", stat.S_IFLNK | 0o777), tmp_path, "'door', a link")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    refused(tar(tmp_path, tar_member("null", kind)), tmp_path, "neither a file nor a folder")


def test_a_hostile_member_is_found_outside_the_wanted_folder_too(tmp_path: Path) -> None:
    archive = tar(tmp_path, tar_member("wanted/a"), tar_member("other/../../x"))
    with pytest.raises(UserError, match="leads outside"):
        extract(archive, tmp_path / "out", "wanted")
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("length", [100, -30])
def test_a_truncated_tar_leaves_nothing(tmp_path: Path, length: int) -> None:
    archive = tar(tmp_path, *(tar_member(f"{n}.txt") for n in range(200)))
    archive.write_bytes(archive.read_bytes()[:length])
    refused(archive, tmp_path, "damaged")


def test_a_tar_whose_content_is_damaged_leaves_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=0) as file:
        member = tarfile.TarInfo("big")
        member.size = 500_000
        file.addfile(member, io.BytesIO(bytes(500_000)))
    content = bytearray(archive.read_bytes())
    content[300_000] ^= 1
    archive.write_bytes(content)
    refused(archive, tmp_path, "damaged")


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zip", "zip-bzip2", "zip-lzma"])
def test_whatever_byte_of_a_compressed_archive_is_damaged_the_user_is_told(tmp_path: Path, kind: str) -> None:
    content = bytes(range(256)) * 40
    whole = io.BytesIO()
    if kind.startswith("zip"):
        method = {"zip": zipfile.ZIP_DEFLATED, "zip-bzip2": zipfile.ZIP_BZIP2, "zip-lzma": zipfile.ZIP_LZMA}[kind]
        with zipfile.ZipFile(whole, "w", method) as zipped:
            zipped.writestr("a", content)
    else:
        with tarfile.open(fileobj=whole, mode=f"w:{kind}") as tarred:  # type: ignore[call-overload]
            member = tarfile.TarInfo("a")
            member.size = len(content)
            tarred.addfile(member, io.BytesIO(content))
    archive, refusals = tmp_path / "archive", 0
    for place in range(0, len(whole.getvalue()), 5):
        damaged = bytearray(whole.getvalue())
        damaged[place] ^= 4
        archive.write_bytes(damaged)
        try:
            extract(archive, tmp_path / str(place))
        except UserError as error:
            refusals += "damaged" in str(error)
            assert not (tmp_path / str(place)).exists()
        else:  # the bit means nothing, such as one of a date
            assert [path.read_bytes() for path in (tmp_path / str(place)).iterdir()] == [content]
    assert refusals > 10


def test_a_zip_whose_content_is_damaged_leaves_nothing(tmp_path: Path) -> None:
    archive = zip_with(tmp_path, "b.txt")
    archive.write_bytes(archive.read_bytes().replace(b"content", b"c0ntent", 1))
    with pytest.raises(UserError, match="damaged"):
        extract(archive, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [archive]


def test_a_file_that_is_no_archive(tmp_path: Path) -> None:
    archive = tmp_path / "a.tgz"
    archive.write_bytes(b"<html>quota exceeded</html>")
    refused(archive, tmp_path, r"a\.tgz is damaged or no zip or tar file")


def test_an_archive_without_the_wanted_folder(tmp_path: Path) -> None:
    archive = tar(tmp_path, tar_member("else/a"))
    with pytest.raises(UserError, match="has no wanted"):
        extract(archive, tmp_path / "out", "wanted")
    assert list(tmp_path.iterdir()) == [archive]


def test_an_archive_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"gone\.tgz"):
        extract(tmp_path / "gone.tgz", tmp_path / "out")


@pytest.mark.parametrize("make", [tar_with, zip_with])
def test_an_archive_is_unpacked_whole(tmp_path: Path, make: Maker) -> None:
    archive = make(tmp_path, "./deep/er/b.txt")
    assert extract(archive, tmp_path / "inner" / "out") == tmp_path / "inner" / "out"
    assert (tmp_path / "inner/out/good.txt").read_bytes() == b"content"
    assert (tmp_path / "inner/out/deep/er/b.txt").read_bytes() == b"content"
    assert [path.name for path in (tmp_path / "inner").iterdir()] == ["out"]


def test_only_the_wanted_folder_is_unpacked(tmp_path: Path) -> None:
    names = ["attributes.txt", "CUB/images/1.jpg", "CUB/classes.txt", "CUBE/no.txt"]
    folder = tar_member("CUB", tarfile.DIRTYPE)
    extract(tar(tmp_path, folder, *map(tar_member, names)), tmp_path / "out", "CUB")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")}
    assert found == {"images", "images/1.jpg", "classes.txt"}


def test_what_is_unpacked_already_stays(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    extract(tar_with(tmp_path, "b"), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_an_interrupted_extraction_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    archive = tar(tmp_path, *(tar_member(f"{n}.txt") for n in range(9)))
    asked = iter([False, False, True])
    with pytest.raises(Interrupted):
        extract(archive, tmp_path / "out", stop=lambda: next(asked))
    assert list(tmp_path.iterdir()) == [archive]
    assert len(list(extract(archive, tmp_path / "out").iterdir())) == 9


def test_a_killed_extraction_leaves_no_folder_and_can_be_repeated(tmp_path: Path) -> None:
    archive = tar_with(tmp_path, "b")
    kill = "extract(Path(sys.argv[1]), Path(sys.argv[2]), stop=lambda: os._exit(9))"
    script = f"import os, sys; from pathlib import Path; from zeroshot.paper.downloads.extract import extract; {kill}"
    killed = subprocess.run([sys.executable, "-c", script, archive, tmp_path / "out"], check=False)
    assert killed.returncode == 9
    assert (tmp_path / "out.unfinished" / "good.txt").exists()
    assert not (tmp_path / "out").exists()
    (tmp_path / "out.unfinished" / "old").mkdir()
    extract(archive, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"good.txt", "b"}
    assert not (tmp_path / "out.unfinished").exists()
    assert not (tmp_path / "out.unfinished.lock").exists()
    assert not (tmp_path / "out.partial").exists()


def test_two_extractions_of_one_archive_do_not_harm_each_other(tmp_path: Path) -> None:
    archive, told = tar_with(tmp_path, "b"), []

    def second() -> bool:
        with pytest.raises(EnvironmentFailure, match="being written by another process") as caught:
            extract(archive, tmp_path / "out")
        told.append(str(caught.value))
        return False

    extract(archive, tmp_path / "out", stop=second)
    assert len(told) == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"good.txt", "b"}


def test_a_full_disk_is_seen_before_the_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tar_with(tmp_path, "b")
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(EnvironmentFailure, match=r"disk full: .*/b of .* needs 7 bytes"):
        extract(archive, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [archive]
