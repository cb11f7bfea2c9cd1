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
        ({"split": {"train": "x", "test_seen": [], "test_unseen": []}}, "train is a str, but a list"),
        ({"split": {"train": [["x"]], "test_seen": [], "test_unseen": []}}, r"train names \['x'\], but image ids"),
        ({"split": {"train": [7], "test_seen": [], "test_unseen": []}}, "train names 7, but image ids are text"),
        ({"data": {i: {0: {"text": b"x"}} for i in IDS}}, "has no text"),
    ],
)
def test_ccub_that_does_not_fit_is_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_ccub(write_ccub(tmp_path, **changes))


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


def with_box(folder: Path, box: str) -> Path:
    """CUB whose second photograph, of 200 x 100 pixels, has another box."""
    lines = (write_cub(folder) / "bounding_boxes.txt").read_text().splitlines()
    (folder / "bounding_boxes.txt").write_text("\n".join([lines[0], f"2 {box}", *lines[2:]]))
    return folder


@pytest.mark.parametrize(
    ("box", "wrong"),
    [
        ("500.0 10.0 50.0 50.0", "500 10 50 50 lies outside; the photograph has 200 x 100 pixels"),
        ("60.0 27.0 325.0 304.0", "lies outside"),  # of a photograph of twice the size
        ("200.0 10.0 5.0 5.0", "lies outside"),
        ("10.0 90.0 30.0 21.0", "lies outside"),
        ("-1.0 10.0 50.0 50.0", "lies outside"),
        ("10.0 10.0 1.0 1.0", "has no area"),
        ("10.0 10.0 0.0 50.0", "has no area"),
        ("10.0 10.0 50.0 -50.0", "has no area"),
        ("nan 10.0 50.0 50.0", "is not in whole pixels"),
        ("10.0 10.0 inf 50.0", "is not in whole pixels"),
        ("1e999 10.0 50.0 50.0", "is not in whole pixels"),
        ("10.5 10.0 50.0 50.0", "10.5 10 50 50 is not in whole pixels"),
    ],
)
def test_a_box_that_cannot_be_its_photographs_is_named(tmp_path: Path, box: str, wrong: str) -> None:
    folder, captions = with_box(tmp_path, box), {i: ["x"] for i in IDS}
    with pytest.raises(UserError, match=rf"do not fit their photographs: {IDS[1]}: .* 1 of 6 out .*{wrong}") as refused:
        read_cub(folder, captions)
    assert "\n" not in str(refused.value)
    left = read_cub(folder, captions, allow_missing=True)
    assert left.missing == {1} and left.image(0).size[0] > 0
    read_cub(folder, {IDS[0]: ["x"]})  # of what is not used, nothing is said


def test_some_of_cubs_boxes_end_a_little_beyond_their_photograph(tmp_path: Path) -> None:
    found = read_cub(with_box(tmp_path, "5.0 27.0 196.0 31.0"), {IDS[1]: ["x"]})
    assert found.image(0).size == (200, 100)


def test_the_crop_is_of_the_upright_photograph(tmp_path: Path) -> None:
    folder, exif = write_cub(tmp_path), Image.Exif()
    exif[274] = 6
    upright = Image.new("RGB", (200, 100), "black")
    upright.paste("white", (60, 27, 80, 57))  # what the first box shows
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "images" / f"{IDS[0]}.jpg", exif=exif, quality=95)
    bird = read_cub(folder, {IDS[0]: ["x"]}).image(0)
    assert bird.size == (44, 44) and np.asarray(bird)[12:30, 14:30].mean() > 240


def test_what_cubs_photographs_depend_on(tmp_path: Path) -> None:
    folder, captions = write_cub(tmp_path), {i: ["x"] for i in IDS[:3]}
    before = read_cub(folder, captions).content
    assert before == read_cub(folder, captions).content
    path = folder / "images" / f"{IDS[1]}.jpg"
    known = path.stat()
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns + 1))
    touched = read_cub(folder, captions).content
    path.write_bytes(path.read_bytes() + b" ")
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    longer = read_cub(folder, captions).content
    boxed = read_cub(with_box(folder, "60.0 27.0 41.0 30.0"), captions).content
    assert len({before, touched, longer, boxed}) == 4


@pytest.mark.parametrize("name", ["../../outside", "/dev/zero", "a/../../b"])
def test_an_image_outside_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = write_cub(tmp_path)
    (folder / "images.txt").write_text(f"1 {name}.jpg\n")
    with pytest.raises(UserError, match=r"images\.txt = '.*' leads out of .*not opened"):
        read_cub(folder, {name: ["x"]})


def test_a_photograph_that_is_a_pipe_is_refused_and_not_opened(tmp_path: Path) -> None:
    path = write_cub(tmp_path) / "images" / f"{IDS[0]}.jpg"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match="is a folder, device, pipe or socket"):
        read_cub(tmp_path, {IDS[0]: ["x"]})


def test_a_box_file_that_names_an_image_twice_is_refused(tmp_path: Path) -> None:
    folder = write_cub(tmp_path)
    with (folder / "bounding_boxes.txt").open("a") as file:
        file.write("1 1.0 1.0 9.0 9.0\n")
    with pytest.raises(UserError, match=r"does not fit .* names an image twice"):
        read_cub(folder, {i: ["x"] for i in IDS})


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


def test_what_a_mac_or_a_file_browser_adds_is_no_caption(tmp_path: Path) -> None:
    folder = write_reed(tmp_path, ["a bird"] * 10)
    classes = folder / IDS[0].partition("/")[0]
    for added in ("._Bird_0001.txt", ".hidden.txt", "../__MACOSX/Bird.txt", "../._x/a.txt"):
        (classes / added).parent.mkdir(exist_ok=True)
        (classes / added).write_bytes(b"\0\5\x16\7\xb0")
    (classes / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (classes / "Thumbs.db").write_bytes(b"\xd0\xcf")
    assert list(read_reed(folder)) == IDS[:2]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n", " \n\t\n"])
def test_line_ends_of_every_system_end_a_caption_and_nothing_else_does(tmp_path: Path, end: str, last: str) -> None:
    inside = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
    lines = [f"a bird{inside[i % 8]}with wings, {i}" for i in range(10)]
    folder = write_reed(tmp_path, lines)
    text = end.join(lines) + last.replace("\n", end)
    for path in folder.glob("*/*.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())  # behind a byte order mark
    assert read_reed(folder)[IDS[0]] == lines


def test_a_caption_file_that_is_a_pipe_or_a_folder_is_named_and_not_opened(tmp_path: Path) -> None:
    folder = write_reed(tmp_path, ["a bird"] * 10)
    path = folder / f"{IDS[1]}.txt"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match=r"794751\.txt cannot be read \(no regular file\)"):
        read_reed(folder)


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
