"""Images of finished runs, made again from their addresses: runs store scores, not images."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import yaml

from zeroshot.errors import EnvironmentFailure
from zeroshot.searching.draws import draw
from zeroshot.searching.engine import Addresses
from zeroshot.searching.pool import pool_addresses
from zeroshot.searching.trace import points
from zeroshot.settings import RunSettings
from zeroshot.strategy_settings import REFINEMENTS, STARTS
from zeroshot.worlds.world import World


def read_settings(run: Path) -> RunSettings:
    """The settings of a run, from its config.yaml. Raises EnvironmentFailure where they are not this version's."""
    path = run / "config.yaml"
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))["settings"]
        known: dict[str, Any] = {"protocol": _renamed(settings["protocol"])}
        for key, kinds in (("start", STARTS), ("refine", REFINEMENTS)):
            if key in settings:
                known[key] = kinds[settings[key]["name"]](**settings[key])
        return _build(RunSettings, settings | known)
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise EnvironmentFailure(
            f"{path} cannot be read ({type(error).__name__}: {error}): make the run again"
        ) from None


def _renamed(protocol: dict[str, Any]) -> dict[str, Any]:
    """A protocol's switches by their names; 0.2.0 had others for two."""
    spelt = dict(protocol)
    if "label_underscores" in spelt:
        spelt["label_names"] = "keras" if spelt.pop("label_underscores") else "distinct"
    return spelt | ({"ranking": "once"} if spelt.get("ranking") == "random" else {})


def run_world(run: Path, device: str = "auto", cache: Path | None = None) -> World:
    """The world that a run was made in; one world serves all runs that differ in generator, k and seed only."""
    return World(read_settings(run), device, cache)


def redraw(world: World, settings: RunSettings, rows: pd.DataFrame) -> np.ndarray:
    """The images of some rows of a run's scores.parquet or selected.parquet.

    Args:
        world: the run's world.
        settings: the run's settings (generator, seed and batch_size are used).
        rows: columns image_id, b and label_index; and image_index where images come from a pool, which then says,
            with label_index and seed, which image it is; or z and class_weights, which tell it without an address.

    Returns:
        uint8 [n, S, S, 3], in the order of the rows.
    """
    engine = world.engine(settings.generator, settings.batch_size)
    z_dim = engine.generator.z_dim
    class_index = rows["label_index"].to_numpy(dtype=np.int64)
    if "z" in rows:
        z, weights = rows["z"].tolist(), rows["class_weights"].tolist()
        return engine.pictures(points(z, class_index.tolist(), weights))
    if "image_index" in rows:
        image_index = rows["image_index"].to_numpy(dtype=np.int64)
        return engine.pictures(pool_addresses(settings.seed, class_index, image_index, z_dim))
    latent = [
        draw(settings.seed, str(image_id), b, b + 1, z_dim).latent
        for image_id, b in zip(rows["image_id"], rows["b"].tolist(), strict=True)
    ]
    return engine.pictures(Addresses(np.concatenate(latent), class_index))


def _build(kind: Any, values: dict[str, Any]) -> Any:
    """Nested dictionaries -> nested dataclasses; an unknown key is a TypeError."""
    types = get_type_hints(kind)
    return kind(
        **{
            key: _build(types[key], value)
            if dataclasses.is_dataclass(types.get(key)) and isinstance(value, dict)
            else value
            for key, value in values.items()
        }
    )
