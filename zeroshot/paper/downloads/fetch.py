"""Downloads that resume where they stopped and appear under their final name only once they are verified."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from zeroshot.errors import EnvironmentFailure, Interrupted
from zeroshot.paper.downloads import pins
from zeroshot.paper.downloads.partial import Origin, PartialFile, held_partial
from zeroshot.paper.downloads.table import Item, item_path
from zeroshot.paper.downloads.web import Broken, Refused, Reply, is_web_page, request

CHUNK = 1 << 20  # bytes
TRIES, PAUSE = 4, 1.0  # attempts in a row that bring nothing; seconds after the first, doubled after each further one
OFFLINE = "HF_HUB_OFFLINE"


def never() -> bool:
    """Nobody asks to stop."""
    return False


def is_offline() -> bool:
    """Whether the environment asks for no network, as Hugging Face's libraries read it."""
    return os.environ.get(OFFLINE, "").upper() in {"1", "ON", "YES", "TRUE"}


def fetch(
    item: Item,
    cache: Path,
    *,
    offline: bool = False,
    mirrors: Sequence[str] = (),
    stop: Callable[[], bool] = never,
) -> Path:
    """The item's file, verified; downloaded first where it is missing.

    Args:
        item: what to fetch.
        cache: folder of downloads.
        offline: open no connection; so does HF_HUB_OFFLINE=1 in the environment.
        mirrors: addresses or local folders that are tried first; the file's place in them is that in the cache.
        stop: True once the download shall end; what has come is kept.

    Raises:
        EnvironmentFailure: no source works (the message names each, its reason, and what to do by hand), the disk is
            full, or the file has another sha256 than it must; it is then set aside as .damaged.
        Interrupted: `stop` said so.
    """
    path = item_path(item, cache)
    if path.is_file():
        pins.pin(path, pins.check(path, item.sha256))
        return path
    sources = [f"{mirror.rstrip('/')}/{item.filename}" for mirror in mirrors] + list(item.sources)
    offline = offline or is_offline()
    reasons = [f"{source}: not tried, because offline" for source in sources if offline and is_remote(source)]
    sources = [source for source in sources if not (offline and is_remote(source))]
    for source in sources:
        with held_partial(path) as partial:
            if path.is_file():  # another process was faster
                pins.check(path, item.sha256)
                return path
            try:
                _obtain(source, item, partial, stop)
                return _accept(item, partial, path)
            except (Refused, pins.WrongChecksum) as reason:
                reasons.append(f"{source}: {reason}")
    tried = "; ".join(reasons) or "no address to fetch it from"
    raise EnvironmentFailure(f"{item.name} is missing: {tried}. By hand: {item.by_hand.format(path=path)}")


def is_remote(source: str) -> bool:
    """Whether a source needs the network."""
    return source.startswith(("http://", "https://", "gdrive:"))


def _accept(item: Item, partial: PartialFile, path: Path) -> Path:
    """Verify the whole file, give it its final name, pin it."""
    partial.complete()
    digest = pins.check(partial.path, item.sha256, place=path)
    os.replace(partial.path, path)
    pins.pin(path, digest)
    return path


def _obtain(source: str, item: Item, partial: PartialFile, stop: Callable[[], bool]) -> None:
    """Bring the whole file from one source, in as many attempts as bring something. Raises Refused, Interrupted."""
    if not is_remote(source):
        return _copy(Path(source).expanduser(), partial, stop)
    barren, most = 0, partial.size
    while True:
        try:
            return _download(source, item, partial, stop)
        except Broken as reason:
            barren = 0 if partial.size > most else barren + 1
            most = max(most, partial.size)
            if barren == TRIES:
                raise Refused(f"{reason}; {partial.size:,} bytes are kept, the same command goes on there") from None
        if barren:
            time.sleep(PAUSE * 2 ** (barren - 1))


def _copy(source: Path, partial: PartialFile, stop: Callable[[], bool]) -> None:
    """Take a local file. Raises Refused where it cannot be read."""
    try:
        with source.open("rb") as file:
            partial.restart()
            partial.need(os.fstat(file.fileno()).st_size)
            while chunk := file.read(CHUNK):
                partial.append(chunk)
                _unless_stopped(partial, stop)
    except OSError as error:
        raise Refused(error.strerror or str(error)) from None


def _download(source: str, item: Item, partial: PartialFile, stop: Callable[[], bool]) -> None:
    """One connection: everything from where the .partial file ends. Raises Broken, Refused, Interrupted."""
    origin = partial.origin
    if origin.source != source or not (origin.validator or item.sha256):
        partial.restart()  # the rest could belong to another file, and nothing would tell
    headers = {}
    if have := partial.size:
        headers = {"Range": f"bytes={have}-"} | ({"If-Range": origin.validator} if origin.validator else {})
    with request(source, headers) as reply:
        if reply.status == 416 and reply.total == have:
            return
        if reply.start != have or (have and origin.total not in (None, reply.total)):
            # The server knows no ranges or its file has changed. It sends the whole, or must be asked for it.
            partial.restart()
            if reply.status != 200:
                raise Broken("what the server has does not fit what had come of it: begun again")
        if item.sha256 and item.size and reply.total not in (None, item.size):
            raise Refused(f"{reply.total:,} bytes instead of {item.size:,}")
        partial.need((reply.total or 0) - partial.size)
        partial.origin = Origin(source, reply.validator, reply.total)
        _receive(reply, item.name, partial, stop)


def _receive(reply: Reply, name: str, partial: PartialFile, stop: Callable[[], bool]) -> None:
    """Append what comes, under a progress bar where somebody looks on. Raises Broken where it ends too soon."""
    total = reply.total
    with tqdm(desc=name, total=total, initial=partial.size, unit="B", unit_scale=True, disable=None) as bar:
        while chunk := reply.read(CHUNK):
            if not partial.size and is_web_page(chunk):
                raise Refused("a web page instead of the file")
            partial.append(chunk)
            bar.update(len(chunk))
            _unless_stopped(partial, stop)
    if total is not None and partial.size < total:
        raise Broken(f"the connection ended after {partial.size:,} of {total:,} bytes")
    if not partial.size:
        raise Refused("the server sent nothing")


def _unless_stopped(partial: PartialFile, stop: Callable[[], bool]) -> None:
    if stop():
        raise Interrupted(str(partial.path))
