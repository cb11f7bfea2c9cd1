"""Archives are unpacked whole or not at all, and nothing of them lands outside their folder.

By tarfile's `data` filter and zipfile. What these allow or mend in silence (links within the folder, absolute names,
a zip's `..`) is refused beforehand: no archive of this project has any.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from zeroshot.errors import EnvironmentFailure, Interrupted, UserError
from zeroshot.paper.downloads.partial import held_partial

Member = tuple[str, int, Callable[[Path], Any]]  # name, bytes when unpacked, what unpacks it into a folder


def extract(archive: Path, folder: Path, member: str = "", stop: Callable[[], bool] = lambda: False) -> Path:
    """Unpack a zip or tar archive (gzip, bzip2 and xz too), or only its folder `member`, as `folder`.

    That appears only once it is complete; where it exists already, it is left as it is. Every member is looked at
    before the first byte is written. Once `stop` is true, nothing is kept and Interrupted is raised.

    Raises UserError where the archive is damaged or lacks `member`, or where anything in it has an absolute path, leads
    outside through `..`, or is a link or device; EnvironmentFailure where it cannot be read, the disk is full, or
    another process unpacks it.
    """
    if folder.is_dir():
        return folder
    try:
        with _members(archive) as members:
            chosen = [found for found in members if PurePosixPath(found[0]).is_relative_to(member)]
            if not any(size for _, size, _ in chosen):
                raise UserError(f"archive {archive} has no {member or 'content'}: it is not the one that is expected")
            with held_partial(folder):  # so that two processes never unpack into one folder
                if not folder.is_dir():
                    _unpack(archive, chosen, member, folder, stop)
    except (UserError, EnvironmentFailure, Interrupted):
        raise
    except Exception as error:  # a damaged archive fails in whatever way its first wrong byte leads to
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise EnvironmentFailure(f"{archive} cannot be unpacked into {folder}: {error}") from None
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"archive {archive} is damaged or no zip or tar file ({reason}): fetch it again") from None
    return folder


def _unpack(archive: Path, members: list[Member], wanted: str, folder: Path, stop: Callable[[], bool]) -> None:
    """Write the members beside `folder`, then give the wanted folder of them its name."""
    target = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(target, ignore_errors=True)
    title, total = f"unpacking {archive.name}", sum(size for _, size, _ in members)
    try:
        target.mkdir()
        room = shutil.disk_usage(target).free
        with tqdm(total=total, desc=title, unit="B", unit_scale=True, leave=False, disable=None, delay=2) as bar:
            for name, size, unpack in members:
                room -= size
                if room < 0:
                    raise EnvironmentFailure(f"disk full: {target / name} of {archive} needs {size:,} bytes: make room")
                unpack(target)
                bar.update(size)
                if stop():
                    raise Interrupted(str(target))
        os.replace(target / wanted, folder)
    finally:
        shutil.rmtree(target, ignore_errors=True)


@contextmanager
def _members(archive: Path) -> Iterator[list[Member]]:
    """All members of an archive that stays open meanwhile. Raises UserError for what must not be unpacked."""
    members: list[Member] = []
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
                link, plain = "a link" if kind == stat.S_IFLNK else "", kind in (0, stat.S_IFREG, stat.S_IFDIR)
                _check(archive, info.filename, link, plain)
                members.append((info.filename, info.file_size, partial(zipped.extract, info)))
            yield members
        return
    with tarfile.open(archive) as tarred:
        # Pythons before 3.11.4 have no filter; whatever it refuses is refused here as well.
        tarred.extraction_filter = getattr(tarfile, "data_filter", None)
        for entry in tarred:
            link = f"a link to {entry.linkname!r}" if entry.issym() or entry.islnk() else ""
            _check(archive, entry.name, link, entry.isreg() or entry.isdir())
            members.append((entry.name, entry.size, partial(tarred.extract, entry, set_attrs=False)))
        while tarred.fileobj and tarred.fileobj.read(1 << 20):
            pass  # to the end of a compressed file, where its own checksum stands
        yield members


def _check(archive: Path, name: str, link: str, plain: bool) -> None:
    """Raise UserError unless a member is a file or folder whose name leads nowhere else."""
    reason = link or ("" if plain else "neither a file nor a folder")
    if re.match(r"[/\\]|[A-Za-z]:", name):
        reason = "an absolute path"
    elif ".." in re.split(r"[/\\]", name):
        reason = "which leads outside"
    if reason:
        raise UserError(f"archive {archive} has the member {name!r}, {reason}: refused, nothing was unpacked")
