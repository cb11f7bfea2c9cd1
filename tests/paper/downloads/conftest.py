"""Shared by the tests of downloads: a running server, no long pauses, no environment of the user's."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

import zeroshot.paper.downloads  # noqa: F401 - so that its modules are there to be patched
from tests.paper.downloads.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    fetching = sys.modules["zeroshot.paper.downloads.fetch"]  # the package's fetch is the function
    monkeypatch.setattr(fetching, "PAUSE", 0.001)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "*")
