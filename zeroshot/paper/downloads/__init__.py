"""Everything of `world=paper` that is downloaded: what it is, where it comes from, how it is fetched and checked."""

from zeroshot.paper.downloads.extract import extract
from zeroshot.paper.downloads.fetch import fetch
from zeroshot.paper.downloads.table import ITEMS, Item, item_path

__all__ = ["ITEMS", "Item", "extract", "fetch", "item_path"]
