"""Third-party pickles are read as plain data, or refused without anything of them having run."""

from __future__ import annotations

import os
import pickle
import struct
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.test_cub import IDS, write_ccub
from zeroshot.data import regular
from zeroshot.data.ccub import read_ccub
from zeroshot.data.unpickle import read_plain_pickle
from zeroshot.errors import UserError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def read(folder: Path, content: bytes) -> object:
    (folder / "x.pkl").write_bytes(content)
    return read_plain_pickle(folder / "x.pkl")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ([defaultdict(dict, a={}), defaultdict(list, b=[1])], [{"a": {}}, {"b": [1]}]),
        (defaultdict(None, a=1), {"a": 1}),
        (OrderedDict(b=1, a=(None, True, 2.5)), {"b": 1, "a": (None, True, 2.5)}),
        ([{1, 2}, frozenset("xy"), b"\xff\0", b""], [{1, 2}, frozenset("xy"), b"\xff\0", b""]),
        (np.str_("é bird"), "é bird"),
        ([np.int64(-7), np.uint8(3), np.bool_(True), np.float64(2.5)], [-7, 3, True, 2.5]),
        (np.array(["é", "bird", ""]), ["é", "bird", ""]),
        (np.array(["é", "bird"]).astype(">U9"), ["é", "bird"]),
        (np.array([], dtype="U3"), []),
        (np.array("alone"), ["alone"]),
        (np.array([b"a", b"bc"]), [b"a", b"bc"]),
        (np.arange(6).reshape(2, 3), [[0, 1, 2], [3, 4, 5]]),
        (np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)), [[0, 1, 2], [3, 4, 5]]),
        (np.arange(10)[::3], [0, 3, 6, 9]),
        (np.array([True, False]), [True, False]),
    ],
)  # fmt: skip
def test_plain_data_of_collections_and_numpy(tmp_path: Path, protocol: int, value: object, plain: object) -> None:
    content = pickle.dumps(value, protocol=protocol)
    for spelling in (content, content.replace(b"numpy._core", b"numpy.core") if protocol < 4 else content):
        found = read(tmp_path, spelling)
        assert found == plain
        assert not isinstance(found, (np.ndarray, np.generic, defaultdict, OrderedDict))


def test_numpy_1s_spelling(tmp_path: Path) -> None:
    one = pickle.dumps(np.str_("bird"), protocol=4)
    long, short = b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray"
    (size,) = struct.unpack("<Q", one[3:11])
    other = one[:3] + struct.pack("<Q", size - 1) + one[11:].replace(long, short)
    assert long in one and read(tmp_path, other) == "bird"


def test_c_cub_as_defaultdicts_and_arrays(tmp_path: Path) -> None:
    data: dict = defaultdict(OrderedDict)
    for image_id in IDS:
        for number in range(10):
            data[np.str_(image_id)][np.int64(number)] = {"text": np.str_(f"caption {number} of {image_id}")}
    split: dict[str, Any] = {"train": np.array(IDS[:3]), "test_seen": tuple(IDS[3:4]), "test_unseen": set(IDS[4:])}
    found = read_ccub(write_ccub(tmp_path, data=data, split=split))
    assert found == read_ccub(write_ccub(tmp_path / "plain", split={k: sorted(v) for k, v in split.items()}))
    assert list(found["test"]) == IDS[3:]  # a set in an order of its own


class Hostile:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("wrap", [lambda it: {"a": it}, lambda it: defaultdict(list, a=it), lambda it: np.array([it])])
def test_a_pickle_that_names_code_is_refused_and_nothing_runs(
    tmp_path: Path, protocol: int, wrap: Callable[[Hostile], object]
) -> None:
    trace = tmp_path / "ran"
    hostile = pickle.dumps(wrap(Hostile(f"touch {trace}")), protocol=protocol)
    write_ccub(tmp_path)
    (tmp_path / "split.pkl").write_bytes(hostile)
    with pytest.raises(UserError, match=r"split\.pkl is refused: it names (\w+\.system|a numpy type 'O8')") as refused:
        read_ccub(tmp_path)
    assert "\n" not in str(refused.value) and not trace.exists()
    pickle.loads(hostile)  # the fixture is what it claims to be
    assert trace.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.array(["a", None], dtype=object), np.zeros(2, dtype=[("a", "i4")]), np.datetime64("2020-01-01"),
        np.void(b"abc"), np.ma.array([1]), np.array(["a"], dtype=np.dtypes.StringDType()), Path("x"), ValueError("x"),
        defaultdict(os.getcwd), Counter("ab"), range(3), len, os.system, complex(1, 2), bytearray(b"x"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("protocol", [2, 4])
def test_everything_else_is_refused_by_its_name(tmp_path: Path, value: object, protocol: int) -> None:
    with pytest.raises(UserError, match=r"x\.pkl is refused: it names \S+"):
        read(tmp_path, pickle.dumps(value, protocol=protocol))


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def text(value: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value


A_LOT = text(b"a" * 100_000)
BOMBS = {
    "a number of many digits": named("builtins", "int") + A_LOT + b"\x85R",
    "the same text encoded again and again": (
        named("_codecs", "encode") + b"q\0" + A_LOT + b"q\1" + text(b"latin1") + b"q\2]("
        + b"h\0h\1h\2\x86R" * 2000 + b"e"
    ),
    "another encoding": named("_codecs", "encode") + text(b"a") + text(b"idna") + b"\x86R",
    "a memo of gigabytes": b"Nr" + struct.pack("<I", 2**32 - 1),
    "a billion rows of nothing": (
        named("numpy._core.numeric", "_frombuffer") + b"(" + text(b"")
        + named("numpy", "dtype") + text(b"i8") + b"\x85R"
        + b"J" + struct.pack("<i", 10**9) + b"K\0\x86" + text(b"C") + b"tR"
    ),
    "numpy.ndarray called": named("numpy", "ndarray") + b"K\1\x85\x85R",
    "a class's attribute set": named("numpy", "dtype") + b"}" + text(b"name") + text(b"x") + b"s\x86b",
    "a function's defaults set": named("_codecs", "encode") + b"N}" + text(b"__defaults__") + b")s\x86b",
    "an attribute of an allowed name": b"\x8c\x08builtins\x8c\x0eint.from_bytes\x93",
    "an object of elsewhere": text(b"x") + b"Q",
    "a registered extension": b"\x82\x01",
    "a buffer of elsewhere": b"\x97",
    "a frame that is not there": b"\x95" + struct.pack("<Q", 2**60),
    "text that is not there": b"\x8d" + struct.pack("<Q", 2**60) + b"a",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_fill_the_memory_or_change_the_reader_is_refused(tmp_path: Path, name: str) -> None:
    if name == "a billion rows of nothing":
        assert read(tmp_path, b"\x80\x04" + BOMBS[name] + b".") == []
        return
    with pytest.raises(UserError, match=r"x\.pkl is (refused: it names|no pickle, or damaged)"):
        read(tmp_path, b"\x80\x04" + BOMBS[name] + b".")
    assert read(tmp_path, pickle.dumps(np.array(["whole"]), protocol=2)) == ["whole"]


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps({"a": [1] * 100})[:50]])
def test_a_damaged_pickle_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match="is no pickle, or damaged"):
        read(tmp_path, content)


def test_a_huge_file_and_a_pipe_are_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "x.pkl").open("wb") as file:
        file.truncate(regular.MAX_BYTES + 1)
    with pytest.raises(UserError, match=r"cannot be read \(more than 1,073,741,824 bytes\)"):
        read_plain_pickle(tmp_path / "x.pkl")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match=r"cannot be read \(no regular file\)"):
        read_plain_pickle(tmp_path / "pipe")
