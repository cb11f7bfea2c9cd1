"""Reading captioned photographs: what is given back, and what is said of files that are wrong."""

from __future__ import annotations

import socket
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Features, Image, Value
from PIL import Image as PILImage

from zeroshot.data.base import CaptionedImages, caption_of, hash_order
from zeroshot.data.parquet import read_parquet
from zeroshot.errors import EnvironmentFailure, UserError


def jpeg(shade: int, mode: str = "RGB") -> bytes:
    buffer = BytesIO()
    PILImage.new(mode, (24, 16), shade if mode == "L" else (shade, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


def rows(n: int = 3) -> dict[str, list[Any]]:
    return {
        "image_id": [f"001.Bird/Bird_{i:04d}_{i}" for i in range(n)],
        "image": [{"bytes": jpeg(40 * i), "path": None} for i in range(n)],
        "captions": [[f"bird {i}", "a red bird"] for i in range(n)],
    }


def write(path: Path, columns: dict[str, list[Any]]) -> Path:
    features = Features({"image_id": Value("string"), "image": Image(), "captions": [Value("string")]})
    schema = features.arrow_schema
    names = {"image_id": schema.field("image_id"), "image": schema.field("image"), "captions": schema.field("captions")}
    pq.write_table(pa.table(columns, schema=pa.schema([names[c] for c in columns], metadata=schema.metadata)), path)
    return path


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    columns = rows()
    columns["image"][1]["bytes"] = jpeg(80, "L")
    data = read_parquet(write(tmp_path / "a.parquet", columns))
    assert isinstance(data, CaptionedImages) and len(data) == 3
    assert data.image_ids == columns["image_id"] and data.captions == columns["captions"]
    assert [data.image(i).mode for i in range(3)] == ["RGB"] * 3
    assert abs(int(np.asarray(data.image(2))[0, 0, 0]) - 80) < 4
    assert data.image(0).size == (24, 16)


def test_a_file_that_datasets_itself_wrote(tmp_path: Path) -> None:
    pictures = [PILImage.new("RGB", (8, 8), (i, 0, 0)) for i in range(2)]
    table = Dataset.from_dict(
        {"name": ["a", "b"], "photo": pictures, "text": ["one", "two"]},
        features=Features({"name": Value("string"), "photo": Image(), "text": Value("string")}),
    )
    table.to_parquet(tmp_path / "b.parquet")
    data = read_parquet(tmp_path / "b.parquet", image_id="name", image="photo", captions="text")
    assert data.captions == [["one"], ["two"]] and data.image(1).getpixel((0, 0)) == (1, 0, 0)


def test_plain_bytes_and_files_beside_the_table_will_do(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(jpeg(200))
    plain = pa.table({"image_id": ["a"], "image": [jpeg(10)], "captions": [["t"]]})
    pq.write_table(plain, tmp_path / "c.parquet")
    assert read_parquet(tmp_path / "c.parquet").image(0).size == (24, 16)
    beside = rows(1) | {"image": [{"bytes": None, "path": "x.jpg"}]}
    assert read_parquet(write(tmp_path / "d.parquet", beside)).image(0).size == (24, 16)


def test_no_socket_no_progress_bar_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    path = write(tmp_path / "a.parquet", rows())
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    data = read_parquet(path)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert data.image(2).size == (24, 16)
    assert capfd.readouterr() == ("", "")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"nowhere\.parquet is missing: restore"):
        read_parquet(tmp_path / "nowhere.parquet")


@pytest.mark.parametrize("damage", ["not parquet", "truncated", "flipped"])
def test_damaged_file(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "a.parquet", rows())
    whole = path.read_bytes()
    middle = whole.index(b"PAR1") + 4
    damaged = {
        "not parquet": b"something else entirely, long enough to be looked at",
        "truncated": whole[: len(whole) // 2],
        "flipped": whole[:middle] + bytes(64) + whole[middle + 64 :],
    }[damage]
    path.write_bytes(damaged)
    with pytest.raises(EnvironmentFailure, match=r"a\.parquet"):
        read_parquet(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure):
        read_parquet(tmp_path)


def test_missing_column_names_those_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", rows())
    with pytest.raises(UserError, match=r"no column texts: it has image_id, image, captions"):
        read_parquet(path, captions="texts")


@pytest.mark.parametrize("empty", ["", "  ", None])
def test_empty_caption(tmp_path: Path, empty: str | None) -> None:
    columns = rows()
    columns["captions"][1] = ["fine", empty]
    with pytest.raises(UserError, match=r"row 1: caption 1 of image 001\.Bird/Bird_0001_1 is empty"):
        read_parquet(write(tmp_path / "a.parquet", columns))


@pytest.mark.parametrize("none", [[], None])
def test_no_captions_at_all(tmp_path: Path, none: list[str] | None) -> None:
    columns = rows()
    columns["captions"][2] = none
    with pytest.raises(UserError, match=r"row 2: image 001\.Bird/Bird_0002_2 has no caption"):
        read_parquet(write(tmp_path / "a.parquet", columns))


def test_an_id_twice(tmp_path: Path) -> None:
    columns = rows()
    columns["image_id"][2] = columns["image_id"][0]
    with pytest.raises(UserError, match=r"001\.Bird/Bird_0000_0 in column image_id more than once"):
        read_parquet(write(tmp_path / "a.parquet", columns))


def test_an_id_missing(tmp_path: Path) -> None:
    columns = rows()
    columns["image_id"][2] = None
    with pytest.raises(UserError, match="row 2: image_id = None"):
        read_parquet(write(tmp_path / "a.parquet", columns))


@pytest.mark.parametrize("broken", [b"no picture", jpeg(9)[:300], b"", None])
def test_broken_photographs_are_listed(tmp_path: Path, broken: bytes | None) -> None:
    columns = rows()
    for row in (0, 2):
        columns["image"][row] = {"bytes": broken, "path": None}
    with pytest.raises(EnvironmentFailure, match=r"photographs: 001\.Bird/Bird_0000_0, 001\.Bird/Bird_0002_2: restore"):
        read_parquet(write(tmp_path / "a.parquet", columns))


def test_columns_of_another_type(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", rows())
    with pytest.raises(UserError, match=r"column captions is .*images"):
        read_parquet(path, image="captions", captions="captions")
    with pytest.raises(UserError, match="column image holds dict"):
        read_parquet(path, captions="image")


def test_the_one_caption_of_an_image() -> None:
    ids = [f"153.Philadelphia_Vireo/Philadelphia_Vireo_{i:04d}_{i}" for i in range(3000)]
    chosen = [caption_of(image_id, 10) for image_id in ids]
    assert chosen == [caption_of(image_id, 10) for image_id in ids]
    counts = Counter(chosen)
    assert set(counts) == set(range(10)) and min(counts.values()) > 200
    assert caption_of("153.Philadelphia_Vireo/Philadelphia_Vireo_0038_794759", 1) == 0
    with pytest.raises(ValueError, match="0 captions"):
        caption_of("a", 0)


def test_hash_order_does_not_depend_on_the_files_order() -> None:
    ids = [f"bird {i}" for i in range(200)]
    order = hash_order(ids)
    assert sorted(order) == list(range(200)) and order != list(range(200))
    assert [ids[i] for i in order] == [ids[::-1][i] for i in hash_order(ids[::-1])]
