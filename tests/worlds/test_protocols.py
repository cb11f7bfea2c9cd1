"""protocol=paper and every switch of protocol=released."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

import zeroshot
from experiments.audit import protocols, switches
from zeroshot.data.base import CaptionedImages, caption_of, hash_order
from zeroshot.errors import UserError
from zeroshot.searching.algorithm1 import Task, run_tasks
from zeroshot.settings import ProtocolSettings
from zeroshot.worlds.labels import read_labels
from zeroshot.worlds.parts import PROTOCOLS, default_run
from zeroshot.worlds.protocols import cut, in_protocol, label_prompts, random_captions, searched
from zeroshot.worlds.world import World

PAPER, RELEASED = PROTOCOLS["paper"], PROTOCOLS["released"]


def images(n: int, captions: int = 10) -> CaptionedImages:
    texts = [[f"Caption {c} of image {i} " + "with a long tail " * 6 for c in range(captions)] for i in range(n)]
    return CaptionedImages([f"{i:03d}.Some_Bird/{i}" for i in range(n)], texts, lambda i: Image.new("RGB", (8, 8)))


def test_in_the_paper_every_image_has_one_caption_for_all_seeds() -> None:
    data = images(30)
    first, other = (searched(data, PAPER, 30, 5, seed) for seed in (42, 43))
    assert [i.captions for i in first] == [i.captions for i in other]
    for image in first:
        row = data.image_ids.index(image.image_id)
        assert image.captions == [data.captions[row][caption_of(image.image_id, 10)]]
        assert image.caption.tolist() == image.ranked_by.tolist() == [0] * 5 and image.ranked


def test_released_scores_whole_batches_of_16_in_the_same_order() -> None:
    data = images(2778, captions=1)
    ours = searched(data, RELEASED, 2778, 1, 42)
    assert len(ours) == 2768  # as many as the released code scored
    assert [i.image_id for i in ours] == [data.image_ids[row] for row in hash_order(data.image_ids)[:2768]]
    with pytest.raises(UserError, match="captions = 15, but this protocol scores whole batches of 16"):
        searched(data, RELEASED, 15, 1, 42)


def test_the_slip_leaves_44_images_of_the_test_split_unranked() -> None:
    whole = dataclasses.replace(RELEASED, batches_of=None)
    ours = searched(images(2778, captions=1), whole, 2778, 1, 42)
    assert sum(not image.ranked for image in ours) == 44


def test_random_captions_are_all_ten_and_depend_on_seed_and_b_only() -> None:
    drawn = random_captions(42, "an image", 2000, 10)
    counts = np.bincount(drawn, minlength=10)
    assert counts.min() > 140 and counts.max() < 270  # 200 each, ±4 standard deviations
    np.testing.assert_array_equal(random_captions(42, "an image", 50, 10), drawn[:50])
    assert (random_captions(43, "an image", 2000, 10) != drawn).any()


def test_random_ranking_is_one_caption_for_all_b_and_a_searched_one_follows_the_caption() -> None:
    data = images(40)
    released = searched(data, RELEASED, 40, 30, 1)
    assert all(len(set(image.ranked_by.tolist())) == 1 for image in released)
    assert len({int(image.ranked_by[0]) for image in released}) > 3
    followed = searched(data, dataclasses.replace(RELEASED, ranking="searched"), 40, 30, 1)
    assert all((image.ranked_by == image.caption).all() for image in followed)
    assert all(len(set(image.caption.tolist())) > 1 for image in followed)


def test_captions_are_stripped_lower_cased_and_cut() -> None:
    text = "  A Bird " + "x" * 100
    assert cut(text, RELEASED) == "a bird " + "x" * 63
    assert cut(text, PAPER) == text


def test_label_prompts() -> None:
    labels = read_labels()
    assert label_prompts(labels, PAPER)[2] == "An image of great white shark"
    assert label_prompts(labels, RELEASED)[2] == "an image of great_white_shark"


def test_the_protocols_truncation_is_biggans_and_yields_to_its_own() -> None:
    sagan, biggan = (default_run("miniature", name).generator for name in ("sagan", "biggan"))
    assert in_protocol(biggan, RELEASED).truncation == 0.4 and in_protocol(sagan, RELEASED) == sagan
    assert in_protocol(dataclasses.replace(biggan, truncation=0.7), RELEASED).truncation == 0.7


def protocol_world(cache: object, protocol: ProtocolSettings) -> World:
    return World(dataclasses.replace(default_run("miniature", "sagan"), protocol=protocol), "cpu", cache)  # type: ignore[arg-type]


def test_without_clips_normalisation_pixels_go_in_as_they_are(world: zeroshot.World, cache: object) -> None:
    raw = protocol_world(cache, dataclasses.replace(PAPER, clip_normalisation=False))
    pixels = torch.linspace(-1, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)
    torch.testing.assert_close(raw.clip.prepare(pixels), pixels)
    assert (world.clip.prepare(pixels) - pixels).abs().max() > 0.5
    assert (raw.clip.encode_images(pixels) - world.clip.encode_images(pixels)).abs().max() > 1e-3


def test_the_raw_threshold_is_a_half_precision_number(world: zeroshot.World, cache: object) -> None:
    raw = protocol_world(cache, dataclasses.replace(PAPER, threshold="raw"))
    assert raw.threshold == float(np.float16(raw.threshold)) and raw.threshold != world.threshold


def test_unranked_images_draw_from_all_labels(world: zeroshot.World) -> None:
    text = world.encode_texts("captions", ["a blue bird"])
    zeros = np.zeros(60, dtype=np.int64)
    ranked, unranked = (Task("x", text, world.rank(text), zeros, zeros, ranked) for ranked in (True, False))
    scores = run_tasks(world.engine("sagan"), [ranked, unranked], 3, 60, 1)
    assert len(set(scores.class_index[0])) == 3 and len(set(scores.class_index[1])) > 40


def test_scores_belong_to_the_caption_of_their_b(world: zeroshot.World) -> None:
    text = world.encode_texts("captions", ["a blue bird", "a long red snake"])
    turns, zeros = np.arange(8) % 2, np.zeros(8, dtype=np.int64)
    mixed = Task("x", text, world.rank(text), turns, zeros)
    alone = [Task("x", text[[i]], world.rank(text)[[0]], zeros, zeros) for i in (0, 1)]
    scores = run_tasks(world.engine("sagan"), [mixed, *alone], 10, 8, 1).score
    np.testing.assert_allclose(scores[0], np.where(turns == 0, scores[1], scores[2]), atol=1e-6)
    assert np.abs(scores[1] - scores[2]).min() > 1e-3


def test_the_audit_changes_one_switch_at_a_time() -> None:
    compared = protocols()
    assert len(compared) == len(switches()) + 2 and next(iter(compared)) == "paper" and list(compared)[-1] == "released"
    for protocol in list(compared.values())[1:-1]:
        changed = {
            field.name
            for field in dataclasses.fields(protocol)
            if getattr(protocol, field.name) != getattr(PAPER, field.name)
        }
        assert len(changed) == 1
