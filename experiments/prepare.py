"""Fetch and check what a world needs: python -m experiments.prepare [world=paper] [--offline] [--cache FOLDER].

Looks at what is there, downloads and unpacks what can be, and prints a table of each part. Exit code 0: all is there.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pandas as pd

from experiments.cli import StopRequest, guarded, run_as_command
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.paper.downloads.extract import extract
from zeroshot.paper.downloads.fetch import fetch, is_offline
from zeroshot.paper.downloads.partial import partial_path
from zeroshot.paper.downloads.table import ITEMS, Item
from zeroshot.report.tables import markdown
from zeroshot.storage.paths import at_home, downloads_folder

WORLDS = ("paper", "miniature")
EXAMPLES = """examples:
  python -m experiments.prepare world=paper
  python -m experiments.prepare world=paper --offline                   look at what is there, open no connection
  python -m experiments.prepare world=paper --cache /scratch/downloads  then run with ZEROSHOT_CACHE=/scratch/downloads
"""


@dataclass
class Part:
    """What became of one item."""

    item: Item
    problem: EnvironmentFailure | UserError | None = None  # None: it is there
    skipped: bool = False

    @property
    def present(self) -> bool:
        """Whether the item can be used."""
        return self.problem is None and not self.skipped


class Arguments(argparse.ArgumentParser):
    """Wrong arguments end as every other mistake of a user does: in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise UserError."""
        raise UserError(f"{message}; allowed: world=paper, --offline, --optional, --cache FOLDER, --mirror ADDRESS")


def options(arguments: list[str]) -> argparse.Namespace:
    """The command line. Raises UserError."""
    parser = Arguments(
        prog="python -m experiments.prepare",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("world", nargs="?", default="world=paper", help="world=paper (the default) or world=miniature")
    parser.add_argument("--offline", action="store_true", help="open no connection; so does HF_HUB_OFFLINE=1")
    parser.add_argument("--optional", action="store_true", help="fetch what only other settings need, too")
    parser.add_argument("--cache", metavar="FOLDER", help="where the files lie; default $ZEROSHOT_CACHE")
    parser.add_argument(
        "--mirror", action="append", default=[], help="an address or a folder laid out as the cache, tried first"
    )
    chosen = parser.parse_args(arguments)
    key, _, name = chosen.world.partition("=")
    if key != "world" or name not in WORLDS:
        raise UserError(f"{chosen.world!r} is unknown: give world=paper or world=miniature")
    chosen.world, chosen.offline = name, chosen.offline or is_offline()
    chosen.cache = at_home(chosen.cache) if chosen.cache else downloads_folder()
    return chosen


def obtain(item: Item, chosen: argparse.Namespace, stop: StopRequest) -> Part:
    """Look for one item, download and unpack it where need be."""
    if item.kind == "archive" and item.is_unpacked(chosen.cache):
        return Part(item)
    if not item.required and not chosen.optional and not item.path(chosen.cache).exists():
        return Part(item, skipped=True)
    try:
        path = fetch(item, chosen.cache, offline=chosen.offline, mirrors=chosen.mirror, stop=stop)
        if item.kind == "archive":
            extract(path, item.unpacked(chosen.cache), item.member, stop)
            if not item.is_unpacked(chosen.cache):
                folder = item.unpacked(chosen.cache)
                raise UserError(f"{folder} lacks one of {', '.join(item.contains)}: delete it and {path}, try again")
    except (EnvironmentFailure, UserError) as problem:
        return Part(item, problem)
    return Part(item)


def obtain_all(chosen: argparse.Namespace, stop: StopRequest) -> list[Part]:
    """Every item in turn; one that stands for another only where that one is missing or its file is there already."""
    parts: dict[str, Part] = {}
    for item in ITEMS:
        first = parts.get(item.instead_of or "")
        if first and first.present and not item.path(chosen.cache).exists():
            parts[item.name] = Part(item, skipped=True)
        else:
            parts[item.name] = obtain(item, chosen, stop)
    return list(parts.values())


def needed(parts: list[Part]) -> list[Part]:
    """The parts without which the world cannot run."""
    replaced = {part.item.instead_of for part in parts if part.present}
    return [
        part
        for part in parts
        if not part.present and part.item.required and not part.item.instead_of and part.item.name not in replaced
    ]


def table(parts: list[Part], chosen: argparse.Namespace) -> str:
    """Each part: whether it is there, how large it is, where it comes from, what to do."""
    missing = needed(parts)
    rows = []
    for number, part in enumerate(parts, start=1):
        if part.present:
            todo = "nothing"
        elif part not in missing:
            todo = f"optional, see [{number}]"
        elif part.item.sources and chosen.offline:
            todo = f"needs a network, or see [{number}]"
        else:
            todo = f"see [{number}]"
        row = (f"[{number}]", part.item.name, state(part, chosen.cache), size(part.item), origin(part.item), todo)
        rows.append(row)
    return markdown(pd.DataFrame(rows, columns=["", "part", "state", "size", "from", "to do"]))


def state(part: Part, cache: Path) -> str:
    """In one or two words."""
    if part.present:
        known = part.item.sha256 or part.item.kind == "archive"
        return "present" if known else "present, pinned"
    partial = partial_path(part.item.path(cache))
    if partial.is_file():
        return f"missing, {partial.stat().st_size / 1e6:.0f} MB of it here"
    return "missing"


def size(item: Item) -> str:
    """In megabytes, `about` where it is not known exactly."""
    if item.size is None:
        return "unknown"
    text = f"{item.size / 1e6:,.0f} MB" if item.size >= 1e6 else f"{item.size:,} bytes"
    return text if item.sha256 else f"about {text}"


def origin(item: Item) -> str:
    """The hosts that offer it."""
    hosts = [
        "drive.google.com" if source.startswith("gdrive:") else source.split("/")[2] for source in item.sources
    ] or ["by hand"]
    return ", ".join(dict.fromkeys(hosts))


def instructions(parts: list[Part], cache: Path) -> str:
    """What each part is for, and what to do about those that are missing."""
    lines = []
    for number, part in enumerate(parts, start=1):
        item = part.item
        lines.append(f"[{number}] {item.name}: {item.purpose}")
        if part.present:
            continue
        if item.instead_of:
            lines.append(f"    stands in for {item.instead_of} where that cannot be had")
        if part.problem:
            lines += [f"    {line}" for line in str(part.problem).replace(" By hand: ", "\nBy hand: ").splitlines()]
        elif not item.required:
            path = item.path(cache)
            lines += ["    not looked for without --optional", f"    By hand: {item.by_hand.format(path=path)}"]
    return "\n".join(lines)


def main(stop: StopRequest) -> None:
    """Look, fetch, print; raise where something that is required is missing."""
    chosen = options(sys.argv[1:])
    if chosen.world == "miniature":
        print("world=miniature needs no download: its weights and photographs are inside the package.")
        return
    parts = obtain_all(chosen, stop)
    print(f"Folder of downloads: {chosen.cache}{' (offline: nothing was downloaded)' if chosen.offline else ''}\n")
    print(table(parts, chosen))
    print(f"\n{instructions(parts, chosen.cache)}\n")
    missing = needed(parts)
    if not missing:
        elsewhere = chosen.cache != downloads_folder()
        print(f"All is there.{f' Runs find it with ZEROSHOT_CACHE={chosen.cache}' if elsewhere else ''}")
        return
    sys.stdout.flush()
    names = ", ".join(part.item.name for part in missing)
    hostile = [part for part in missing if isinstance(part.problem, UserError)]
    message = f"{len(missing)} of the parts that world=paper needs are missing: {names}: do what the list above says"
    raise UserError(message) if hostile else EnvironmentFailure(message)


if __name__ == "__main__":
    run_as_command(lambda: guarded(main))
