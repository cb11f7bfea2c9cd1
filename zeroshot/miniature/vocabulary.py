"""The miniature CLIP's vocabulary: byte-pair merges in the form that open_clip's SimpleTokenizer reads.

    python -m zeroshot.miniature.vocabulary        writes vocabulary.txt.gz and the vocabulary's size into clip_config.json
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import regex
from open_clip.tokenizer import basic_clean, bytes_to_unicode, whitespace_clean

from zeroshot.labels import label_prompt, read_labels
from zeroshot.miniature.captions import corpus

HEADER = "#version: miniature"  # SimpleTokenizer skips the first line
# SimpleTokenizer's words: contractions, letters, single digits, runs of other signs.
WORDS = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
SENTENCES, MERGES = 20_000, 2_000


def learn_merges(texts: Iterable[str], merges: int) -> list[tuple[str, str]]:
    """The most frequent pair, again and again (Sennrich et al. 2016); ties go to the alphabetically first pair.

    Args:
        texts: the corpus; lower-cased and cleaned as SimpleTokenizer does.
        merges: how many to learn at most; fewer where no pair is left.
    """
    alphabet = bytes_to_unicode()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(WORDS.findall(whitespace_clean(basic_clean(text)).lower()))
    words = []
    for word, count in sorted(counts.items()):
        symbols = [alphabet[byte] for byte in word.encode()]
        words.append(([*symbols[:-1], symbols[-1] + "</w>"], count))
    learnt: list[tuple[str, str]] = []
    while len(learnt) < merges:
        pairs: Counter[tuple[str, str]] = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:], strict=False):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        learnt.append(best)
        words = [(_merge(symbols, best), count) for symbols, count in words]
    return learnt


def _merge(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return merged


def write(path: Path, merges: list[tuple[str, str]]) -> None:
    """Write merges as a gzip file that is the same every time."""
    text = "\n".join([HEADER, *(f"{first} {second}" for first, second in merges)])
    path.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))


def vocabulary_size(merges: int) -> int:
    """Tokens: 256 bytes, each also as a word's end, the merges, start and end of text."""
    return 2 * 256 + merges + 2


def main() -> None:
    """Learn from captions and label prompts, and write both files."""
    folder = Path(__file__).parent
    texts = corpus(SENTENCES, 0) + [label_prompt(label) for label in read_labels()] * 5
    merges = learn_merges(texts, MERGES)
    write(folder / "vocabulary.txt.gz", merges)
    config = folder / "clip_config.json"
    fields = json.loads(config.read_text(encoding="utf-8"))
    fields["text_cfg"]["vocab_size"] = vocabulary_size(len(merges))
    config.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
