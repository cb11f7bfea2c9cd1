"""One request for a file, or for the rest of it; Google Drive's question in between is answered.

gdown reads Drive's page. Its `download` is not used: it takes up a .part file without asking whether Drive still has
that version of the file (If-Range), and knows nothing of room on the disk and of other processes.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

from zeroshot.errors import EnvironmentFailure
from zeroshot.paper.downloads.partial import Origin
from zeroshot.storage.paths import at_home

TIMEOUT = 60.0  # seconds without a byte
DRIVE = "https://drive.usercontent.google.com/download"
HEADERS = {"User-Agent": "clip-zeroshot-gan", "Accept-Encoding": "identity"}


class Refused(EnvironmentFailure):
    """A source does not give the file; asking it again is no use."""


class Broken(Exception):
    """The connection failed; asking again may do."""


def is_remote(source: str) -> bool:
    """Whether a source needs the network."""
    return source.startswith(("http://", "https://", "gdrive:"))


@contextmanager
def request(source: str, have: int, validator: str | None) -> Iterator[tuple[int, Origin, Callable[[int], bytes]]]:
    """Ask for a file without its first `have` bytes, if it is still the one of this validator; the whole may come.

    The source is an http address, gdrive:<id>[?resourcekey=<key>] or a local path. Yields where in the file the answer
    starts, what the file is, and what reads at most so many bytes, none at the end. Raises Refused and Broken.
    """
    headers = HEADERS | ({"Range": f"bytes={have}-"} if have else {})
    headers |= {"If-Range": validator} if have and validator else {}
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    try:
        response, page = _open(opener, source, headers)
        if page and source.startswith("gdrive:") and (address := confirmed(page)):
            response, page = _open(opener, address, headers)
        if page:
            title = re.search(r"<title>([^<]{1,200})", page, re.IGNORECASE)
            raise Refused(f"a web page instead of the file ({' '.join(title[1].split()) if title else 'untitled'})")
        with response:
            yield *_described(source, response), response.read1
    except urllib.error.HTTPError as error:
        kind = Broken if error.code in (408, 429) or error.code >= 500 else Refused
        raise kind(f"HTTP {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise Refused(f"no connection ({reason})" if is_remote(source) else str(reason)) from None
    except (OSError, HTTPException) as error:
        raise Broken(f"the connection broke ({error or type(error).__name__})") from None


def confirmed(page: str) -> str:
    """Where Google Drive's page about viruses leads; empty for any other. Raises Refused where it leads elsewhere."""
    from gdown.download import get_url_from_gdrive_confirmation  # here, because few downloads need it

    try:
        address = get_url_from_gdrive_confirmation(" ".join(page.splitlines()))  # it wants the form within one line
    except Exception:  # gdown fails in several ways on a page that it does not expect
        return ""
    if urllib.parse.urlsplit(address)[:2] != urllib.parse.urlsplit(DRIVE)[:2]:
        raise Refused(f"Google Drive's page leads to {address[:80]}")
    return address


def _address(source: str) -> str:
    if not is_remote(source):
        return at_home(source).absolute().as_uri()
    identifier, _, key = source.removeprefix("gdrive:").partition("?")
    fields = {"id": identifier, "export": "download", "confirm": "t"} | dict(urllib.parse.parse_qsl(key))
    return f"{DRIVE}?{urllib.parse.urlencode(fields)}" if source.startswith("gdrive:") else source


def _open(opener: urllib.request.OpenerDirector, source: str, headers: dict[str, str]) -> tuple[Any, str]:
    """An answer, and its text where it is a web page instead of a file."""
    try:
        response = opener.open(urllib.request.Request(_address(source), headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the file has no more bytes than we have
            return error, ""
        raise
    except (RuntimeError, ValueError) as error:  # an unknown user's home, or no address at all
        raise Refused(str(error)) from None
    is_page = response.headers.get_content_type() == "text/html"
    return response, response.read(1 << 20).decode("utf-8", errors="replace") if is_page else ""


def _described(source: str, response: Any) -> tuple[int, Origin]:
    """Where in the file an answer starts, and what the file is."""
    headers = response.headers
    strong = headers.get("ETag", "").startswith('"')  # a weak one does not promise the same bytes
    validator = headers["ETag" if strong else "Last-Modified"]
    if response.status not in (206, 416):
        length = headers.get("Content-Length", "")
        return 0, Origin(source, validator, int(length) if length.isdecimal() else None)
    ranged = re.match(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)$", headers.get("Content-Range", ""))
    if ranged is None:
        raise Refused(f"HTTP {response.status} without a Content-Range")
    total = None if ranged[2] == "*" else int(ranged[2])
    return int(ranged[1] or total or 0), Origin(source, validator, total)  # 416: the rest is empty
