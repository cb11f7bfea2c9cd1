"""Files that a data set names: regular ones below its folder, of bounded size; nothing else is opened."""

from __future__ import annotations

import errno
import stat
from pathlib import Path, PurePath

from zeroshot.errors import UserError

MAX_BYTES = 1 << 30  # of one file: far above any photograph or list of captions, far below a machine's memory


def inside(folder: Path, name: str, what: str, absolute: bool = False) -> Path:
    """The place of a file that a data set names, whether it is there or not; it is not opened.

    Args:
        folder: what the file has to lie below.
        name: as the data set spells it.
        what: where it does so, for the message.
        absolute: whether a name may begin at the root.

    Raises UserError: the name is absolute, has `..` in it, leads out of the folder by a link, or to something other
    than a regular file (a folder, device, pipe or socket).
    """
    path = folder / name
    try:
        if (PurePath(name).is_absolute() and not absolute) or ".." in PurePath(name).parts:
            wrong = f"leads out of {folder}"
        elif not path.resolve().is_relative_to(folder.resolve()):
            wrong = f"leads out of {folder} by a link"
        elif not stat.S_ISREG(path.stat().st_mode):
            wrong = "is a folder, device, pipe or socket"
        else:
            return path
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENAMETOOLONG):
            return path  # missing, or kept from us: whoever reads it says so
        wrong = f"names no file ({error.strerror})"
    except (ValueError, RuntimeError) as error:  # a NUL byte; a circle of links
        wrong = f"names no file ({str(error).splitlines()[0]:.80})"
    raise UserError(f"{what} = {name!r:.80} {wrong}, but a regular file below that folder is needed; it was not opened")


def read_whole(path: Path) -> bytes:
    """A regular file's content. Raises OSError, also for what is no regular file or holds more than MAX_BYTES."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "no regular file", str(path))
    if status.st_size > MAX_BYTES:
        raise OSError(errno.EFBIG, f"more than {MAX_BYTES:,} bytes", str(path))
    return path.read_bytes()


def lines(path: Path, mend: str) -> list[str]:
    r"""A text file's lines, as \n, \r\n and \r end them and nothing else; a byte order mark is none of its text.

    `str.splitlines` also ends lines at \x0b, \x0c, \x1c to \x1e, \x85, \u2028 and \u2029, which stand inside texts.

    Raises UserError: it cannot be read (then `mend` says what to do), or is not UTF-8 (with the byte's offset).
    """
    try:
        text = read_whole(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}; convert it, e.g. with iconv"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): {mend}") from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
