"""Data sets as Hugging Face keeps them: local folders of parquet here, since nothing can be fetched."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.conftest import ROOT
from zeroshot.data.base import CaptionedImages
from zeroshot.data.hub import read_hub
from zeroshot.errors import EnvironmentFailure, UserError


def jpeg(value: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (20, 10), (value, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("hf"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = {
        "image": [{"bytes": jpeg(50 * i), "path": None} for i in range(4)],
        "captions": [[f"a red bird {i}", f"a bird {i}"] for i in range(4)],
        "first": [f"one {i}" for i in range(4)],
        "second": [f"two {i}" for i in range(4)],
        "name": [f"bird {i}" for i in range(4)],
    }
    features = datasets.Features(
        image=datasets.Image(), captions=datasets.List(datasets.Value("string")),
        **{key: datasets.Value("string") for key in ("first", "second", "name")},
    )  # fmt: skip
    (tmp_path / "data").mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "data" / "train-00000-of-00001.parquet")
    return tmp_path


def test_a_folder_of_parquet_files(folder: Path) -> None:
    found = read_hub(str(folder), "train", image_id="name", image="image", captions="captions")
    assert found.image_ids == [f"bird {i}" for i in range(4)] and found.captions[2] == ["a red bird 2", "a bird 2"]
    assert found.image(3).size == (20, 10) and abs(np.asarray(found.image(3))[5, 5, 0] - 150.0) < 6


def test_rows_are_numbered_and_columns_joined_where_asked(folder: Path) -> None:
    found = read_hub(str(folder), "train[:3]", image_id=None, image="image", captions="first,second")
    assert found.image_ids == [f"train[:3]/00000{i}" for i in range(3)] and found.captions[1] == ["one 1", "two 1"]


def test_what_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(UserError, match="has no column text: it has image, captions"):
        read_hub(str(folder), "train", image_id=None, image="image", captions="text")
    with pytest.raises(UserError, match="split test"):
        read_hub(str(folder), "test", image_id=None, image="image", captions="captions")


def test_a_loading_script_is_refused_and_does_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds" / "birds.py").write_text(f"open({str(trace)!r}, 'w')\n")
    with pytest.raises(UserError, match="cannot be read"):
        read_hub(str(tmp_path / "birds"), "train", image_id=None, image="image", captions="captions")
    assert not trace.exists()


def test_offline_and_not_cached_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(EnvironmentFailure, match="data set nobody/birds cannot be fetched and is not cached"):
        read_hub("nobody/birds", "train", image_id=None, image="image", captions="captions")


def test_the_miniatures_own_file_reads_as_a_data_set() -> None:
    place = str(ROOT / "zeroshot" / "miniature" / "data")
    found = read_hub(place, "test[:5]", image_id="image_id", image="image", captions="captions")
    assert len(found) == 5 and all(len(captions) == 10 for captions in found.captions)


def test_a_folder_of_pictures_and_what_macs_add_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg(200))
    (folder / "metadata.csv").write_text("file_name,text\na.jpg,a red bird\n")
    for added in ("._a.jpg", ".DS_Store"):
        (folder / added).write_bytes(b"\0\5\x16\7")
    (tmp_path / "__MACOSX" / "train").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "train" / "._a.jpg").write_bytes(b"\0\5\x16\7")
    found = read_hub(str(tmp_path), "train", image_id=None, image="image", captions="text")
    assert found.captions == [["a red bird"]] and found.image(0).size == (20, 10)  # by the absolute path that it writes


@pytest.mark.parametrize("place", ["/dev/zero", "../outside.jpg"])
def test_a_path_out_of_the_data_sets_folder_is_refused(folder: Path, place: str) -> None:
    rows = {"image": [{"bytes": None, "path": place}], "text": ["a bird"], "name": [7]}
    types = datasets.Features(image=datasets.Image(), text=datasets.Value("string"), name=datasets.Value("int64"))
    table = datasets.Dataset.from_dict(rows, features=types).data.table
    pq.write_table(table, folder / "data" / "test-00000-of-00001.parquet")
    (folder / "data" / "train-00000-of-00001.parquet").unlink()
    with pytest.raises(UserError, match=r"split test, row 0: image's path = .* leads out of .*not opened"):
        read_hub(str(folder), "test", image_id="name", image="image", captions="text")


def test_whole_numbers_are_names_and_photographs_are_what_the_data_depend_on(tmp_path: Path) -> None:
    def written(value: int) -> CaptionedImages:
        folder = tmp_path / str(value)
        folder.mkdir()
        rows = {"id": [30, 4], "image": [{"bytes": jpeg(value), "path": None}] * 2, "text": ["a", "b"]}
        types = {"id": datasets.Value("int32"), "image": datasets.Image(), "text": datasets.Value("string")}
        datasets.Dataset.from_dict(rows, features=datasets.Features(types)).to_parquet(folder / "train.parquet")
        return read_hub(str(folder), "train", image_id="id", image="image", captions="text")

    first, second = written(10), written(200)
    assert first.image_ids == ["30", "4"] and first.captions == second.captions
    assert first.content and first.content != second.content


def test_files_that_are_damaged_or_hold_nothing_are_said(folder: Path) -> None:
    (path,) = folder.rglob("*.parquet")
    whole = pq.read_table(path)
    for write in (lambda: pq.write_table(whole.slice(0, 0), path), lambda: path.write_bytes(path.read_bytes()[:-50])):
        write()
        with pytest.raises((EnvironmentFailure, UserError), match=r"data set .* cannot be read\W+\w+"):
            read_hub(str(folder), "train", image_id=None, image="image", captions="captions")
    with pytest.raises(UserError, match="corresponds to no data"):
        pq.write_table(whole, path)
        read_hub(str(folder), "train[:0]", image_id=None, image="image", captions="captions")
