"""The page in a real browser: quiet, alone, and usable on a phone, with a keyboard, in light, in dark and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.chromium import MISSING, Page, chromium, executable
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
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("chromium")) as page:
        yield page


def outside(browser: Page, made: Path) -> list[str]:
    """What was asked of anything but the page itself."""
    return [url for url in browser.requests if not url.startswith("data:") and url != made.resolve().as_uri()]


def sticking_out(browser: Page, width: int) -> list[str]:
    """The beginnings of elements that are wider than the viewport."""
    return browser.evaluate(STICKING_OUT.replace("WIDTH", str(width)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_it_is_quiet_asks_for_nothing_and_fits(browser: Page, made: Made, size: tuple[int, int], scheme: str) -> None:
    browser.problems.clear()
    browser.requests.clear()
    browser.open(made.page, *size, scheme)
    assert browser.evaluate("document.querySelectorAll('.dot').length") == 8  # its script ran
    assert browser.problems == []
    assert browser.requests and outside(browser, made.page) == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert sticking_out(browser, size[0]) == []
    assert browser.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    lightness = browser.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(lightness) > 200) == (scheme == "light")
    assert browser.evaluate(CONTRAST) >= 4.5


def test_a_page_that_is_not_so_is_found_out(browser: Page, made: Made, tmp_path: Path) -> None:
    text = re.sub("<meta http-equiv.*?>", "", made.page.read_text(encoding="utf-8"))
    wide = '<p style="width: 500px; color: #999">x</p><img src="http://nowhere.invalid/a.png" alt="">'
    bad = tmp_path / "bad.html"
    bad.write_text(text.replace("</main>", f"{wide}<script>missing()</script></main>"), encoding="utf-8")
    browser.problems.clear()
    browser.requests.clear()
    browser.open(bad, *PHONE)
    assert any("missing is not defined" in problem for problem in browser.problems)
    assert outside(browser, bad) == ["http://nowhere.invalid/a.png"]
    assert sticking_out(browser, PHONE[0]) and browser.evaluate(CONTRAST) < 4.5


def test_what_is_injected_does_not_run(browser: Page, made: Made, tmp_path: Path) -> None:
    text = made.page.read_text(encoding="utf-8")
    bad = tmp_path / "bad.html"
    bad.write_text(text.replace("</main>", "<script>document.title = 'injected'</script></main>"), encoding="utf-8")
    browser.open(bad, *DESKTOP)
    assert browser.evaluate("document.title") != "injected"


def test_the_keyboard_reaches_the_skip_link_the_values_and_the_images(browser: Page, made: Made) -> None:
    browser.open(made.page, *DESKTOP)
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.className") == "skip"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    browser.evaluate("document.getElementById('b').focus()")
    browser.press("Home")
    browser.press("ArrowRight")
    expected = curves(made.runs)["sagan", 10][:, 1]
    cell = "document.querySelector('#values [data-generator=sagan][data-k=\"10\"]').textContent"
    assert browser.evaluate(cell) == f"{expected.mean():.4f} ± {expected.std(ddof=1):.4f}"
    assert browser.evaluate("document.getElementById('b-said').textContent").startswith("b = 2: SAGAN is best with k =")

    browser.evaluate("document.querySelector('.search .enlarge').focus()")
    browser.press("Enter")
    assert browser.evaluate("document.getElementById('zoom').open && document.activeElement.textContent") == "Close"
    assert browser.evaluate("document.querySelectorAll('#zoom-body img').length") > 1
    assert browser.evaluate("document.getElementById('zoom-title').textContent").startswith("SAGAN, k = 10")
    browser.press("Escape")
    assert browser.evaluate("document.getElementById('zoom').open") is False
    assert "enlarge" in browser.evaluate("document.activeElement.className")


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_the_mouse_reads_values_off_figure_2(browser: Page, made: Made, scale: str) -> None:
    browser.open(made.page, *DESKTOP)
    browser.evaluate(f"document.querySelector('[value={scale}]').click()")
    panel = f"document.querySelector('.panels[data-scale={scale}] svg')"
    browser.evaluate(f"{panel}.scrollIntoView({{block: 'center'}})")
    box = browser.evaluate(
        f"(({{left, top, width, height}}) => [left, top, width, height])({panel}.getBoundingClientRect())"
    )
    share = {"linear": 0.4, "log": 0.387}[scale]  # of the axis from 1 to 6: b = 3, b = 2
    drawn_from, drawn_to = (float(browser.evaluate(f"{panel}.dataset.{side}")) / 420 for side in ("left", "right"))
    browser.move(box[0] + box[2] * (drawn_from + share * (drawn_to - drawn_from)), box[1] + box[3] / 2)
    assert browser.evaluate("document.getElementById('b-shown').textContent") == {"linear": "3", "log": "2"}[scale]


def test_paper_has_no_buttons_and_all_values(browser: Page, made: Made, tmp_path: Path) -> None:
    browser.open(made.page, *DESKTOP, "dark", media="print")
    hidden = "[...document.querySelectorAll('nav, .enlarge, .slider, .skip')].every((e) => !e.getClientRects().length)"
    assert browser.evaluate(hidden)
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate("document.querySelectorAll('#values td').length") == 4
    browser.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
