"""Messages are one line of a length that a person reads, whatever was given."""

from __future__ import annotations

import pickle

import pytest

from zeroshot.errors import LONGEST_LINE, EnvironmentFailure, Interrupted, UserError, one_line


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("k = 0, but this world has 1,000 labels", "k = 0, but this world has 1,000 labels"),
        (f"device = {'x' * 5000!r}, but allowed is cpu", f"device = '{'x' * 79}…', but allowed is cpu"),
        (f"prompt = {'it is ' * 900!r}, but", f"prompt = '{('it is ' * 14)[:79]}…', but"),
        (f"prompt = {'its ' * 900 + chr(39)!r}, but", f'prompt = "{("its " * 20)[:79]}…", but'),
        (f"grid.k = {list(range(999))} names 1", f"grid.k = [{str(list(range(99)))[1:80]}…] names 1"),
        (f"{'9' * 5000} is too much", f"{'9' * 79}… is too much"),
        (f"no column {'x' * 99}, {'y' * 99}: give one", f"no column {'x' * 79}…, {'y' * 79}…: give one"),
        ("a\nb\r\nc\u2028 d\te", "a b c d e"),
        ("a\x1b[31mb\x00\u202e\udcff", r"a\x1b[31mb\x00\u202e\udcff"),
        (f"/tmp/{'a' * 250}/b: gone", f"/tmp/{'a' * 79}…/b: gone"),
    ],
)
def test_what_was_given_is_cut_and_the_message_stays(message: str, line: str) -> None:
    for kind in (UserError, EnvironmentFailure, Interrupted):
        assert str(kind(message)) == line
    assert one_line(line) == line


def test_a_path_is_told_whole_unless_nobody_could_have_made_it() -> None:
    usual = "/scratch/somebody/experiments/outputs/miniature/paper+0a1b2c3d/runs/sagan/k=0010/seed=42/metrics.json"
    assert one_line(f"{usual} is damaged") == f"{usual} is damaged"
    told = one_line(f"/tmp/{'ab/' * 1600}z is damaged")
    assert told.startswith("/tmp/ab/") and told.endswith("/ab/z is damaged") and len(told) < 260


def test_our_own_words_are_never_cut_for_their_apostrophes() -> None:
    text = "the worlds' photographs " + "are not theirs and " * 9 + "the model's own"
    assert one_line(text) == text


def test_a_message_of_many_values_keeps_its_end_where_its_mending_stands() -> None:
    told = str(UserError(f"not there: {', '.join(f'file-{n}' for n in range(5000))}: run `make prepare`"))
    assert len(told) <= LONGEST_LINE and told.startswith("not there: file-0, ") and told.endswith("run `make prepare`")


def test_errors_of_other_processes_arrive() -> None:
    assert str(pickle.loads(pickle.dumps(UserError("k = 0")))) == "k = 0"
