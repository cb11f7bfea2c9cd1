"""The page: whole HTML, nothing from outside, every text escaped, and the numbers of its runs."""

from __future__ import annotations

import base64
import html
import io
import itertools
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zeroshot
from tests.report.conftest import Made
from zeroshot.report import page, page_facts, tables
from zeroshot.report.collect import curves
from zeroshot.report.figure2_svg import figure2_svg

VOID = {"meta", "link", "img", "input", "br"}


class Document(HTMLParser):
    """The elements of a page; what is not closed or closed twice is a fault."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.parents: list[tuple[str, ...]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        self.parents.append(tuple(self.open))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.parents.append(tuple(self.open))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture(scope="module")
def text(made: Made) -> str:
    return made.page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def document(text: str) -> Document:
    return Document(text)


def test_headings_are_in_order(document: Document) -> None:
    levels = [int(tag[1]) for tag, _ in document.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_what_a_screen_reader_needs(document: Document) -> None:
    assert document.all("html") == [{"lang": "en"}]
    images = document.all("img")
    assert images and all(image["alt"] for image in images)
    drawings = [svg for svg in document.all("svg") if svg.get("aria-hidden") != "true"]
    assert len(drawings) == 4 and all(svg["role"] == "img" and svg["aria-label"] for svg in drawings)
    assert all(th["scope"] in ("row", "col") for th in document.all("th"))
    count = Counter(tag for tag, _ in document.elements)
    assert count["table"] == count["caption"] and count["main"] == 1
    labelled = {label.get("for") for label in document.all("label")}
    unlabelled = [
        attributes
        for (tag, attributes), above in zip(document.elements, document.parents, strict=True)
        if tag == "input" and "label" not in above and attributes.get("id") not in labelled
    ]
    assert unlabelled == []
    assert all("aria-label" in one or "aria-labelledby" in one for one in document.all("dialog", "nav", "article"))


def test_ids_are_unique_and_references_lead_somewhere(document: Document) -> None:
    ids = Counter(attributes["id"] for _, attributes in document.elements if "id" in attributes)
    assert max(ids.values()) == 1
    for _, attributes in document.elements:
        for name in ("aria-labelledby", "for"):
            assert name not in attributes or attributes[name] in ids
        href = attributes.get("href")
        assert href is None or href == "data:," or (href[0] == "#" and href[1:] in ids)


def test_nothing_comes_from_outside(text: str, document: Document) -> None:
    assert all(image["src"].startswith("data:image/") for image in document.all("img"))  # type: ignore[union-attr]
    assert not document.all("iframe", "object", "embed", "base", "video", "audio")
    assert all("src" not in script for script in document.all("script"))
    assert "url(" not in text and "@import" not in text
    assert "://" not in text.replace("http://www.w3.org/2000/svg", "")
    (policy,) = [m["content"] for m in document.all("meta") if m.get("http-equiv")]
    assert policy and policy.startswith("default-src 'none'; img-src data:;")
    assert len(text) < 6_000_000


def test_it_says_where_its_distances_are_of_too_few_images(text: str, made: Made) -> None:
    captions = re.findall(r"<caption>.*?</caption>", text, flags=re.DOTALL)
    said = ["Fréchet distance biased high: 5 images for 32 features" in caption for caption in captions[:4]]
    assert said == [True, True, False, True]  # the claims, Tables 1, 2 and 3
    enough = made.runs.assign(frechet_images=32)
    assert page.shown_table("table1", enough).note == page.shown_table("table3", enough).note == ""


def test_it_says_what_was_run(made: Made, document: Document) -> None:
    said = " ".join(document.text.split())
    provenance = json.loads((made.runs["path"][0] / "provenance.json").read_text())
    pools = {(r.generator, r.seed): r.images_generated - 5 for r in made.runs.itertuples()}  # one for both k
    for part in (
        "World: miniature.",
        "never the paper’s numbers",
        "Protocol paper",
        "of 5 test images, one caption each",
        "a shared pool: captions share images, 20% as many as there are draws",
        "seeds 42, 43",
        "World: miniature, protocol: paper, sagan, biggan, k = 10, 1000, 5 captions, b = 6, seeds 42, 43, shared pool",
        "fp32",
        provenance["git_commit"],
        provenance["device"],
        f"torch {provenance['versions']['torch']}",
        f"8 runs scored {8 * 30} images and generated {sum(pools.values()) + 8 * 5:,}, in",
        f"{made.runs['threshold'][0]:.4f}",
        "b_max = 6, captions = 5",
    ):
        assert part in said, part


def test_its_tables_are_those_of_the_runs(made: Made, document: Document) -> None:
    for name in page.TABLES:
        shown = page.shown_table(name, made.runs)
        shaped = tables.paper_shape(name, page.TABLES[name](made.runs), 6)
        numbers = [cell for row in shown.rows for cell in row[shown.heads :]]
        assert numbers == [
            cell for column in zip(*(shaped[c] for c in shaped if "k = " in c), strict=True) for cell in column
        ]
        assert all(number in document.text for number in numbers)


def test_table_2_and_figure_2_follow_the_curve(made: Made) -> None:
    expected = figure2_svg(made.runs, "expected").means["biggan"][1000]
    np.testing.assert_allclose(expected, curves(made.runs, "expected")["biggan", 1000].mean(axis=0))
    assert page.shown_table("table2", made.runs, "expected").columns == page.shown_table("table2", made.runs).columns


def test_the_published_values_stand_beside_the_real_world_s(made: Made) -> None:
    shown = page.shown_table("table1", made.runs.assign(world="paper"))
    assert ("best CLIP score, paper", "SAGAN") in [row[:2] for row in shown.rows]
    assert not [row for row in page.shown_table("table1", made.runs).rows if "paper" in row[0]]


def test_claims_are_words_and_escaped(text: str, document: Document) -> None:
    verdicts = [a["class"] for a in document.all("td") if (a.get("class") or "").startswith("verdict")]
    assert verdicts == ["verdict holds", "verdict does-not-hold", "verdict not-tested"]
    assert "holds" in document.text and "does not hold" in document.text
    assert "k = 1,000 is &lt;worse&gt; than k = 10" in text


def test_claims_show_their_interval_where_they_have_one(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_text(
        "claim,generator,measured,holds,compared,difference,difference_low,difference_high\n"
        "a,sagan,m,yes,k = 10 − k = 20,0.0037,0.0021,0.0052\nb,sagan,m,yes,,,,\n"
    )
    first, second = page.read_claims(path) or []
    assert first["interval"] == "k = 10 − k = 20: +0.0037, 95 % +0.0021 … +0.0052" and second["interval"] == ""


def test_captions_and_labels_cannot_become_markup(
    world: zeroshot.World, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = '"><img src=x onerror=alert(1)></h3><script>alert(2)</script>{{ 7*7 }}'
    monkeypatch.setattr(world.test, "captions", [[hostile] * len(own) for own in world.test.captions])
    rendered = page.render(world, made.runs, made.folder, captions=2)
    document = Document(rendered)
    assert len(document.all("script")) == 2 and hostile in document.text
    assert all(image["src"] != "x" for image in document.all("img"))
    assert html.escape(hostile, quote=False).split(">")[0] not in rendered.split("<main")[0]


def test_json_cannot_end_its_element() -> None:
    said = page.for_script({"a": "</script><b>&"})
    assert "<" not in said and json.loads(said) == {"a": "</script><b>&"}


def test_what_is_not_there_is_said(world: zeroshot.World, made: Made) -> None:
    rendered = page.render(world, made.runs, made.folder / "elsewhere", captions=1)
    assert "figures/figure3.png is not there" in rendered and "tables/claims.csv is not there" in rendered
    assert "Not drawn yet" in made.page.read_text() and "figures/figure3.png is not there" not in made.page.read_text()


def test_pictures_are_embedded_whole_and_small() -> None:
    def decoded(uri: str) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))

    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(decoded(page.data_uri(pixels))), pixels)
    large = decoded(page.data_uri(np.zeros((600, 300, 3), dtype=np.uint8)))
    assert large.format == "JPEG" and large.size == (128, 256)


def test_figure_2_draws_the_runs_curves(made: Made) -> None:
    drawn = figure2_svg(made.runs)
    found = curves(made.runs)
    for (generator, k), values in found.items():
        np.testing.assert_allclose(drawn.means[generator][k], values.mean(axis=0))
        np.testing.assert_allclose(drawn.spreads[generator][k], values.std(axis=0, ddof=1))
    panel = drawn.scales["linear"][0]
    places = [tuple(map(float, point.split(","))) for point in panel.lines[0].mean.strip("M").split("L")]
    assert panel.generator == "SAGAN" and len(places) == 6
    low, high = panel.y_range
    x, y = zip(*places, strict=True)
    assert np.allclose(np.diff(x), np.diff(x)[0], atol=0.11)
    expected = page.GEOMETRY["bottom"] - (drawn.means["sagan"][10] - low) / (high - low) * (
        page.GEOMETRY["bottom"] - page.GEOMETRY["top"]
    )
    np.testing.assert_allclose(y, expected, atol=0.06)
    assert [text for _, text in drawn.scales["log"][0].x_ticks] == ["1", "2", "5", "6"]


def test_one_seed_has_no_spread(world: zeroshot.World, made: Made) -> None:
    one = made.runs[made.runs["seed"] == 42]
    assert figure2_svg(one).spreads["sagan"][10].tolist() == [0] * 6
    assert page_facts.facts(world, one)["What was run"]["Seeds"] == "42"


@pytest.mark.parametrize(("seconds", "said"), [(0.21, "0.2 s"), (75, "1 min 15 s"), (7384, "2 h 3 min")])
def test_durations(seconds: float, said: str) -> None:
    assert page_facts.duration(seconds) == said


def test_checked_generators_are_shown_where_there_are_any(world: zeroshot.World, made: Made, tmp_path: Path) -> None:
    assert "checks" not in [attributes.get("id") for attributes in Document(made.page.read_text()).all("h2")]
    finding = {"key": "BGR", "level": "fault", "said": "red & <blue> exchanged", "criterion": "z of 4"}
    for name, content in (("mine", {"generator": "mine", "verdict": "bad", "findings": [finding]}), ("torn", None)):
        (tmp_path / "check" / name).mkdir(parents=True)
        (tmp_path / "check" / name / "report.json").write_text(json.dumps(content), encoding="utf-8")
    document = Document(page.render(world, made.runs, tmp_path, captions=1))
    assert "mine: bad" in document.text and "Fault: red & <blue> exchanged" in document.text
    assert "torn" not in document.text
