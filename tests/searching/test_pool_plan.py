"""The plan of a shared pool, and the private order in which a caption takes its images."""

from __future__ import annotations

import numpy as np
import pytest

from zeroshot.searching.pool_plan import Plan, images_taken, make_plan


def test_depth_is_the_share_of_all_draws_but_never_less_than_one_caption_needs() -> None:
    first = np.array([[0, 0, 0, 1], [0, 1, 1, 2]])  # most draws of one caption: class 0 three, 1 two, 2 one
    second = np.array([[0, 0, 0, 0], [3, 3, 3, 3]])
    plan = make_plan([first, second], classes=5, share=0.5)
    # draws in all: 8, 3, 1, 4, 0
    assert plan.depth.tolist() == [4, 2, 1, 4, 0]
    assert make_plan([first, second], 5, share=1.0).depth.tolist() == [8, 3, 1, 4, 0]


def test_addresses_are_every_image_once() -> None:
    class_index, image_index = Plan(np.array([2, 0, 3])).addresses()
    assert class_index.tolist() == [0, 0, 2, 2, 2] and image_index.tolist() == [0, 1, 0, 1, 2]


def test_plans_have_names_of_their_own() -> None:
    assert Plan(np.array([1, 2])).digest != Plan(np.array([2, 1])).digest == Plan(np.array([2, 1])).digest


def test_a_caption_takes_no_image_twice_and_all_where_it_draws_as_many() -> None:
    drawn = np.array([[0] * 7 + [1, 2, 1], [2, 1, 0, 0, 2, 2, 2, 0, 1, 1]])
    taken = images_taken(drawn, np.array([7, 5, 4]), seed=1, image_ids=["a", "b"])
    for classes, images in zip(drawn, taken, strict=True):
        pairs = set(zip(classes.tolist(), images.tolist(), strict=True))
        assert len(pairs) == len(classes)
    assert sorted(taken[0, :7].tolist()) == list(range(7))
    assert sorted(taken[1][drawn[1] == 2].tolist()) == list(range(4))


def test_the_order_is_the_captions_own_and_depends_on_neither_k_nor_b_max() -> None:
    depth = np.array([50, 50])
    few = images_taken(np.array([[0, 1, 0]]), depth, 1, ["a"])[0]
    many = images_taken(np.array([[0, 0, 0, 1, 1]]), depth, 1, ["a"])[0]
    assert many[:2].tolist() == few[[0, 2]].tolist() and many[3] == few[1]
    assert images_taken(np.array([[0, 1, 0]]), depth, 1, ["b"])[0].tolist() != few.tolist()
    assert images_taken(np.array([[0, 1, 0]]), depth, 2, ["a"])[0].tolist() != few.tolist()


def test_the_order_is_uniform() -> None:
    depth, captions = np.array([5]), 4000
    taken = images_taken(np.zeros((captions, 5), dtype=np.int64), depth, 3, [f"image {i}" for i in range(captions)])
    for place in range(5):
        counts = np.bincount(taken[:, place], minlength=5)
        chi_squared = ((counts - captions / 5) ** 2 / (captions / 5)).sum()
        assert chi_squared < 23.5  # 4 degrees of freedom, p = 1e-4
    pairs = np.bincount(taken[:, 0] * 5 + taken[:, 1], minlength=25)
    assert (pairs.reshape(5, 5).diagonal() == 0).all()
    assert ((pairs[pairs > 0] - captions / 20) ** 2 / (captions / 20)).sum() < 50.8  # 19 degrees of freedom


def test_more_draws_than_the_plan_allows_are_refused() -> None:
    with pytest.raises(ValueError, match="class 0 more than the 2 times"):
        images_taken(np.array([[0, 0, 0]]), np.array([2]), 1, ["a"])
