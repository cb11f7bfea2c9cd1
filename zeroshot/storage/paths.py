"""Where a setting's path leads: into the package, into the folder of downloads, or wherever the user says."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from zeroshot.errors import UserError

# Folders that have moved inside the package: settings keep the spelling that stands in users' configurations.
_MOVED = {"generators/": "models/generators/"}


def resolve(path: str) -> Path:
    """A file's place: `package:` stands for the folder of the zeroshot package, `cache:` for that of downloads."""
    if is_packaged(path):
        inside = path.removeprefix("package:")
        for old, new in _MOVED.items():
            if inside.startswith(old):
                inside = new + inside.removeprefix(old)
        return Path(str(files("zeroshot"))) / inside
    if path.startswith("cache:"):
        return downloads_folder() / path.removeprefix("cache:")
    return at_home(path)


def is_packaged(path: str) -> bool:
    """Whether a path lies inside the package."""
    return path.startswith("package:")


def downloads_folder() -> Path:
    """Where downloaded weights and data lie: the environment's ZEROSHOT_CACHE, or ~/.cache/clip-zeroshot-gan."""
    return at_home(os.environ.get("ZEROSHOT_CACHE") or "~/.cache/clip-zeroshot-gan")


def at_home(path: str) -> Path:
    """A path whose `~` is the user's home. Raises UserError where nobody knows that."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(
            f"{path!r} begins at a home that nobody knows here: set HOME or ZEROSHOT_CACHE, or give the whole path"
        ) from None
