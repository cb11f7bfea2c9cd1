"""The table of downloads: complete, consistent, and as the addresses themselves state it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from pytorch_pretrained_biggan.model import PRETRAINED_MODEL_ARCHIVE_MAP

from zeroshot.paper.downloads.table import BIGGAN, CLIP, INCEPTION, ITEMS, Item
from zeroshot.storage.paths import resolve
from zeroshot.worlds.parts import world_parts

SOURCE = re.compile(r"https://[a-z0-9.-]+/\S+|gdrive:[A-Za-z0-9_-]{20,}(\?resourcekey=[A-Za-z0-9_-]+)?")


def test_names_and_places_are_unique() -> None:
    assert len({item.name for item in ITEMS}) == len(ITEMS)
    assert len({item.filename for item in ITEMS}) == len(ITEMS)
    assert {item.instead_of for item in ITEMS} - {None} <= {item.name for item in ITEMS}


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)
def test_every_row_is_well_formed(item: Item) -> None:
    assert all(SOURCE.fullmatch(source) for source in item.sources)
    assert item.sha256 is None or re.fullmatch("[0-9a-f]{64}", item.sha256)
    assert item.sha256 is None or item.size
    assert "{path}" in item.by_hand and "\n" not in item.by_hand
    assert not Path(item.filename).is_absolute() and ".." not in item.filename
    assert (item.kind == "archive") == bool(item.folder)


def test_checksums_agree_with_what_the_names_carry() -> None:
    assert CLIP.sha256 in CLIP.sources[0].split("/")
    assert INCEPTION.sha256 is not None
    for source in INCEPTION.sources:
        assert INCEPTION.sha256.startswith(source.removesuffix(".pth").rpartition("-")[2])


def test_biggan_is_where_its_library_looks() -> None:
    assert BIGGAN.sources[0] == PRETRAINED_MODEL_ARCHIVE_MAP["biggan-deep-256"]


def test_biggan_configuration_is_the_published_file() -> None:
    """Written as its address offers it, the package's copy has the sha256 that is public beside the weights' own."""
    fields = json.loads(resolve("package:generators/biggan-deep-256.json").read_text(encoding="utf-8"))
    text = json.dumps(fields, indent=2, sort_keys=True) + "\n"
    published = "edd106f65ff28ee1638491a978cfa6bc50dfa0344aab70749a7b8eb08bbec677"
    assert hashlib.sha256(text.encode()).hexdigest() == published


def test_every_download_the_paper_world_names_is_in_the_table() -> None:
    parts = world_parts("paper")
    named = [parts.clip.weights, parts.features.weights, parts.data.photographs, parts.data.split]
    for generator in parts.generators.values():
        named += [generator.weights, generator.config]
    wanted = {name.removeprefix("cache:") for name in named if name and name.startswith("cache:")}
    offered = {item.filename for item in ITEMS} | {item.folder for item in ITEMS}
    offered |= {str(Path(item.filename).parent) for item in ITEMS}
    assert wanted <= offered
    assert len(wanted) >= 5


def test_an_archive_counts_as_unpacked_only_with_all_it_must_bring(tmp_path: Path) -> None:
    item = next(item for item in ITEMS if item.contains)
    assert not item.is_unpacked(tmp_path)
    for name in item.contains:
        assert not item.is_unpacked(tmp_path)
        (tmp_path / item.folder / name).mkdir(parents=True)
    assert item.is_unpacked(tmp_path)
