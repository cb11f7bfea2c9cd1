"""A file server on this machine whose faults the tests set, and an item that it offers."""

from __future__ import annotations

import hashlib
import socket
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from zeroshot.paper.downloads.table import Item

FILE = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(FILE).hexdigest()
WARNING_PAGE = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<form id="download-form" action="{action}" method="get"><input type="submit" value="Download anyway"/>
<input type="hidden" name="id" value="abc"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="u-1&amp;2">
</form></body></html>"""


class Server(ThreadingHTTPServer):
    """A file server whose faults are set by the tests, and which remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag = FILE, '"one"'
        self.ranges = True  # whether it knows Range
        self.states_length = True
        self.cuts: list[int] = []  # after how many bytes of each next answer the connection is cut
        self.fails: list[int] = []  # status codes of the next answers
        self.asked: list[tuple[str, str | None, int]] = []  # path, Range, status of the answer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers /file, /page (HTML), /disguised (HTML that says it is not), /moved, /drive (asks, then the file)."""

    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        if self.server.fails:
            return self.answer(self.server.fails.pop(0), b"")
        if url.path == "/page":
            return self.answer(200, b"<html><title>Quota exceeded</title></html>", "text/html; charset=utf-8")
        if url.path == "/disguised":
            return self.answer(200, b"  <!DOCTYPE HTML><html></html>")
        if url.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file")
            return self.end_headers()
        if url.path == "/drive" and urllib.parse.parse_qs(url.query).get("uuid") != ["u-1&2"]:
            page = WARNING_PAGE.format(action=f"{self.server.address}/drive")
            return self.answer(200, page.encode(), "text/html; charset=utf-8")
        if url.path not in ("/file", "/drive"):
            return self.answer(404, b"")
        self.file()

    def file(self) -> None:
        content, wanted = self.server.content, self.headers.get("Range")
        same = self.headers.get("If-Range") in (None, self.server.etag)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.ranges and same else 0
        if start >= len(content):
            return self.answer(416, b"", extra={"Content-Range": f"bytes */{len(content)}"})
        extra = {"ETag": self.server.etag} if self.server.etag else {}
        if start:
            extra["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.answer(206 if start else 200, content[start:], extra=extra)

    def answer(self, status: int, body: bytes, kind: str = "application/octet-stream", extra: Any = None) -> None:
        self.server.asked.append((self.path, self.headers.get("Range"), status))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if self.server.states_length:
            self.send_header("Content-Length", str(len(body)))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts else len(body)
        self.wfile.write(body[:cut])
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)  # for real: what is missing never comes


def item(*sources: str, **fields: Any) -> Item:
    given: dict[str, Any] = {
        "name": "model",
        "purpose": "a test",
        "filename": "models/model.pth",
        "size": len(FILE),
        "by_hand": "put it at {path}",
        "sources": sources,
        "sha256": SHA256,
    }
    return Item(**(given | fields))


def names(cache: Path) -> set[str]:
    return {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}
