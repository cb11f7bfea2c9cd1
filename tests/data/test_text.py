"""Texts without what no reader sees: each kind of character, in captions of every source, and plain texts untouched."""

from __future__ import annotations

import pickle
import unicodedata
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.data.test_cub import IDS, write_reed
from tests.data.test_parquet import rows, write
from zeroshot.data.base import CaptionedImages
from zeroshot.data.ccub import read_ccub
from zeroshot.data.parquet import read_parquet
from zeroshot.data.reed import read_reed
from zeroshot.data.text import cleaned
from zeroshot.errors import UserError
from zeroshot.storage.paths import resolve
from zeroshot.worlds.parts import DATA


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a bird\ufffd\ufffdwith stripes\ufffd", "a bird with stripes "),  # CUB's, as peers' loaders read them
        ("blue\0bird", "blue bird"),
        ("a\x01\x02\x1f\x7fb", "a b"),
        ("an \ufffcobject", "an  object"),
        ("a \x1b[1;31mred\x1b[0m bird", "a  red  bird"),
        ("the bird\x92s \x93long\x94 bill\x85", "the bird’s “long” bill…"),
        ("a\x81b", "a b"),
        ("MarÃ\xada Ã\x81lvarez, â€œquotedâ€\x9d Å\x8dkami", "María Álvarez, “quoted” ōkami"),
        ("Ñ\x81Ð¸Ð½Ñ\x8fÑ\x8f Ð¿Ñ\x82Ð¸Ñ\x86Ð°", "синяя птица"),
        ("blue\u200bbird \ufeffblue\u2060bird", "bluebird bluebird"),
        (
            "soft\u00adhyphen, \u200emarks\u200f, \u202egnirts\u202c \u2066isolated\u2069",
            "softhyphen, marks, gnirts isolated",
        ),
        ("a\u034fb\u115fc\u3164d\ufff9e\ufffbf\u206ag", "abcdefg"),
        ("hidden\U000e0041\U000e0042 tags, \ufe0fselectors", "hidden tags, selectors"),
        ("a\u200cb\u200dc é\u200dé", "abc éé"),
    ],
)
def test_what_no_reader_sees_goes(text: str, expected: str) -> None:
    assert cleaned(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a plain text; with (signs), 'quotes' & <3",
        "",
        "tabs\tand\r\nline ends ",
        "naïve Übergröße 一只蓝色的小鸟 طائر أزرق",
        "👩‍👩‍👧 🏳️‍🌈 ❤️ 1️⃣ #️⃣ 👍🏽 🏴‍☠️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ☺︎ ©️",
        "می‌خواهم क्‍ष",
        "e\u0301\u0323 combining, \u00a0 and \u3000 spaces",
        "HTML &amp; entities, mojibake cafÃ©",
    ],
)
def test_what_is_seen_stays_to_the_byte(text: str) -> None:
    assert cleaned(text) == text


ODD = "a0#*b \t\n\u200b\u200c\u200d\ufe0f\ufeff\u20e3👩❤क्\U0001f3f4\U000e0067\U000e007f\ufffd\0\x92\x1b[3m;é\u3164"


@given(st.text(max_size=12) | st.text(ODD, max_size=12))
def test_a_cleaned_text_is_clean(text: str) -> None:
    once = cleaned(text)
    assert cleaned(once) == once
    assert not {c for c in once if unicodedata.category(c) == "Cc"} - set("\t\n\r")
    assert not set(once) & set("\ufffd\ufffc\ufeff\u200b\u200e\u202e\u2066")


@pytest.mark.parametrize("half", ["\ud800", "\udfff", "\udc80", "\ud83d\udc26"])
def test_half_a_character_is_refused_with_its_place(half: str) -> None:
    with pytest.raises(
        UserError, match=rf"text 'a .*' is not UTF-8 at character 3, .* \(U\+{ord(half[0]):04X}\)"
    ) as caught:
        cleaned(f"a {half} bird")
    str(caught.value).encode()


def test_the_miniatures_captions_are_as_they_are() -> None:
    for split in (DATA.train, DATA.test):
        captions = pq.read_table(resolve(split or ""), columns=["captions"])["captions"].to_pylist()
        assert all(cleaned(text) == text for own in captions for text in own)


def test_captioned_images_are_clean_and_know_which_were_not() -> None:
    given = [["a\ufffd\ufffdb", "plain"], ["plain"], ["a", "b\u200b", "c\0d"]]
    data = CaptionedImages(["x", "y", "z"], given, lambda _: Image.new("RGB", (1, 1)))
    assert data.captions == [["a b", "plain"], ["plain"], ["a", "b", "c d"]]
    assert data.changed == {(0, 0), (2, 1), (2, 2)}


@pytest.mark.parametrize("nothing", ["\ufffd\ufffd", " \0 ", "\u200b", "\ufeff\u3164"])
def test_a_caption_in_which_nothing_is_seen_is_refused_with_its_row(tmp_path: Path, nothing: str) -> None:
    columns = rows()
    columns["captions"][1][1] = nothing
    with pytest.raises(UserError, match=rf"a\.parquet, row 1: caption 1 of image {columns['image_id'][1]} is empty"):
        read_parquet(write(tmp_path / "a.parquet", columns))
    with pytest.raises(UserError, match=r"\.txt, line 3: the caption is empty"):
        read_reed(write_reed(tmp_path / "reed", ["a", "b", nothing, *"cdefghi"]))
    with pytest.raises(UserError, match=r"data\.pkl: caption 0 of image 1 has no text"):
        read_ccub(ccub(tmp_path, nothing))


def test_half_a_character_in_a_pickle_is_refused_with_its_caption(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"data\.pkl: caption 0 of image 1 'a \\ud83d bird' is not UTF-8 at character 3"
    ):
        read_ccub(ccub(tmp_path, "a \ud83d bird"))


def ccub(folder: Path, text: str) -> Path:
    """C-CUB's two pickles with one caption."""
    split = {"train": [], "test_seen": ["1"], "test_unseen": []}
    for name, content in (("data", {"1": {0: {"text": text}}}), ("split", split)):
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(content))
    return folder


def test_reeds_captions_with_replacement_characters_are_read(tmp_path: Path) -> None:
    found = read_reed(write_reed(tmp_path, [f"a bird\ufffd\ufffdwith {i} stripes" for i in range(10)]))
    data = CaptionedImages(list(found), list(found.values()), lambda _: Image.new("RGB", (1, 1)))
    assert data.captions[0][3] == "a bird with 3 stripes" and len(data.changed) == 10 * len(IDS[:2])
