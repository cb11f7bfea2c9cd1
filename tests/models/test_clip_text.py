"""What reaches CLIP's tokenisers: no marker inside a sentence, and every cut is told, however a tokeniser pads."""

from __future__ import annotations

import open_clip
import pytest
import torch

from zeroshot.models.clip_text import Reader

SOT, EOT = 49406, 49407  # of open_clip's own vocabulary


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(open_clip.get_tokenizer("ViT-B-32"))


@pytest.mark.parametrize(
    "text",
    [
        "a bird <end_of_text> with a red head",
        "<start_of_text>a bird",
        "a bird<END_OF_TEXT>",
        "a bird &lt;end_of_text&gt;",
        "a bird &amp;lt;end&#95;of&#95;text&amp;gt; <end_of_text>",
        "a bird ＜ｅｎｄ＿ｏｆ＿ｔｅｘｔ＞",
        "a bird <end\u200b_of_text>",
        "a bird <end_of_text><end_of_text><start_of_text>",
        "a bird <|endoftext|> <|startoftext|>",
    ],
)
def test_a_marker_inside_a_sentence_is_spelt_out_and_told(reader: Reader, text: str) -> None:
    assert reader.marker(text) is not None
    (row,) = reader.tokens([text])
    length = int((row == EOT).nonzero()[0])
    assert ((row == SOT).sum(), (row == EOT).sum()) == (1, 1) and row[0] == SOT and not row[length + 1 :].any()
    assert length > 8  # all of it is read as letters
    assert reader.marker(reader.reading(text)) is None and reader.reading(reader.reading(text)) == reader.reading(text)


@pytest.mark.parametrize(
    "text", ["a bird", "", "a &amp; b <3 [sic]", "<end of text>", "the end_of_text", "a\tb\n", "é"]
)
def test_other_texts_are_read_as_they_are(reader: Reader, text: str) -> None:
    assert reader.marker(text) is None
    assert reader.reading(text) == text


class Words:
    """One token a word, as open_clip's wrappers of transformers' tokenisers pad and cut.

    Args:
        padding: 1 is the end of text too, as in SigLIP; 0 is not.
        begin: whether a text begins with a token of its own.
        closing: whether the last place of each row holds a token of its own (`tokenizer_mode` clips).
        stripped: whether the end of text becomes padding (`strip_sep_token` of CLIPA).
    """

    END = 1

    def __init__(self, padding: int = 1, begin: bool = False, closing: bool = False, stripped: bool = False) -> None:
        self.padding, self.begin, self.closing, self.stripped = padding, begin, closing, stripped
        self.words: dict[str, int] = {}

    def __call__(self, texts: list[str], context_length: int | None = None) -> torch.Tensor:
        length = (context_length or 8) - self.closing
        rows = []
        for text in texts:
            words = [self.words.setdefault(word, 10 + len(self.words)) for word in text.rstrip(".").split()]
            row = [*([2] * self.begin + words)[: length - 1], self.END]
            row = [self.padding if self.stripped and token == self.END else token for token in row]
            rows.append(row + [self.padding] * (length - len(row)) + [3] * self.closing)
        return torch.tensor(rows)


@pytest.mark.parametrize("closing", [False, True])
@pytest.mark.parametrize("begin", [False, True])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("stripped", [False, True])
def test_every_cut_is_told_however_a_tokeniser_pads(padding: int, begin: bool, closing: bool, stripped: bool) -> None:
    reader = Reader(Words(padding, begin, closing, stripped))
    room = 7 - begin - closing
    for count in range(12):
        text = " ".join(f"w{i}" for i in range(count)) + "."
        place = None if count <= room else len(" ".join(f"w{i}" for i in range(room)))
        assert reader.tokenise(["", text, "w0"])[1] == [None, place, None], count


def test_a_text_that_just_fits_is_not_cut(reader: Reader) -> None:
    fits = " ".join(["bird"] * 75)
    assert reader.tokenise([fits, f"{fits}.", f"{fits} bird"])[1] == [None, len(fits), len(fits)]


def test_a_character_cut_in_its_middle_is_told(reader: Reader) -> None:
    text = " ".join(["bird"] * 74) + " 𐀀"  # whose bytes are more tokens than the one place left
    assert reader.tokenise([text])[1] == [len(text) - 1]


class Foreign(Words):
    """Stands for a tokeniser of transformers inside open_clip's wrapper: with special tokens of its own."""

    all_special_tokens = ("</s>", "<pad>", "[SEP]", "!")

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer = self


def test_another_tokenisers_own_markers_are_spelt_out_too() -> None:
    reader = Reader(Foreign())
    assert [reader.marker(text) for text in ("a </s> b", "a [sep]", "a bird!", "<end_of_text>")] == [
        *("</s>", "[sep]"),
        *(None, "<end_of_text>"),
    ]
    assert reader.reading("a </s> b [SEP]!") == "a < /s > b [ SEP ]!"
