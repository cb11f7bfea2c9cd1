"""The files that settings name: whether they are there, and what they are. No model library is needed for that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models.identity import NUMBERS
from zeroshot.models.identity import clip_identity as identity_of_files
from zeroshot.settings import IN_MEMORY, ClipSettings, GeneratorSettings, RunSettings
from zeroshot.storage.paths import resolve
from zeroshot.storage.pins import check_pin, folder_sha256


def check_present(settings: RunSettings) -> None:
    """Before anything runs: raise EnvironmentFailure that names every download that a run needs and is not there.

    Raises UserError for a file of the user's own that is not.
    """
    data, clip, generator = settings.data, settings.clip, settings.generator
    for key, path in (
        ("generator.weights", generator.weights),
        ("generator.config", generator.config),
        ("features.weights", settings.features.weights),
        ("protocol.rankings", settings.protocol.rankings),
    ):
        if path and not path.startswith(("package:", "cache:", IN_MEMORY)) and not resolve(path).exists():
            raise UserError(f"{key} = {path}, but no file of that name is there: give the path of one")
    needed = [generator.weights, generator.config, settings.features.weights, clip.weights, settings.protocol.rankings]
    needed += {"ccub": [data.photographs, data.split], "reed": [data.photographs, data.split, data.text]}.get(
        data.source, []
    )
    places = [resolve(path) for path in needed if path and path.startswith("cache:")]
    missing = [str(place) for place in places if not place.exists()]
    if missing:
        raise EnvironmentFailure(
            f"not downloaded yet: {', '.join(missing)}; run `make prepare WORLD={settings.world.name}`, which says "
            "where each comes from, or name files of your own (docs/running-the-paper.md)"
        )


def clip_places(clip: ClipSettings) -> tuple[Path | str, Path | str, Path | None]:
    """CLIP's model (a configuration's path, or open_clip's name of it), weights (a path or a tag) and vocabulary."""
    model = resolve(clip.model) if clip.model.endswith(".json") else clip.model
    weights = resolve(clip.weights) if clip.weights.startswith(("package:", "cache:")) else clip.weights
    return model, weights, resolve(clip.vocabulary) if clip.vocabulary else None


def clip_identity(clip: ClipSettings, precision: str) -> dict[str, Any] | None:
    """`zeroshot.models.identity.clip_identity` of the files that settings name."""
    return identity_of_files(*clip_places(clip), NUMBERS[precision])


def generator_sha256(generator: GeneratorSettings) -> dict[str, str]:
    """sha256 of a generator's files, by the settings that name them."""
    files = (generator.weights, generator.config)
    return {path: checked_sha256(path) for path in files if path and not path.startswith(IN_MEMORY)}


def clip_sha256(clip: ClipSettings) -> dict[str, str]:
    """sha256 of CLIP's files, by the settings that name them; a model of open_clip's by name is not among them."""
    files = [clip.vocabulary, *([clip.model, clip.weights] if clip.model.endswith(".json") else [])]
    return {path: checked_sha256(path) for path in files if path}


def checked_sha256(path: str) -> str:
    """sha256 of a setting's file or folder. Raises EnvironmentFailure for a file that is not the one pinned for it."""
    place = resolve(path)
    if place.is_file():
        check_pin(place)
    return folder_sha256(place)
