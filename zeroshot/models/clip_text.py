"""Sentences as CLIP's tokenisers take them: without their own markers, and with what the context cuts."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import open_clip
import torch
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

from zeroshot.data.text import cleaned
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models.identity import TOKENIZERS

# What begins and ends a text, in open_clip's spelling and in OpenAI's. Inside a sentence such a marker would end it, or
# move the place that the text's vector is read from.
MARKERS = ("<start_of_text>", "<end_of_text>", "<|startoftext|>", "<|endoftext|>")
OPTIONS = {"clean", "strip_sep_token", "language", "additional_special_tokens"}  # of tokenizer_kwargs
_LAYERS = 9  # escapes within escapes (&amp;amp;lt;…) that a marker may hide behind; the tokeniser opens two at a time


class Tokenizer(Protocol):
    """Any of open_clip's tokenisers: texts in, tokens int64 [N, context_length] out, cut and padded."""

    def __call__(self, texts: list[str], context_length: int | None = None) -> torch.Tensor: ...


class Reader:
    """A tokeniser that tells what it does to a text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        empty = tokenizer([""])[0]
        self.context_length = len(empty)
        longer = tokenizer([""], self.context_length + 1)[0]
        # Tokens that a row and the same text's with one place more have in common; some tokenisers close every row with
        # a token of its own, which then stands elsewhere.
        self._common = self.context_length - int(empty[-1] != longer[self.context_length - 1])
        self._clean = getattr(tokenizer, "clean_fn", str)
        markers = sorted({*MARKERS, *special_tokens(tokenizer)}, key=len, reverse=True)
        self._marker = re.compile("|".join(map(re.escape, markers)), re.IGNORECASE)
        self._perhaps = re.compile(f"[^ -~]|[&{''.join({re.escape(marker[0]) for marker in markers})}]")

    def marker(self, text: str) -> str | None:
        """The first of the tokeniser's own markers that it would find in a text `cleaned`; None if there is none.

        The tokeniser opens HTML entities and full-width letters before it looks, and so does this.
        """
        text = cleaned(text)
        found = self._marker.search(self._clean(text)) if self._perhaps.search(text) else None
        return found[0] if found else None

    def reading(self, text: str) -> str:
        """What is tokenised: the text `cleaned`, with markers spelt out, so that they are letters as any others.

        Raises UserError for a text with half a character.
        """
        text = cleaned(text)
        for _ in range(_LAYERS):
            if self.marker(text) is None:
                break
            text = self._marker.sub(_spelt, self._clean(text))
        return text

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """Tokens of the texts' readings: int64 [N, context_length]."""
        return self.tokenizer([self.reading(text) for text in texts])

    def tokenise(self, texts: Sequence[str]) -> tuple[torch.Tensor, list[int | None]]:
        """`zeroshot.models.clip.Clip.tokenise`."""
        readings = [self.reading(text) for text in texts]
        rows = self.tokenizer(readings)
        cuts: list[int | None] = [None] * len(readings)
        full = (rows[:, -1] != rows[:, -2]).nonzero().flatten().tolist()  # others end in padding: nothing is cut
        if full:
            longer = self.tokenizer([readings[i] for i in full], self.context_length + 1)
            same = (longer[:, : self._common] == rows[full][:, : self._common]).all(dim=1).tolist()
            for i, whole in zip(full, same, strict=True):
                cuts[i] = None if whole else self._cut(texts[i], rows[i])
        return rows, cuts

    def _cut(self, text: str, row: torch.Tensor) -> int:
        """Where the context cuts a text: the length of its shortest beginning with the tokens `row`."""
        length = len(text.rstrip())

        def enough(end: int) -> bool:
            return torch.equal(self.tokens([text[:end]])[0], row)

        high = self.context_length
        while high < length and not enough(high):
            high *= 2  # a text may be far longer than what is kept of it
        low, high = high // 2, min(high, length)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle + 1, high)
        return min(low, length - 1)  # where the last character itself is cut, in bytes or out of its word


def simple_tokenizer(context_length: int, vocabulary: str | Path | None) -> SimpleTokenizer:
    """open_clip's own tokeniser, with its own or another vocabulary. Raises EnvironmentFailure that names the file."""
    try:
        if vocabulary is None:
            return SimpleTokenizer(context_length=context_length)
        return SimpleTokenizer(bpe_path=str(vocabulary), context_length=context_length)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise EnvironmentFailure(f"vocabulary {vocabulary} cannot be read ({error}): restore it") from None


def configured_tokenizer(text: dict[str, Any], folder: Path | None) -> Tokenizer:
    """The tokeniser of a text_cfg of open_clip: one of transformers where it names one, from `folder` if it lies there.

    Raises:
        UserError: an option that open_clip's tokenisers do not have, or that may run code.
        EnvironmentFailure: it needs the package transformers, or cannot be fetched or read.
    """
    options, name = text.get("tokenizer_kwargs") or {}, text.get("hf_tokenizer_name")
    length = text.get("context_length", open_clip.CLIPTextCfg.context_length)
    if unknown := sorted(set(options) - OPTIONS):
        raise UserError(f"tokenizer_kwargs has {unknown[0]!r:.60}, but allowed are {', '.join(sorted(OPTIONS))}")
    if not name:
        return SimpleTokenizer(context_length=length, **options)
    local = folder is not None and any((folder / file).is_file() for file in TOKENIZERS)
    source = str(folder) if local else name
    try:
        return HFTokenizer(source, context_length=length, tokenizer_mode=text.get("tokenizer_mode"), **options)
    except Exception as error:  # transformers is not there, the network, whatever a damaged file leads to
        raise EnvironmentFailure(
            f"tokeniser {source} cannot be loaded ({' '.join(str(error).split())[:160]}): it needs the package "
            "transformers, and its files in the folder of the weights or on the hub"
        ) from None


def special_tokens(tokenizer: Tokenizer) -> set[str]:
    """A tokeniser's own special tokens, as they are written; those of one or two signs are ordinary text."""
    if hasattr(tokenizer, "all_special_ids"):  # open_clip's SimpleTokenizer
        own = [tokenizer.decoder[number] for number in tokenizer.all_special_ids]  # type: ignore[attr-defined]
    else:  # those around a tokeniser of transformers
        own = getattr(getattr(tokenizer, "tokenizer", None), "all_special_tokens", [])
    return {str(token) for token in own if len(str(token)) > 2}


def _spelt(marker: re.Match[str]) -> str:
    return f"{marker[0][0]} {marker[0][1:-1]} {marker[0][-1]}"
