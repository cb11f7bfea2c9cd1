from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from zeroshot.errors import EnvironmentFailure, Interrupted
from zeroshot.storage.cache import Cache

KEY = {"clip": "abc", "texts": ["a bird"]}


def test_computed_once_per_key(tmp_path: Path) -> None:
    cache, value = Cache(tmp_path), np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(cache.get("x", KEY, lambda: value), value)
    np.testing.assert_array_equal(cache.get("x", KEY, lambda: pytest.fail("computed again")), value)
    assert cache.get("x", KEY | {"clip": "abd"}, lambda: value + 1)[0, 0] == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_nothing_is_written_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Cache().get("x", KEY, lambda: np.ones(1))[0] == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [lambda b: b[:-3], lambda b: b[:-2] + bytes([b[-2] ^ 1]) + b[-1:], lambda b: b""])
def test_a_damaged_file_is_set_aside_and_made_again(
    tmp_path: Path, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    cache, value = Cache(tmp_path), np.arange(100.0)
    cache.get("x", KEY, lambda: value)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    np.testing.assert_array_equal(cache.get("x", KEY, lambda: value), value)
    assert str(path) in caplog.text
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".damaged", ".npy"]


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(EnvironmentFailure, match="/proc/nothing cannot be written"):
        Cache(Path("/proc/nothing")).get("x", KEY, lambda: pytest.fail("computed what cannot be kept"))


def test_of_several_that_want_one_array_the_first_computes_it(tmp_path: Path) -> None:
    started, computed = threading.Barrier(4), []

    def compute() -> np.ndarray:
        computed.append(1)
        time.sleep(0.2)
        return np.array([len(computed)])

    def want(_: int) -> int:
        started.wait()
        return int(Cache(tmp_path).get("x", KEY, compute)[0])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(want, range(4))) == [1] * 4
    assert computed == [1] and [path.suffix for path in tmp_path.iterdir()] == [".npy"]


def test_whoever_waits_computes_where_the_first_failed(tmp_path: Path) -> None:
    def fail() -> np.ndarray:
        raise MemoryError

    with pytest.raises(MemoryError):
        Cache(tmp_path).get("x", KEY, fail)
    assert Cache(tmp_path).get("x", KEY, lambda: np.ones(1))[0] == 1


def test_parts_are_kept_where_the_work_is_stopped_and_gone_when_it_is_whole(tmp_path: Path) -> None:
    made: list[int] = []

    def part(start: int, stop: int) -> np.ndarray:
        made.append(start)
        return np.arange(start, stop)

    def compute() -> np.ndarray:
        with cache.parts({"of": "it"}) as rows:
            return rows("numbers", 10, 4, part) + rows("more", 10, 10, part)

    cache = Cache(tmp_path)
    cache.should_stop = lambda: len(made) == 2
    with pytest.raises(Interrupted, match=str(tmp_path)):
        cache.get("sum", {"of": "it"}, compute)
    assert made == [0, 4]
    cache = Cache(tmp_path)  # another process
    assert cache.get("sum", {"of": "it"}, compute).tolist() == [2 * n for n in range(10)]
    assert made == [0, 4, 8, 0] and len(list(tmp_path.glob("*.npy"))) == 1
    cache = Cache()
    assert cache.get("sum", {"of": "it"}, compute).tolist() == [2 * n for n in range(10)]
