"""Reading captioned photographs: what is given back, and what is said of files that are wrong."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Features, Image, Value
from PIL import Image as PILImage

from tests.conftest import ROOT
from zeroshot.data.base import CaptionedImages, caption_of, hash_order
from zeroshot.data.parquet import check_ids, read_parquet
from zeroshot.data.regular import MAX_BYTES
from zeroshot.errors import EnvironmentFailure, UserError


def jpeg(shade: int, mode: str = "RGB") -> bytes:
    buffer = BytesIO()
    PILImage.new(mode, (24, 16), shade if mode == "L" else (shade, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


def picture(mode: str, kind: str) -> bytes:
    buffer = BytesIO()
    PILImage.new(mode, (24, 16)).save(buffer, kind)
    return buffer.getvalue()


NO_AVIF = picture("RGB", "AVIF")[:-10] + b"\xff" * 10


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


@pytest.mark.parametrize("broken", [b"no picture", jpeg(9)[:300], b"", None, picture("F", "TIFF"), NO_AVIF])
def test_broken_photographs_are_listed_with_their_reason(tmp_path: Path, broken: bytes | None) -> None:
    columns = rows()
    for row in (0, 2):
        columns["image"][row] = {"bytes": broken, "path": None}
    path = write(tmp_path / "a.parquet", columns)
    listed = r"photographs: 001\.Bird/Bird_0000_0, 001\.Bird/Bird_0002_2: restore .* 2 of 3 out .*\(001\.\S+: \w+"
    with pytest.raises(EnvironmentFailure, match=listed) as refused:
        read_parquet(path)
    assert "\n" not in str(refused.value)
    left = read_parquet(path, allow_missing=True)
    assert left.missing == {0, 2} and left.photographed == [1] and left.image(1).mode == "RGB"
    with pytest.raises(EnvironmentFailure, match="1 of 3 out"):
        left.image(0)


def test_photographs_are_looked_at_once_and_not_before_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    monkeypatch.setattr("zeroshot.data.parquet.read_photograph", lambda source: opened.append(source))
    data = read_parquet(write(tmp_path / "a.parquet", rows()), check=False)
    assert data.captions == rows()["captions"] and opened == []
    assert data.missing == frozenset() and len(data.photographed) == 3 and len(opened) == 3


def test_memory_that_ends_is_not_the_photographs_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("zeroshot.data.parquet.read_photograph", fail)
    with pytest.raises(EnvironmentFailure, match=r"memory ended while photograph 001\.Bird/Bird_0000_0 was decoded"):
        read_parquet(write(tmp_path / "a.parquet", rows()), allow_missing=True)


def beside(folder: Path, place: str) -> Path:
    """A table of one row in `folder` whose photograph is a file."""
    folder.mkdir(exist_ok=True)
    return write(folder / "table.parquet", rows(1) | {"image": [{"bytes": None, "path": place}]})


def make_link_out(folder: Path) -> str:
    (folder / "link.jpg").symlink_to(folder.parent / "outside.jpg")
    return "link.jpg"


def make_linked_folder(folder: Path) -> str:
    (folder / "sub").symlink_to(folder.parent)
    return "sub/outside.jpg"


def make_circle(folder: Path) -> str:
    (folder / "a").symlink_to("a")
    return "a"


def make_device(folder: Path) -> str:
    (folder / "zero").symlink_to("/dev/zero")
    return "zero"


def make_pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return "pipe"


def make_socket(folder: Path) -> str:
    with socket.socket(socket.AF_UNIX) as bound, contextlib.chdir(folder):
        bound.bind("socket")
    return "socket"


def make_folder(folder: Path) -> str:
    (folder / "sub").mkdir()
    return "sub"


PLACES: list[Callable[[Path], str]] = [
    lambda _: "../outside.jpg", lambda _: "sub/../../outside.jpg", lambda folder: str(folder / "x.jpg"),
    lambda _: "/dev/zero", lambda _: "x\0.jpg", lambda _: "x" * 5000, lambda _: ".", make_link_out, make_linked_folder,
    make_circle, make_device, make_pipe, make_socket, make_folder,
]  # fmt: skip


@pytest.mark.parametrize("make", PLACES)
@pytest.mark.parametrize("allow_missing", [False, True])
def test_a_path_leads_to_a_regular_file_below_the_tables_folder(
    tmp_path: Path, make: Callable[[Path], str], allow_missing: bool
) -> None:
    (tmp_path / "outside.jpg").write_bytes(jpeg(9))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.jpg").write_bytes(jpeg(9))
    path = beside(tmp_path / "data", make(tmp_path / "data"))
    with pytest.raises(UserError, match=r"table\.parquet, row 0: image's path = .* not opened") as refused:
        read_parquet(path, allow_missing=allow_missing, check=False)
    assert len(str(refused.value)) < 600 and "\n" not in str(refused.value)


def test_files_beside_the_table_may_lie_in_folders_and_behind_links_that_stay_below(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.jpg").write_bytes(jpeg(200))
    (tmp_path / "link.jpg").symlink_to("sub/x.jpg")
    for place in ("sub/x.jpg", "./sub/x.jpg", "link.jpg"):
        assert read_parquet(beside(tmp_path, place)).image(0).size == (24, 16)
    inside_after_all = rows(1)
    inside_after_all["image"][0]["path"] = "/not/looked/at.jpg"  # as there are bytes
    assert read_parquet(write(tmp_path / "e.parquet", inside_after_all)).image(0).size == (24, 16)


def test_a_file_beside_the_table_that_is_missing_or_huge_is_a_missing_photograph(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"missing or broken .* No such file"):
        read_parquet(beside(tmp_path, "nowhere.jpg"))
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert read_parquet(beside(tmp_path, "nowhere.jpg"), allow_missing=True).missing == {0}
    with pytest.raises(EnvironmentFailure, match="more than 1,073,741,824 bytes"):
        read_parquet(beside(tmp_path, "huge.jpg"))


def test_what_photographs_beside_the_table_depend_on(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(jpeg(200))
    path = beside(tmp_path, "x.jpg")
    before = read_parquet(path).content
    assert before == read_parquet(path).content
    (tmp_path / "x.jpg").write_bytes(jpeg(100))
    assert read_parquet(path).content not in (before, None)
    assert read_parquet(write(tmp_path / "inside.parquet", rows())).content is None  # all of it is in the file


def table(path: Path, **columns: Any) -> Path:
    whole = {"image_id": ["a"], "image": [jpeg(9)], "captions": [["a bird"]]} | columns
    pq.write_table(pa.table(whole), path)
    return path


def test_whole_numbers_are_names(tmp_path: Path) -> None:
    many = {"image": [jpeg(9)] * 3, "captions": ["a", "b", "c"]}
    for kind in (pa.int64(), pa.uint8()):
        found = read_parquet(table(tmp_path / "a.parquet", image_id=pa.array([7, 8, 100], kind), **many))
        assert found.image_ids == ["7", "8", "100"]
    assert check_ids("x", ["08", 8, np.int64(9)], "id") == ["08", "8", "9"]


@pytest.mark.parametrize("name", [7.0, float("nan"), b"a", None, "", "  ", True, [1], {"a": 1}])
def test_what_is_no_name_is_refused_with_its_kind(name: object) -> None:
    with pytest.raises(UserError, match=r"x\.parquet, row 1: id = .* is (empty|of type \w+), but .* whole number"):
        check_ids("x.parquet", ["a", name], "id")


def test_numbers_that_are_one_name_as_text_are_refused() -> None:
    with pytest.raises(UserError, match="x: 7 in column id more than once"):
        check_ids("x", [7, 8, "7"], "id")


def test_text_that_is_not_utf_8_is_named_with_its_row_and_byte(tmp_path: Path) -> None:
    def text(*values: bytes) -> pa.Array:
        return pa.array(values, pa.binary()).view(pa.string())

    lists = pa.ListArray.from_arrays([0, 1, 3], text(b"fine", b"fine too", b"na\xefve"))
    two = {"image_id": ["a", "b"], "image": [jpeg(9)] * 2, "captions": lists}
    with pytest.raises(UserError, match="row 1: column captions is not UTF-8: byte 2 of its text is 0xef"):
        read_parquet(table(tmp_path / "a.parquet", **two))
    with pytest.raises(UserError, match=r"row 0: column image_id is not UTF-8: byte 0 .* 0xff"):
        read_parquet(table(tmp_path / "a.parquet", **two | {"image_id": text(b"\xff", b"a"), "captions": ["x", "y"]}))


def test_a_table_without_rows_and_a_column_twice(tmp_path: Path) -> None:
    empty = pa.table(rows()).slice(0, 0)
    pq.write_table(empty, tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet has no rows, but one image"):
        read_parquet(tmp_path / "a.parquet")
    twice = pa.Table.from_arrays([pa.array(["a"])] * 2 + [pa.array([jpeg(9)])], ["captions", "captions", "image"])
    pq.write_table(twice.append_column("image_id", [["a"]]), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="more than one column captions"):
        read_parquet(tmp_path / "a.parquet")


def test_captions_of_bytes_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="column captions holds bytes, but"):
        read_parquet(table(tmp_path / "a.parquet", captions=[b"a bird"]))
    with pytest.raises(UserError, match="column captions holds bytes, but strings"):
        read_parquet(table(tmp_path / "a.parquet", captions=[[b"a bird"]]))


def test_reading_needs_neither_datasets_nor_torch() -> None:
    code = "import sys, zeroshot.data.parquet, zeroshot.data.cub; print({'datasets', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "set()\n"


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
