"""The system's Chromium for tests, by Playwright; no browser of Playwright's own is ever downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no Chromium is installed: Debian's package is `chromium` (apt-get install chromium)"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
PROBLEMS = ("error", "warning", "assert")  # of what a page says on its console


def executable() -> str | None:
    """The browser's path, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser, and its end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A file in a tab of its own. What goes wrong in it and what it asks of the network are noted from its load on."""

    page: Page
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def opened(
    browser: Browser,
    path: Path,
    width: int,
    height: int,
    scheme: Literal["light", "dark"] = "light",
    media: Literal["print", "screen"] = "screen",
) -> Iterator[Opened]:
    """Load a file in a viewport of CSS pixels, below 600 as a phone, and wait for it."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, is_mobile=width < 600, color_scheme=scheme, service_workers="block"
    )
    tab = Opened(context.new_page())
    tab.page.emulate_media(media=media, color_scheme=scheme)
    tab.page.on("pageerror", lambda error: tab.problems.append(str(error)))
    tab.page.on("console", lambda said: tab.problems.append(said.text) if said.type in PROBLEMS else None)
    tab.page.on("request", lambda request: tab.requests.append(request.url))
    tab.page.goto(path.resolve().as_uri())
    try:
        yield tab
    finally:
        context.close()
