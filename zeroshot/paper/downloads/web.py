"""One HTTP request for a file, or for the rest of it; Google Drive's question in between is answered."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any

TIMEOUT = 60.0  # seconds without a byte
DRIVE = "https://drive.usercontent.google.com/download"
PAGE_BYTES = 1 << 20
CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)$")


class Refused(Exception):
    """The source does not give the file; asking it again is no use."""


class Broken(Exception):
    """The connection failed; asking again may do."""


@dataclass
class Reply:
    """A server's answer: where in the file it starts, how long the whole file is, and what tells its version."""

    status: int
    start: int
    total: int | None
    validator: str | None
    response: Any

    def read(self, amount: int) -> bytes:
        """At most `amount` bytes, as they come; none at the end. Raises Broken."""
        try:
            return self.response.read1(amount)
        except (OSError, http.client.HTTPException) as error:
            raise Broken(f"the connection broke ({error or type(error).__name__})") from None


@contextmanager
def request(source: str, headers: dict[str, str]) -> Iterator[Reply]:
    """Ask for a file.

    Args:
        source: an http address, or gdrive:<id>[?resourcekey=<key>].
        headers: Range and If-Range, where only the rest is wanted.

    Raises:
        Refused, Broken: as they say; a web page where a file should be is refused.
    """
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    response = _open(opener, _address(source), headers)
    try:
        if _is_html(response):
            page = _page(response)
            response.close()
            if not source.startswith("gdrive:"):
                raise Refused(f"a web page instead of the file{_title(page)}")
            response = _open(opener, confirmed(page), headers)
            if _is_html(response):
                raise Refused(f"Google Drive sends a web page instead of the file{_title(_page(response))}")
        yield _reply(response)
    finally:
        response.close()


def is_web_page(beginning: bytes) -> bool:
    """Whether a file that starts so is HTML; no weights, archive or pickle does."""
    return beginning[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def confirmed(page: str) -> str:
    """The address behind Google Drive's page that says a file is too large to be searched for viruses.

    Raises Refused where the page is another one (quota, no permission), or its form leads away from Drive.
    """
    form = _DownloadForm()
    form.feed(page)
    if form.action is None:
        raise Refused(f"Google Drive sends a web page instead of the file{_title(page)}")
    if urllib.parse.urlsplit(form.action)[:2] != urllib.parse.urlsplit(DRIVE)[:2]:
        raise Refused(f"Google Drive's page leads to {form.action}")
    return f"{form.action.partition('?')[0]}?{urllib.parse.urlencode(form.fields)}"


class _DownloadForm(HTMLParser):
    """The form of that page: its action, and its hidden fields (id, export, confirm, uuid, at)."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the form and its fields."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("id") == "download-form":
            self.action = given.get("action", "")
            self.fields |= dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.action).query))
        elif tag == "input" and self.action is not None and given.get("type") == "hidden" and given.get("name"):
            self.fields[given["name"]] = given.get("value", "")


def _address(source: str) -> str:
    if not source.startswith("gdrive:"):
        return source
    identifier, _, key = source.removeprefix("gdrive:").partition("?")
    fields = {"id": identifier, "export": "download", "confirm": "t"} | dict(urllib.parse.parse_qsl(key))
    return f"{DRIVE}?{urllib.parse.urlencode(fields)}"


def _open(opener: urllib.request.OpenerDirector, address: str, headers: dict[str, str]) -> Any:
    fixed = {"User-Agent": "clip-zeroshot-gan", "Accept-Encoding": "identity"}
    try:
        return opener.open(urllib.request.Request(address, headers=fixed | headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and "Range" in headers:
            return error  # an answer too: the file has no more bytes than we have
        what = f"HTTP {error.code} {error.reason}"
        raise (Broken if error.code in (408, 429) or error.code >= 500 else Refused)(what) from None
    except urllib.error.URLError as error:
        raise Refused(f"no connection ({error.reason})") from None
    except (OSError, http.client.HTTPException) as error:
        raise Broken(f"the connection broke ({error or type(error).__name__})") from None
    except ValueError as error:
        raise Refused(str(error)) from None


def _is_html(response: Any) -> bool:
    return response.status != 416 and response.headers.get_content_type() == "text/html"


def _page(response: Any) -> str:
    try:
        return response.read(PAGE_BYTES).decode("utf-8", errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Broken(f"the connection broke ({error or type(error).__name__})") from None


def _title(page: str) -> str:
    found = re.search(r"<title>([^<]{1,200})</title>", page, re.IGNORECASE)
    return f" ({' '.join(found[1].split())})" if found else ""


def _reply(response: Any) -> Reply:
    ranged = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if response.status in (206, 416):
        if ranged is None or (response.status == 206 and ranged[1] is None):
            raise Refused(f"HTTP {response.status} without a Content-Range")
        start, total = int(ranged[1] or 0), None if ranged[2] == "*" else int(ranged[2])
    else:
        length = response.headers.get("Content-Length", "")
        start, total = 0, int(length) if length.isdecimal() else None
    etag = response.headers.get("ETag", "")
    strong = etag if etag.startswith('"') else None  # a weak one does not promise the same bytes
    return Reply(response.status, start, total, strong or response.headers.get("Last-Modified"), response)
