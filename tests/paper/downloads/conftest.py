"""Shared by the tests of downloads: a running server, no long pauses, no environment of the user's."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.paper.downloads.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroshot.paper.downloads.fetch.PAUSE", 0.001)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "*")
