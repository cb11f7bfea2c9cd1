"""Archives are unpacked whole or not at all, and nothing of them lands outside their folder."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO

from tqdm import tqdm

from zeroshot.errors import EnvironmentFailure, Interrupted, UserError

CHUNK = 1 << 20  # bytes
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Member:
    """One file or folder of an archive."""

    name: str
    size: int  # bytes, unpacked
    refusal: str  # why it must not be unpacked; empty: it may
    is_folder: bool
    open: Callable[[], IO[bytes] | None]


def extract(archive: Path, folder: Path, member: str = "", stop: Callable[[], bool] = lambda: False) -> Path:
    """Unpack a zip or tar archive (gzip, bzip2 and xz too) into a folder that appears only once it is complete.

    Every member is looked at before the first byte is written. Links of any kind are refused wherever they point, since
    no archive of this project needs one. A folder that exists already is left as it is.

    Args:
        archive: the file.
        folder: where its content shall lie.
        member: unpack only this folder of the archive, as `folder`; empty: everything.
        stop: True once the work shall end; nothing is kept.

    Returns:
        the folder.

    Raises:
        UserError: a member has an absolute path, leads outside through `..`, is a link or a device; or the archive is
            damaged or lacks `member`. Nothing is unpacked.
        EnvironmentFailure: the archive cannot be read, or the disk is full.
    """
    if folder.is_dir():
        return folder
    unfinished = folder.with_name(folder.name + ".unfinished")
    try:
        with _members(archive) as members:
            listed = list(members())
            chosen = _chosen(archive, listed, member)
            size = sum(found.size for found in listed if found.name in chosen)
            folder.parent.mkdir(parents=True, exist_ok=True)
            with _held(unfinished):
                if folder.is_dir():
                    return folder
                _unpack(archive, members(), chosen, size, unfinished, stop)
                os.replace(unfinished, folder)
    except OSError as error:
        if isinstance(error, tarfile.TarError | zipfile.BadZipFile) or error.errno is None:
            raise _damaged(archive, error) from None
        full = " (disk full)" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise EnvironmentFailure(f"{archive} cannot be unpacked into {folder}: {error}{full}") from None
    except DAMAGED as error:
        raise _damaged(archive, error) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _damaged(archive: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(f"archive {archive} is damaged or no zip or tar file ({reason}): fetch it again")


@contextmanager
def _held(unfinished: Path) -> Iterator[None]:
    """A lock, so that two processes never unpack into one folder."""
    lock = unfinished.with_name(unfinished.name + ".lock")
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentFailure(f"{unfinished} is being written by another process: wait for it") from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _chosen(archive: Path, members: list[Member], folder: str) -> dict[str, str]:
    """Member name -> path below the folder it is unpacked to, after all members have been looked at."""
    for member in members:
        if reason := _unsafe(member):
            raise UserError(
                f"archive {archive} has the member {member.name!r}, {reason}: refused, nothing was unpacked"
            )
    prefix = _clean(folder)
    chosen = {}
    for member in members:
        name = _clean(member.name)
        if not prefix:
            chosen[member.name] = name
        elif name == prefix or name.startswith(prefix + "/"):
            chosen[member.name] = name[len(prefix) + 1 :]
    if not any(chosen.values()):
        raise UserError(f"archive {archive} has no {folder or 'member'}: it is not the one that is expected")
    return chosen


def _unsafe(member: Member) -> str:
    """Why a member must not be unpacked; empty where it may."""
    if member.refusal:
        return member.refusal
    windows = PureWindowsPath(member.name)
    if member.name.startswith(("/", "\\")) or windows.drive or windows.root:
        return "an absolute path"
    if ".." in re.split(r"[/\\]", member.name):
        return "which leads outside"
    if "\0" in member.name:
        return "which is no name of a file"
    return ""


def _clean(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _unpack(
    archive: Path, members: Iterator[Member], chosen: dict[str, str], size: int, target: Path, stop: Callable[[], bool]
) -> None:
    """Write the chosen members, `size` bytes together, below `target`, which is made anew."""
    shutil.rmtree(target, ignore_errors=True)
    title = f"unpacking {archive.name}"
    with tqdm(total=size, desc=title, unit="B", unit_scale=True, leave=False, disable=None, delay=2) as bar:
        _write(archive, members, chosen, target, stop, bar)


def _write(
    archive: Path,
    members: Iterator[Member],
    chosen: dict[str, str],
    target: Path,
    stop: Callable[[], bool],
    bar: tqdm,
) -> None:
    target.mkdir()
    room = shutil.disk_usage(target).free
    for member in members:
        if member.name not in chosen:
            continue
        path = target / chosen[member.name]
        room -= member.size
        if room < 0:
            raise EnvironmentFailure(f"disk full: {path} of {archive} needs {member.size:,} bytes: make room there")
        if member.is_folder:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        source = member.open()
        if source is None:
            raise ValueError(f"{member.name} has no content")
        with source, path.open("wb") as file:
            while chunk := source.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
                if stop():
                    raise Interrupted(str(target))
        if path.stat().st_size != member.size:
            raise EOFError(f"{member.name} ends early")


@contextmanager
def _members(archive: Path) -> Iterator[Callable[[], Iterator[Member]]]:
    """A function that goes through the archive's members from the first, as often as it is called."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield lambda: (_of_zip(zipped, info) for info in zipped.infolist())
    else:
        with tarfile.open(archive) as tarred:
            yield lambda: _of_whole_tar(tarred)


def _of_whole_tar(archive: tarfile.TarFile) -> Iterator[Member]:
    yield from (_of_tar(archive, info) for info in archive)
    while archive.fileobj is not None and archive.fileobj.read(CHUNK):
        pass  # to the end of a compressed file, where its own checksum stands


def _of_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Member:
    refusal = ""
    if info.issym() or info.islnk():
        refusal = f"a link to {info.linkname!r}"
    elif not (info.isreg() or info.isdir()):
        refusal = "neither a file nor a folder"
    return Member(info.name, info.size, refusal, info.isdir(), lambda: archive.extractfile(info))


def _of_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
    refusal = ""
    if kind == stat.S_IFLNK:
        refusal = "a link"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        refusal = "neither a file nor a folder"
    return Member(info.filename, info.file_size, refusal, info.is_dir(), lambda: archive.open(info))
