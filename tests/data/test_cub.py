"""CUB-200-2011, C-CUB's pickles and Reed et al.'s text folders, in their true formats, whole and damaged."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zeroshot.data.ccub import read_ccub
from zeroshot.data.cub import check_counts, crop_box, read_cub
from zeroshot.data.reed import read_reed
from zeroshot.data.unpickle import read_plain_pickle
from zeroshot.errors import EnvironmentFailure, UserError

IDS = [f"153.Philadelphia_Vireo/Philadelphia_Vireo_00{i}_79475{i}" for i in range(6)]


def write_ccub(folder: Path, **changes: object) -> Path:
    data = {i: {c: {"text": f"caption {c} of {i}", "swapped_text": "x"} for c in range(10)} for i in IDS}
    split = {"train": IDS[:3], "test_seen": [IDS[4]], "test_unseen": [IDS[3], IDS[5]], "test_swapped": []}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ({"data": data, "split": split} | changes).items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(content))
    return folder


def write_cub(folder: Path) -> Path:
    for number, image_id in enumerate(IDS):
        path = folder / "images" / f"{image_id}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((100, 200, 3), 40 * number, dtype=np.uint8)
        Image.fromarray(pixels, "RGB").save(path, quality=95)
    (folder / "images.txt").write_text("".join(f"{n} {i}.jpg\n" for n, i in enumerate(IDS, 1)))
    (folder / "bounding_boxes.txt").write_text("".join(f"{n} 60.0 27.0 {20 * n}.0 30.0\n" for n in range(1, 7)))
    (folder / "classes.txt").write_text("153 153.Philadelphia_Vireo\n")
    return folder


def test_ccub_joins_both_test_splits_in_order(tmp_path: Path) -> None:
    found = read_ccub(write_ccub(tmp_path))
    assert list(found["train"]) == IDS[:3] and list(found["test"]) == [IDS[4], IDS[3], IDS[5]]
    assert found["test"][IDS[3]] == [f"caption {c} of {IDS[3]}" for c in range(10)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": {"train": ["nowhere/x"], "test_seen": [], "test_unseen": []}}, "nowhere/x"),
        ({"split": {"train": []}}, "has no test_seen, test_unseen"),
        ({"data": {i: {0: {"text": "  "}} for i in IDS}}, f"caption 0 of image {IDS[0]} has no text"),
        ({"data": {i: {} for i in IDS}}, "has no caption"),
        ({"data": [1, 2]}, "holds a list"),
    ],
)
def test_ccub_that_does_not_fit_is_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_ccub(write_ccub(tmp_path, **changes))


class Hostile:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_names_code_is_refused_and_nothing_runs(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "ran"
    hostile = pickle.dumps({"train": Hostile(f"touch {trace}")}, protocol=protocol)
    write_ccub(tmp_path)
    (tmp_path / "split.pkl").write_bytes(hostile)
    with pytest.raises(UserError, match=r"split\.pkl is refused: it names (posix|nt)\.system") as refused:
        read_ccub(tmp_path)
    assert "\n" not in str(refused.value) and not trace.exists()
    pickle.loads(hostile)  # the fixture is what it claims to be
    assert trace.exists()


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps({"a": [1] * 100})[:50]])
def test_a_damaged_pickle_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.pkl"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is no pickle, or damaged"):
        read_plain_pickle(path)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((60, 27, 325, 304), (0, 0, 465, 335)),  # clipped on three sides of 500 x 335
        ((200, 100, 101, 50), (175, 50, 325, 200)),  # r = int(75.75), centre (250.5, 125) -> (250, 125)
    ],
)
def test_the_papers_square_crop(box: tuple, expected: tuple) -> None:
    assert crop_box(box, 500, 335) == expected


def test_photographs_are_cropped_in_the_captions_order(tmp_path: Path) -> None:
    captions = {IDS[2]: ["a"], IDS[0]: ["b"]}
    images = read_cub(write_cub(tmp_path), captions)
    assert images.image_ids == [IDS[2], IDS[0]] and images.captions == [["a"], ["b"]]
    first = images.image(0)  # box 60 27 60 30: r = 45 about (90, 42), clipped above
    assert first.size == (90, 87) and abs(int(np.asarray(first).mean()) - 80) < 4
    assert images.image(1).mode == "RGB"


def test_missing_broken_and_unknown_photographs_are_named_before_anything_runs(tmp_path: Path) -> None:
    folder = write_cub(tmp_path)
    (folder / "images" / f"{IDS[1]}.jpg").unlink()
    (folder / "images" / f"{IDS[4]}.jpg").write_bytes(b"no image at all")
    with pytest.raises(EnvironmentFailure, match=f"missing or broken photographs: {IDS[1]}, {IDS[4]}: .* 2 of 6 out"):
        read_cub(folder, {i: ["x"] for i in IDS})
    with pytest.raises(UserError, match="does not name 001/strange"):
        read_cub(folder, {"001/strange": ["x"]})
    with pytest.raises(UserError, match=r"images\.txt cannot be read"):
        read_cub(tmp_path / "elsewhere", {})


def test_a_box_file_of_another_data_set_is_refused(tmp_path: Path) -> None:
    folder = write_cub(tmp_path)
    (folder / "bounding_boxes.txt").write_text("1 60.0 27.0 20.0 30.0\n")
    with pytest.raises(UserError, match="does not fit"):
        read_cub(folder, {i: ["x"] for i in IDS})
    (folder / "bounding_boxes.txt").write_text("1 60.0 27.0\n")
    with pytest.raises(UserError, match="line 1: 3 columns, but 5"):
        read_cub(folder, {i: ["x"] for i in IDS})


def write_reed(folder: Path, lines: list[str]) -> Path:
    for image_id in IDS[:2]:
        path = folder / f"{image_id}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_reeds_folders(tmp_path: Path) -> None:
    found = read_reed(write_reed(tmp_path, [f" a bird, number {i} " for i in range(10)]))
    assert list(found) == IDS[:2] and found[IDS[0]][3] == "a bird, number 3"


def test_a_caption_file_in_latin_1_is_named_with_the_bytes_offset(tmp_path: Path) -> None:
    folder = write_reed(tmp_path, ["a bird"] * 10)
    path = folder / f"{IDS[1]}.txt"
    path.write_bytes(b"a bird\nna\xefve\n")
    with pytest.raises(UserError, match=r"0?01_794751\.txt is not UTF-8: byte 9 is 0xef"):
        read_reed(folder)


@pytest.mark.parametrize(
    ("lines", "message"), [(["a"] * 9, "has 9 captions, but 10"), (["a"] * 4 + [""] + ["b"] * 5, "line 5: the caption")]
)
def test_reeds_files_have_ten_captions(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_reed(write_reed(tmp_path, lines))


def test_counts_show_both_numbers() -> None:
    check_counts("the test split", 2778, 2778)
    check_counts("the test split", 5, None)
    with pytest.raises(UserError, match=r"the test split has 2,700 images, but 2,778 .* data\.expected_test=null"):
        check_counts("the test split", 2700, 2778)
