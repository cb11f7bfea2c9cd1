"""The miniature's photographs: who is in which split, what is written, and that it is the same every time."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from PIL import Image

from zeroshot.data.base import CaptionedImages
from zeroshot.data.parquet import read_parquet
from zeroshot.errors import EnvironmentFailure
from zeroshot.miniature import photographs
from zeroshot.miniature.captions import Annotators
from zeroshot.miniature.photographs import build, individual, splits
from zeroshot.miniature.species import SPECIES

TRAIN, TEST = 130, 84


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photographs")
    build(path, seed=0, train=TRAIN, test=TEST)
    return path


def test_half_of_the_test_species_are_unseen_and_no_individual_is_shared() -> None:
    train, test = splits(seed=0)
    assert (len(train), len(test)) == (1200, 300)
    ids = [photograph.image_id for photograph in train + test]
    assert len(set(ids)) == len(ids)
    assert not {p.image_id for p in train} & {p.image_id for p in test}
    train_species, test_species = {p.species for p in train}, {p.species for p in test}
    assert len(test_species - train_species) * 2 == len(test_species)
    unseen_share = sum(p.species not in train_species for p in test) / len(test)
    assert unseen_share == pytest.approx(0.5, abs=0.02)
    assert train_species | test_species == set(SPECIES)
    counts = Counter(p.species for p in train)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_ids_have_cubs_form() -> None:
    train, test = splits(seed=0)
    for photograph in train + test:
        match = re.fullmatch(r"(\d{3}\.(\w+))/(\w+)_(\d{4})_\d+", photograph.image_id)
        assert match and match[1] == photograph.species and match[2] == match[3]
    assert all(1 <= int(p.image_id.split("_")[-2]) <= 60 for p in train + test)


def test_splits_depend_on_the_seed_alone() -> None:
    assert splits(seed=0) == splits(seed=0)
    assert splits(seed=0) != splits(seed=1)


def test_individuals_differ_but_resemble_their_species() -> None:
    rng = random.Random(0)
    same = []
    for species in SPECIES.values():
        birds = [individual(species, rng) for _ in range(30)]
        assert all((bird.build, bird.bill, bird.size) == (species.build, species.bill, species.size) for bird in birds)
        same.append(sum(bird == species for bird in birds) / len(birds))
    assert 0.4 < np.mean(same) < 0.7


def test_files_hold_what_they_should(folder: Path) -> None:
    for name, count in (("train", TRAIN), ("test", TEST)):
        data = read_parquet(folder / f"{name}.parquet")
        assert isinstance(data, CaptionedImages) and len(data) == count
        for captions in data.captions:
            assert len(captions) == 10 and len(set(captions)) >= 8
            assert all(
                text.strip() and text == text.lower() and text.isascii() and text.isprintable() for text in captions
            )
        picture = data.image(0)
        assert picture.mode == "RGB" and picture.size == (64, 64)
    assert pq.read_schema(folder / "test.parquet").names == ["image_id", "species", "image", "captions"]


def test_photographs_are_not_blank_and_differ(folder: Path) -> None:
    data = read_parquet(folder / "test.parquet")
    pictures = np.stack([np.asarray(data.image(i), dtype=np.float32) for i in range(20)])
    assert pictures.std(axis=(1, 2, 3)).min() > 5
    assert np.abs(pictures[1:] - pictures[:-1]).mean(axis=(1, 2, 3)).min() > 5


def test_datasets_sees_an_image_column(folder: Path, tmp_path: Path) -> None:
    table = Dataset.from_parquet(str(folder / "test.parquet"), cache_dir=str(tmp_path), keep_in_memory=True)
    assert isinstance(table[0]["image"], Image.Image)
    assert len(table[0]["captions"]) == 10


def test_building_again_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    build(tmp_path / "again", seed=0, train=TRAIN, test=TEST, progress=lambda done, total: seen.append((done, total)))
    for name in ("train.parquet", "test.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert seen[-1] == (TRAIN + TEST, TRAIN + TEST)
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["test.parquet", "train.parquet"]


def test_annotators_rates_change_the_words_and_not_the_pictures(folder: Path, tmp_path: Path) -> None:
    build(tmp_path, seed=0, train=0, test=42, annotators=Annotators(0.5, 0.5, (2, 4, 5)))
    careless, careful = read_parquet(tmp_path / "test.parquet"), read_parquet(folder / "test.parquet")
    shared = set(careless.image_ids) & set(careful.image_ids)
    assert shared
    for image_id in shared:
        a, b = careless.image_ids.index(image_id), careful.image_ids.index(image_id)
        assert careless.captions[a] != careful.captions[b]
        assert np.array_equal(np.asarray(careless.image(a)), np.asarray(careful.image(b)))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EnvironmentFailure, match="cannot write"):
        build(tmp_path / "file" / "data", train=0, test=42)


def test_an_interrupted_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def fails_at_the_second(table: object, path: Path, **options: object) -> None:
        written.append(path)
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        path.write_bytes(b"half")

    monkeypatch.setattr(photographs.pq, "write_table", fails_at_the_second)
    with pytest.raises(EnvironmentFailure, match=r"bytes to .*No space left"):
        build(tmp_path, train=0, test=42)
    assert list(tmp_path.iterdir()) == []
