from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from zeroshot.errors import EnvironmentFailure
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
