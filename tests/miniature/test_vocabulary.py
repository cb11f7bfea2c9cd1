"""The vocabulary: merges by hand, SimpleTokenizer reads them, the shipped file is what the corpus gives."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer, bytes_to_unicode

from zeroshot.miniature import vocabulary
from zeroshot.miniature.captions import corpus
from zeroshot.storage.paths import resolve
from zeroshot.worlds.labels import label_prompt, read_labels
from zeroshot.worlds.parts import CLIP

SHIPPED = resolve(CLIP.vocabulary or "")


def plain_merges(words: dict[str, int], merges: int) -> list[tuple[str, str]]:
    """Byte-pair encoding without short cuts: count everything again after every merge."""
    alphabet = bytes_to_unicode()
    spelt = {}
    for word in words:
        symbols = [alphabet[byte] for byte in word.encode()]
        spelt[word] = [*symbols[:-1], symbols[-1] + "</w>"]
    learnt: list[tuple[str, str]] = []
    for _ in range(merges):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for i in range(len(spelt[word]) - 1):
                pairs[spelt[word][i], spelt[word][i + 1]] += count
        if not pairs:
            break
        first, second = sorted(pairs, key=lambda pair: (-pairs[pair], pair))[0]
        learnt.append((first, second))
        for word, symbols in spelt.items():
            merged, i = [], 0
            while i < len(symbols):
                joined = symbols[i : i + 2] == [first, second]
                merged.append(first + second if joined else symbols[i])
                i += 2 if joined else 1
            spelt[word] = merged
    return learnt


@pytest.fixture(scope="module")
def shipped() -> SimpleTokenizer:
    return SimpleTokenizer(str(SHIPPED), context_length=48)


def test_merges_by_hand() -> None:
    # Pairs: (o, w</w>) 3, (l, o) 2, (l, o</w>) 1 ...
    merges = vocabulary.learn_merges(["Low low, cow"], 10)
    assert merges == [("o", "w</w>"), ("l", "ow</w>"), ("c", "ow</w>")]


def test_a_repeated_letter_merges_from_the_left() -> None:
    assert vocabulary.learn_merges(["aaaaa"], 1) == [("a", "a")]
    assert vocabulary.learn_merges(["aaaaa"], 2)[1] == ("aa", "a</w>")


def test_stops_where_no_pair_is_left() -> None:
    assert vocabulary.learn_merges(["a b c"], 5) == []
    assert vocabulary.learn_merges([], 5) == []


def test_the_order_of_the_texts_does_not_matter() -> None:
    texts = corpus(300, 3)
    assert vocabulary.learn_merges(texts, 150) == vocabulary.learn_merges(texts[::-1], 150)


@settings(max_examples=60, deadline=None)
@given(words=st.dictionaries(st.text("abcé", min_size=1, max_size=9), st.integers(1, 4), max_size=8))
def test_the_counts_kept_up_to_date_are_those_counted_anew(words: dict[str, int]) -> None:
    texts = [word for word, count in words.items() for _ in range(count)]
    assert vocabulary.learn_merges(texts, 12) == plain_merges(words, 12)


def test_a_written_file_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "merges.txt.gz"
    merges = vocabulary.learn_merges(corpus(200, 1), 100)
    vocabulary.write(path, merges)
    tokenizer = SimpleTokenizer(str(path))
    assert sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__) == merges
    assert tokenizer.vocab_size == vocabulary.vocabulary_size(len(merges))
    assert tokenizer.eot_token_id == tokenizer.vocab_size - 1  # open_clip pools where the id is highest


def test_the_file_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        vocabulary.write(tmp_path / name, [("a", "b"), ("ab", "c</w>")])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert gzip.decompress((tmp_path / "one").read_bytes()) == b"#version: miniature\na b\nab c</w>"


def test_the_shipped_file_is_what_the_corpus_gives() -> None:
    merges = gzip.decompress(SHIPPED.read_bytes()).decode().split("\n")[1:]
    assert [tuple(line.split(" ")) for line in merges] == vocabulary.shipped_merges()


def test_the_configuration_knows_the_size(shipped: SimpleTokenizer) -> None:
    fields = json.loads(resolve(CLIP.model).read_text(encoding="utf-8"))
    assert fields["text_cfg"]["vocab_size"] == shipped.vocab_size
    assert max(shipped.encoder.values()) == shipped.vocab_size - 1  # no symbol stands twice


def test_common_words_are_one_token_and_sentences_fit(shipped: SimpleTokenizer) -> None:
    sentences = corpus(500, 77)
    words = Counter(word for sentence in sentences for word in shipped.pat.findall(sentence))
    common = [word for word, count in words.items() if count >= 10]
    assert len(common) > 60
    assert [word for word in common if len(shipped.encode(word)) > 1] == []
    prompts = [label_prompt(label) for label in read_labels()]
    assert max(len(shipped.encode(text)) for text in sentences + prompts) <= 48 - 2


@pytest.mark.parametrize("text", ["this bird has yellow wings", "a jay on a mat", "an unheardof qwertz zebra"])
def test_sentences_decode_to_themselves(shipped: SimpleTokenizer, text: str) -> None:
    assert shipped.decode(shipped.encode(text)).strip() == text


def test_main_writes_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "SENTENCES", 50)
    monkeypatch.setattr(vocabulary, "MERGES", 40)
    (tmp_path / "clip_config.json").write_text('{"text_cfg": {"vocab_size": 0, "width": 8}}')
    vocabulary.main(tmp_path)
    fields = json.loads((tmp_path / "clip_config.json").read_text())
    assert fields == {"text_cfg": {"vocab_size": 554, "width": 8}}
    assert SimpleTokenizer(str(tmp_path / "vocabulary.txt.gz")).vocab_size == 554
