"""The page in a real browser: quiet, alone, and usable on a phone, with a keyboard, in light, in dark and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import MISSING, Opened, chromium, executable, opened
from tests.report.conftest import Made
from zeroshot.report.collect import curves

pytestmark = pytest.mark.skipif(executable() is None, reason=MISSING)

DESKTOP, PHONE = (1280, 900), (390, 844)
# Elements beyond the right edge, but for what scrolls in a box of its own or is there for screen readers only. Not
# innerWidth: a phone zooms out until all fits.
STICKING_OUT = """[...document.querySelectorAll('body *')].filter((e) => !e.closest('.scroll, .hidden, .skip, thead')
  && e.getBoundingClientRect().right > WIDTH + 0.5).map((e) => e.outerHTML.slice(0, 80))"""
# The lowest contrast of text with what is behind it, by WCAG's formula.
CONTRAST = """(() => {
  const part = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const numbers = (c) => c.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } };
  const found = [...document.querySelectorAll('p, th, td, dt, dd, a, figcaption, button, caption, h1, h2, h3')]
    .filter((e) => e.textContent.trim() && e.getClientRects().length)
    .map((e) => [luminance(numbers(getComputedStyle(e).color)), luminance(behind(e))])
    .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  return Math.min(...found);
})()"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def outside(tab: Opened, made: Path) -> list[str]:
    """What was asked of anything but the page itself."""
    return [url for url in tab.requests if not url.startswith("data:") and url != made.resolve().as_uri()]


def sticking_out(page: Page, width: int) -> list[str]:
    """The beginnings of elements that are wider than the viewport."""
    return page.evaluate(STICKING_OUT.replace("WIDTH", str(width)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_it_is_quiet_asks_for_nothing_and_fits(
    browser: Browser, made: Made, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    with opened(browser, made.page, *size, scheme) as tab:
        page = tab.page
        assert page.locator(".dot").count() == 8  # its script ran
        assert tab.problems == []
        assert tab.requests and outside(tab, made.page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert sticking_out(page, size[0]) == []
        assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
        lightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
        assert (int(lightness) > 200) == (scheme == "light")
        assert page.evaluate(CONTRAST) >= 4.5


@pytest.mark.parametrize(("width", "media"), [(390, "screen"), (1280, "screen"), (718, "print")])
def test_all_numbers_of_all_tables_are_seen_without_scrolling_sideways(
    browser: Browser, made: Made, width: int, media: Literal["print", "screen"]
) -> None:
    with opened(browser, made.page, width, 900, media=media) as tab:
        cells = tab.page.locator(".scroll td")
        right = cells.evaluate_all("(all) => all.map((e) => e.getBoundingClientRect().right)")
        assert len(right) > 40 and max(right) <= width
        k = "(e) => getComputedStyle(e, '::before').content"  # where the columns' heads are gone, cells name their k
        assert tab.page.locator("#table1 ~ .scroll td").first.evaluate(k) == ('"k = 10"' if width == 390 else "none")


def test_a_page_that_is_not_so_is_found_out(browser: Browser, made: Made, tmp_path: Path) -> None:
    text = re.sub("<meta http-equiv.*?>", "", made.page.read_text(encoding="utf-8"))
    wide = '<p style="width: 500px; color: #999">x</p><img src="http://nowhere.invalid/a.png" alt="">'
    bad = tmp_path / "bad.html"
    bad.write_text(text.replace("</main>", f"{wide}<script>missing()</script></main>"), encoding="utf-8")
    with opened(browser, bad, *PHONE) as tab:
        assert any("missing is not defined" in problem for problem in tab.problems)
        assert outside(tab, bad) == ["http://nowhere.invalid/a.png"]
        assert sticking_out(tab.page, PHONE[0]) and tab.page.evaluate(CONTRAST) < 4.5


def test_what_is_injected_does_not_run(browser: Browser, made: Made, tmp_path: Path) -> None:
    text = made.page.read_text(encoding="utf-8")
    bad = tmp_path / "bad.html"
    bad.write_text(text.replace("</main>", "<script>document.title = 'injected'</script></main>"), encoding="utf-8")
    with opened(browser, bad, *DESKTOP) as tab:
        assert tab.page.title() != "injected"


def test_the_keyboard_reaches_the_skip_link_the_values_and_the_images(browser: Browser, made: Made) -> None:
    with opened(browser, made.page, *DESKTOP) as tab:
        page = tab.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"

        page.locator("#b").focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        expected = curves(made.runs)["sagan", 10][:, 1]
        cell = page.locator('#values [data-generator=sagan][data-k="10"]')
        assert cell.text_content() == f"{expected.mean():.4f} ±\u00a0{expected.std(ddof=1):.4f}"
        assert (page.locator("#b-said").text_content() or "").startswith("b = 2: SAGAN is best with k =")

        page.locator(".search .enlarge").first.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.getElementById('zoom').open && document.activeElement.textContent") == "Close"
        assert page.locator("#zoom-body img").count() > 1
        assert (page.locator("#zoom-title").text_content() or "").startswith("SAGAN, k = 10")
        page.keyboard.press("Escape")
        assert page.evaluate("document.getElementById('zoom').open") is False
        assert "enlarge" in page.evaluate("document.activeElement.className")


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_the_mouse_reads_values_off_figure_2(browser: Browser, made: Made, scale: str) -> None:
    with opened(browser, made.page, *DESKTOP) as tab:
        page = tab.page
        page.evaluate(f"document.querySelector('[value={scale}]').click()")
        panel = page.locator(f".panels[data-scale={scale}] svg").first
        panel.evaluate("(svg) => svg.scrollIntoView({block: 'center'})")
        box = panel.bounding_box()
        assert box is not None
        share = {"linear": 0.4, "log": 0.387}[scale]  # of the axis from 1 to 6: b = 3, b = 2
        left, right = (float(panel.get_attribute(f"data-{side}") or "") / 420 for side in ("left", "right"))
        page.mouse.move(box["x"] + box["width"] * (left + share * (right - left)), box["y"] + box["height"] / 2)
        assert page.locator("#b-shown").text_content() == {"linear": "3", "log": "2"}[scale]


def test_paper_has_no_buttons_and_all_values(browser: Browser, made: Made, tmp_path: Path) -> None:
    with opened(browser, made.page, *DESKTOP, "dark", media="print") as tab:
        hidden = "[...document.querySelectorAll('nav, .enlarge, .slider, .skip')]"
        assert tab.page.evaluate(f"{hidden}.every((e) => !e.getClientRects().length)")
        assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert tab.page.locator("#values td").count() == 4
        assert tab.page.pdf(path=tmp_path / "page.pdf", format="A4").startswith(b"%PDF")
