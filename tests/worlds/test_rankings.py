"""The authors' file of rankings: read where it is what it says, refused in one line where it is not."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.runs.run import run, run_path
from zeroshot.settings import RunSettings
from zeroshot.storage.tables import read_table
from zeroshot.worlds.parts import PROTOCOLS, default_run
from zeroshot.worlds.rankings import read_rankings
from zeroshot.worlds.world import World

IDS = ["001.A_Bird/1", "002.B_Bird/2", "003.C_Bird/3"]
ORDER = list(range(999, -1, -1))


def written(folder: Path, content: Any) -> Path:
    path = folder / "imagenet_labels.pkl"
    path.write_bytes(pickle.dumps(content))
    return path


def test_the_released_form_is_read_and_what_it_lacks_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = read_rankings(written(tmp_path, {IDS[1]: [ORDER], IDS[2]: ORDER}), IDS)
    assert list(found) == IDS[1:] and all(ranking.tolist() == ORDER for ranking in found.values())
    assert "no ranking of 1 of 3 test images, which draw from all labels: 001.A_Bird/1" in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "holds nothing, but rankings are a dictionary"),
        ([1], "holds list, but rankings are a dictionary"),
        ({"004.D_Bird/4": [ORDER]}, "images that the test split lacks: 004.D_Bird/4"),
        ({7: [ORDER]}, "images that the test split lacks: 7"),
        ({IDS[0]: [ORDER[:-1]]}, "the ranking of 001.A_Bird/1 is 999 entries, but it is each class index"),
        ({IDS[0]: [[*ORDER[:-1], 5]]}, "is 1000 entries, but it is each class index of 0 to 999 once"),
        ({IDS[0]: [[float(index) for index in ORDER]]}, "but it is each class index"),
        ({IDS[0]: [[True, False, *range(2, 1000)]]}, "but it is each class index"),
        ({IDS[0]: "tench"}, "is a str, but it is each class index"),
        ({IDS[0]: None}, "is a NoneType, but it is each class index"),
    ],
)
def test_another_content_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_rankings(written(tmp_path, content), IDS)


def test_nothing_in_it_is_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="only plain containers"):
        read_rankings(written(tmp_path, {IDS[0]: Path("x")}), IDS)


def settings_with(path: object, **others: Any) -> RunSettings:
    protocol = dataclasses.replace(PROTOCOLS["released"], rankings=str(path), batches_of=None, **others)
    return dataclasses.replace(default_run("miniature", "sagan"), protocol=protocol, captions=4, b_max=3, k=2)


def test_a_run_draws_from_the_files_labels_and_knows_which_file_it_was(tmp_path: Path, cache: Path) -> None:
    asked = settings_with(tmp_path / "imagenet_labels.pkl", threshold="clip")  # which is in the cache
    test = World(asked, "cpu", cache).test
    ranked = test.image_ids[1:]  # the first draws from all labels
    path = written(tmp_path, {image_id: [ORDER] for image_id in ranked})
    run(World(asked, "cpu", cache), asked, tmp_path)
    scores = read_table(run_path(tmp_path, asked) / "scores.parquet")
    assert set(scores.label_index[scores.image_id.isin(ranked)]) <= {999, 998}

    path.write_bytes(pickle.dumps({image_id: [ORDER[::-1]] for image_id in ranked}))
    with pytest.raises(EnvironmentFailure, match=r"belongs to another configuration \(.*weights_sha256"):
        run(World(asked, "cpu", cache), asked, tmp_path)


def test_a_file_that_is_not_there_and_a_protocol_that_does_not_read_it(tmp_path: Path, cache: Path) -> None:
    missing = settings_with(tmp_path / "none.pkl")
    with pytest.raises(UserError, match=r"protocol\.rankings = .*none\.pkl, but no file of that name is there"):
        run(World(missing, "cpu", cache), missing, tmp_path)
    with pytest.raises(UserError, match=r"protocol\.ranking = searched: give protocol\.ranking=once"):
        settings_with("any.pkl", ranking="searched")
    downloaded = settings_with("cache:no_such_imagenet_labels.pkl")
    with pytest.raises(EnvironmentFailure, match=r"not downloaded yet: .*no_such_imagenet_labels\.pkl"):
        run(World(downloaded, "cpu", cache), downloaded, tmp_path)
