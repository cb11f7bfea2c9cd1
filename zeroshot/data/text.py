"""What a sentence says, without what no reader sees: the same for captions of data sets and for prompts.

CLIP's tokeniser does some of this by itself and silently (ftfy deletes control characters, so that `blue\\0bird` is one
word) and reads the rest as letters. `cleaned` comes before it, so that what is counted, shown and written to files is
what CLIP reads. What the tokeniser repairs visibly is left to it, as CLIP's own reading: HTML entities (`&amp;`),
mojibake, curled quotes, capital letters, repeated white space.
"""

from __future__ import annotations

import re

from zeroshot.errors import UserError

# Something lost, or something that is no character: U+FFFD stands in pairs in CUB's captions where a quote or a dash
# was, U+FFFC stands for an object; control characters but for tab and line ends; a terminal's colours.
_LOST = r"(?:\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffc\ufffd])+"
# No width and no ink: Unicode's Default_Ignorable_Code_Points, and marks of annotations.
_INVISIBLE = (
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Where joiners and variation selectors change what is seen: between and behind symbols (emoji) and letters of scripts
# that join (Arabic, Persian, those of India …); a keycap's selector; the letters in a region's flag.
_JOINING = (
    rf"(?!{_INVISIBLE})[\xa9\xae\u0590-\u109f\u1100-\u1cff\u203c\u2049\u20e3\u2122\u2139\u2190-\u2bff\u2d00-\ud7ff"
    r"\ufb1d-\ufdff\ufe70-\ufefc\U00010840-\U000dffff]"
)
_DRAWN = rf"(?:\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f|{_JOINING}[\ufe00-\ufe0f]?)"
_SEEN = rf"[0-9#*]\ufe0f\u20e3|{_DRAWN}(?:[\u200c\u200d]?{_DRAWN})*"
# What cleaning would take out of UTF-8 that was read as Windows-1252: bytes that are no character there and the soft
# hyphen are the second halves of Á, í, ō, ” and А.
_HALVES = re.compile(r"[\x81\x8d\x8f\x90\x9d\xad]")
_PARTS = re.compile(rf"(?P<seen>{_SEEN})|(?P<invisible>{_INVISIBLE})|(?P<lost>{_LOST})|(?P<latin>[\x80-\x9f])")


def cleaned(text: str, what: str = "text") -> str:
    """A text without what no reader sees. A plain text comes back as it is, and so does a cleaned one.

    - Runs of U+FFFD, U+FFFC, control characters (but for tab and line ends) and terminal colours become one space;
      U+0080 to U+009F become the characters of Windows-1252 that were meant, where there are such.
    - Zero-width and other ignorable characters, soft hyphens, byte order marks and direction marks go. Joiners and
      variation selectors stay inside emoji and between letters of scripts that join.
    - Mojibake that this would break is repaired first, as the tokeniser does it (`MarÃ\\xada`, María).

    Raises:
        UserError: a surrogate, which is half a character and no text; says where, after `what` it is.
    """
    if text.isascii() and text.isprintable():
        return text
    half = re.search("[\ud800-\udfff]", text)
    if half:
        raise UserError(
            f"{what} {text[:60]!a} is not UTF-8 at character {half.start() + 1}, which is half a character "
            f"(U+{ord(half[0]):04X}): write it again"
        )
    if _HALVES.search(text):
        import ftfy  # here, since few texts need it

        text = ftfy.fix_encoding(text)
    return _PARTS.sub(_shown, text)


def _shown(part: re.Match[str]) -> str:
    if part["seen"]:
        return part[0]
    if part["latin"]:
        return bytes([ord(part[0])]).decode("cp1252", "replace").replace("\ufffd", " ")
    return " " if part["lost"] else ""
