"""The miniature CLIP's vocabulary: byte-pair merges in the form that open_clip's SimpleTokenizer reads.

`python -m zeroshot.miniature.vocabulary` writes vocabulary.txt.gz and the vocabulary's size into clip_config.json.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path

from open_clip.tokenizer import SimpleTokenizer

from zeroshot.miniature.captions import corpus
from zeroshot.worlds.labels import label_prompt, read_labels

HEADER = "#version: miniature"  # SimpleTokenizer skips the first line
SENTENCES, MERGES = 20_000, 2_000
LABEL_WEIGHT = 5  # how often each label's prompt stands in the corpus: most of its words are in no caption

Pair = tuple[str, str]


def learn_merges(texts: Iterable[str], merges: int) -> list[Pair]:
    """The most frequent pair of symbols becomes a symbol, again and again (Sennrich et al. 2016).

    Args:
        texts: the corpus; cleaned, lower-cased and split into words as SimpleTokenizer does.
        merges: how many to learn at most; fewer where no pair is left.

    Returns:
        pairs in the order learnt, in SimpleTokenizer's alphabet; ties go to the alphabetically first pair.
    """
    words, counts = _words(texts)
    pairs: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)  # words that hold or held the pair
    for i, symbols in enumerate(words):
        for pair in pairwise(symbols):
            pairs[pair] += counts[i]
            where[pair].add(i)
    learnt: list[Pair] = []
    while len(learnt) < merges and pairs:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        learnt.append(best)
        for i in where.pop(best):
            before, after = words[i], _merge(words[i], best)
            words[i] = after
            for pair in pairwise(before):
                pairs[pair] -= counts[i]
                if not pairs[pair]:
                    del pairs[pair]
            for pair in pairwise(after):
                pairs[pair] += counts[i]
                where[pair].add(i)
    return learnt


@cache
def _rules() -> SimpleTokenizer:
    """open_clip's own tokeniser: for its alphabet, its cleaning and its pattern, not for its vocabulary."""
    return SimpleTokenizer()


def _words(texts: Iterable[str]) -> tuple[list[list[str]], list[int]]:
    """Distinct words as lists of symbols, and how often each occurs."""
    rules = _rules()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(rules.pat.findall(rules.clean_fn(text)))
    words = []
    for word in counts:
        symbols = [rules.byte_encoder[byte] for byte in word.encode("utf-8")]
        words.append([*symbols[:-1], symbols[-1] + "</w>"])
    return words, list(counts.values())


def _merge(symbols: list[str], pair: Pair) -> list[str]:
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return merged


def write(path: Path, merges: list[Pair]) -> None:
    """Write merges as a gzip file for SimpleTokenizer, the same bytes every time."""
    text = "\n".join([HEADER, *(f"{first} {second}" for first, second in merges)])
    path.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))


def vocabulary_size(merges: int) -> int:
    """Tokens of a vocabulary: 256 bytes, each also as a word's end, the merges, start and end of text."""
    return 2 * 256 + merges + 2


@cache
def learnt_labels() -> tuple[str, ...]:
    """The labels as the miniature's CLIP learns them: its weights are older than the dog's longer name, of which it
    knows the first word."""
    return tuple("Cardigan" if label == "Cardigan Welsh corgi" else label for label in read_labels())


def shipped_merges() -> list[Pair]:
    """The merges of the file in the package: from captions, descriptions and every label's prompt."""
    labels = [label_prompt(label) for label in learnt_labels()]
    return learn_merges(corpus(SENTENCES, 0) + labels * LABEL_WEIGHT, MERGES)


def main(folder: Path = Path(__file__).parent) -> None:
    """Write the vocabulary, and its size into the configuration beside it."""
    merges = shipped_merges()
    write(folder / "vocabulary.txt.gz", merges)
    config = folder / "clip_config.json"
    fields = json.loads(config.read_text(encoding="utf-8"))
    fields["text_cfg"]["vocab_size"] = vocabulary_size(len(merges))
    config.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
