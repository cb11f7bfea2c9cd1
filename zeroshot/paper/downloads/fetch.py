"""Downloads that resume where they stopped and appear under their final name only once they are verified.

No library does all of it: go on in a later command, never join two versions of a file, measure the disk beforehand.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from zeroshot.errors import EnvironmentFailure, Interrupted
from zeroshot.paper.downloads.partial import PartialFile, held_partial
from zeroshot.paper.downloads.table import Item
from zeroshot.paper.downloads.web import Broken, Refused, is_remote, request
from zeroshot.storage.pins import PINS, pin, pinned, sha256_of

TRIES, PAUSE = 4, 1.0  # attempts in a row that bring nothing; seconds after the first, doubled after each further one
Stop = Callable[[], bool]


def is_offline() -> bool:
    """Whether the environment asks for no network, as Hugging Face's libraries read it."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def fetch(
    item: Item, cache: Path, *, offline: bool = False, mirrors: Sequence[str] = (), stop: Stop = lambda: False
) -> Path:
    """The item's file in a folder of downloads, verified; downloaded first where it is missing.

    Args:
        offline: open no connection; so does HF_HUB_OFFLINE=1 in the environment.
        mirrors: addresses or local folders that are tried first; the file's place in them is that in the cache.
        stop: True once the download shall end by Interrupted; what has come is kept.

    Raises EnvironmentFailure where no source works (it names each, its reason, and what to do by hand), the disk is
    full, or the file that is there has another sha256 than it must (it is then set aside as .damaged).
    """
    path, reasons = item.path(cache), []
    if path.is_file():
        pin(path, check(path, item.sha256))
        return path
    for source in [*(f"{mirror.rstrip('/')}/{item.filename}" for mirror in mirrors), *item.sources]:
        if is_remote(source) and (offline or is_offline()):
            reasons.append(f"{source}: not tried, because offline")
            continue
        with held_partial(path) as partial:
            try:
                if not path.is_file():  # another process may have been faster
                    _obtain(source, item, partial, stop)
                    partial.close()
                    digest = check(partial.path, item.sha256, path)
                    os.replace(partial.path, path)
                    pin(path, digest)
                return path
            except Refused as reason:
                reasons.append(f"{source}: {reason}")
    tried = "; ".join(reasons) or "no address to fetch it from"
    raise EnvironmentFailure(f"{item.name} is missing: {tried}. By hand: {item.by_hand.format(path=path)}")


def check(found: Path, sha256: str | None, place: Path | None = None) -> str:
    """The sha256 of a file, which must be the known one, else the one pinned for its final place, else may be any.

    Raises Refused for another one; the file is then set aside as `<final name>.damaged`.
    """
    place = place or found
    digest, expected = sha256_of(found), sha256 or pinned(place)
    if expected not in (None, digest):
        aside = place.with_name(place.name + ".damaged")
        os.replace(found, aside)
        why = "" if sha256 else f" (pinned on first use; to trust this one, delete its line in {place.parent / PINS})"
        wrong = f"checksum mismatch: {place} has sha256 {digest}, but expected is {expected}{why}"
        raise Refused(f"{wrong}: set aside as {aside}")
    return digest


def _obtain(source: str, item: Item, partial: PartialFile, stop: Stop) -> None:
    """Bring the whole file from one source, in as many attempts as bring something. Raises Refused, Interrupted."""
    barren, most = 0, partial.size
    while True:
        try:
            return _download(source, item, partial, stop)
        except Broken as reason:
            barren, most = (0, partial.size) if partial.size > most else (barren + 1, most)
            if barren == TRIES:
                raise Refused(f"{reason}; {partial.size:,} bytes are kept, the same command goes on there") from None
            time.sleep(PAUSE * 2 ** (barren - 1) if barren else 0)


def _download(source: str, item: Item, partial: PartialFile, stop: Stop) -> None:
    """One connection: everything from where the .partial file ends. Raises Broken, Refused, Interrupted."""
    before = partial.origin
    known = before.source == source and (before.validator or item.sha256)  # else nothing would tell that files differ
    have = partial.size if known else 0
    with request(source, have, before.validator) as (start, origin, read):
        total = origin.total
        if not have or start != have or before.total not in (None, total):
            partial.truncate(0)  # another file's, or the server knows no ranges, or its file has changed
            if start:
                raise Broken("what the server has does not fit what had come of it: begun again")
        if is_remote(source) and item.sha256 and item.size and total not in (None, item.size):
            raise Refused(f"{total:,} bytes instead of {item.size:,}")
        partial.expect(origin)
        with tqdm(desc=item.name, total=total, initial=partial.size, unit="B", unit_scale=True, disable=None) as bar:
            while partial.size != total and (chunk := read(1 << 20)):
                if not partial.size and chunk[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
                    raise Refused("a web page instead of the file")
                partial.append(chunk)
                bar.update(len(chunk))
                if stop():
                    raise Interrupted(str(partial.path))
    if total is not None and partial.size < total:
        raise Broken(f"the connection ended after {partial.size:,} of {total:,} bytes")
    if not partial.size:
        raise Refused("the server sent nothing")
