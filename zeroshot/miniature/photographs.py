"""The miniature's photographs: cluttered renders of individual birds, ten captions each, as two parquet files.

Species fall into three kinds: half are photographed for the train split only, a quarter for both splits, a quarter for
the test split only. So half of the test split's species are unseen in training; individuals are never shared.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from operator import attrgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from zeroshot.errors import EnvironmentFailure
from zeroshot.miniature.attributes import Bird, encode
from zeroshot.miniature.captions import CUB, Annotators, caption
from zeroshot.miniature.renderer import CLUTTER_DIM, NUISANCE_DIM, render
from zeroshot.miniature.species import SPECIES
from zeroshot.miniature.words import NEIGHBOURS

IMAGE_SIZE = 64  # pixels a side
CAPTIONS = 10  # per photograph
TRAIN, TEST = 1200, 300  # photographs
CLUTTER_SHARE = 0.5  # of the clutter that CLIP has learnt to bear
_JPEG_QUALITY = 92
_BATCH = 50
_ROW_GROUP = 100
_FEATHERED = ("crown", "face", "throat", "breast", "belly", "back", "wing", "tail")
_DULL = {"red": "brown", "orange": "olive", "yellow": "olive", "blue": "grey", "purple": "grey", "pink": "buff",
         "green": "olive", "iridescent": "brown", "black": "brown"}  # fmt: skip

_SCHEMA = pa.schema(
    {
        "image_id": pa.string(),
        "species": pa.string(),
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "captions": pa.list_(pa.string()),
    }
)
# What `datasets` reads to know that `image` is an Image; written in the form that its versions 3 to 5 all understand.
_STRING = {"dtype": "string", "_type": "Value"}
_FEATURES = {
    "image_id": _STRING,
    "species": _STRING,
    "image": {"_type": "Image"},
    "captions": {"feature": _STRING, "_type": "Sequence"},
}


@dataclass(frozen=True)
class Photograph:
    """One individual bird in front of the camera."""

    image_id: str
    species: str
    bird: Bird
    key: str  # everything random about the photograph is keyed by this


def splits(seed: int = 0, train: int = TRAIN, test: int = TEST) -> tuple[list[Photograph], list[Photograph]]:
    """The photographs of the train and the test split, ordered by image id; the same for the same seed and sizes."""
    names = list(SPECIES)
    random.Random(f"{seed} species").shuffle(names)
    quarter = len(names) // 4
    unseen, both, train_only = names[:quarter], names[quarter : 2 * quarter], names[2 * quarter :]
    train_counts = _shares(train_only + both, train)
    test_counts = _shares([name for pair in zip(unseen, both, strict=True) for name in pair], test)
    train_split, test_split = [], []
    for species in SPECIES:
        wanted = train_counts.get(species, 0) + test_counts.get(species, 0)
        rng = random.Random(f"{seed} {species} individuals")
        numbers = rng.sample(range(1, max(60, wanted) + 1), wanted)  # CUB has about sixty photographs of a species
        photographs = [_photograph(seed, species, number) for number in numbers]
        train_split += photographs[: train_counts.get(species, 0)]
        test_split += photographs[train_counts.get(species, 0) :]
    by_id = attrgetter("image_id")
    return sorted(train_split, key=by_id), sorted(test_split, key=by_id)


def individual(species: Bird, rng: random.Random) -> Bird:
    """A bird of a species as one meets it: one in five is a dull female or young bird, one in three has a part or two
    of a neighbouring colour, and size and wing bars differ now and then."""
    changes: dict[str, str | bool] = {}
    if rng.random() < 0.2:
        for part in _FEATHERED:
            colour = getattr(species, part)
            if colour in _DULL and rng.random() < 0.6:
                changes[part] = _DULL[colour]
    if rng.random() < 0.33:
        for part in rng.sample(_FEATHERED, rng.choice((1, 1, 2))):
            changes[part] = rng.choice(NEIGHBOURS[getattr(species, part)])
    if rng.random() < 0.05:
        changes["wing_bars"] = not species.wing_bars
    return dataclasses.replace(species, **changes)  # type: ignore[arg-type]


def build(
    directory: Path,
    seed: int = 0,
    *,
    train: int = TRAIN,
    test: int = TEST,
    annotators: Annotators = CUB,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write `train.parquet` and `test.parquet`, both or neither under their final names.

    Args:
        directory: where to; made if missing.
        seed: keys everything random.
        train, test: photographs in each split.
        annotators: how the captions describe them.
        progress: called with (photographs rendered, photographs in all).

    Raises:
        EnvironmentFailure: the files cannot be written.
    """
    done, total = 0, train + test
    tables = {}
    for name, photographs in zip(("train", "test"), splits(seed, train, test), strict=True):
        rows = []
        for start in range(0, len(photographs), _BATCH):
            batch = photographs[start : start + _BATCH]
            rows += _rows(batch, annotators)
            done += len(batch)
            if progress:
                progress(done, total)
        metadata = {"huggingface": json.dumps({"info": {"features": _FEATURES}})}
        tables[name] = pa.Table.from_pylist(rows, schema=_SCHEMA.with_metadata(metadata))
    _write(Path(directory), tables)


def _shares(names: list[str], total: int) -> dict[str, int]:
    """`total` spread over names as evenly as whole numbers allow."""
    return {name: total // len(names) + (i < total % len(names)) for i, name in enumerate(names)}


def _photograph(seed: int, species: str, number: int) -> Photograph:
    name = species.partition(".")[2]
    key = f"{seed} {species} {number}"
    catalogue = _digest(f"{key} catalogue") % 900_000 + 1_000  # CUB's ids end in the number of a photograph on the web
    image_id = f"{species}/{name}_{number:04d}_{catalogue}"
    return Photograph(image_id, species, individual(SPECIES[species], random.Random(f"{key} plumage")), key)


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")


@torch.inference_mode()
def _rows(photographs: list[Photograph], annotators: Annotators) -> list[dict[str, object]]:
    normals = torch.stack([_normals(photograph.key) for photograph in photographs])  # [n, NUISANCE_DIM + CLUTTER_DIM]
    nuisance, clutter = normals.split([NUISANCE_DIM, CLUTTER_DIM], dim=1)
    attributes = encode([photograph.bird for photograph in photographs])
    images = render(attributes, nuisance, CLUTTER_SHARE * clutter, size=IMAGE_SIZE)
    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()  # [n, size, size, 3]
    rows: list[dict[str, object]] = []
    for photograph, picture in zip(photographs, pixels, strict=True):
        rng = random.Random(f"{photograph.key} captions")
        captions = [caption(photograph.bird, rng, annotators) for _ in range(CAPTIONS)]
        image = {"bytes": _jpeg(Image.fromarray(picture)), "path": f"{photograph.image_id}.jpg"}
        rows.append(
            {"image_id": photograph.image_id, "species": photograph.species, "image": image, "captions": captions}
        )
    return rows


def _normals(key: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(_digest(f"{key} scene"))
    return torch.randn(NUISANCE_DIM + CLUTTER_DIM, generator=generator)


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)
    return buffer.getvalue()


def _write(directory: Path, tables: dict[str, pa.Table]) -> None:
    partials = {name: directory / f".{name}.parquet.{os.getpid()}.partial" for name in tables}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            pq.write_table(table, partials[name], row_group_size=_ROW_GROUP, compression="zstd")
        for name, partial in partials.items():
            os.replace(partial, directory / f"{name}.parquet")
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, "unknown error")
        size = sum(table.nbytes for table in tables.values())
        raise EnvironmentFailure(f"cannot write {size} bytes to {directory} ({error.strerror or reason})") from error
    finally:
        for partial in partials.values():
            with suppress(OSError):
                partial.unlink()
