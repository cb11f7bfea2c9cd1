"""protocol=paper and every switch of protocol=released."""

from __future__ import annotations

import dataclasses

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

import zeroshot
from experiments.audit import protocols, switches
from zeroshot.data.base import CaptionedImages, caption_of, hash_order
from zeroshot.errors import UserError
from zeroshot.searching.algorithm1 import Task, run_tasks
from zeroshot.searching.engine import to_bytes
from zeroshot.settings import ProtocolSettings
from zeroshot.worlds.models import Models
from zeroshot.worlds.parts import PROTOCOLS, default_run
from zeroshot.worlds.protocols import cut, in_protocol, label_prompts, random_captions, searched
from zeroshot.worlds.saved import as_saved, floored
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


def test_released_scores_whole_batches_of_16_in_the_splits_order() -> None:
    data = images(2778, captions=1)
    ours = searched(data, RELEASED, 2778, 1, 42)
    assert [i.image_id for i in ours] == data.image_ids[:2768]  # the last batch, of 10, is dropped
    with pytest.raises(UserError, match="captions = 15, but this protocol scores whole batches of 16"):
        searched(data, RELEASED, 15, 1, 42)


def test_the_slip_leaves_every_64th_image_of_the_splits_file_unranked() -> None:
    whole = dataclasses.replace(RELEASED, batches_of=None)
    data = images(2778, captions=1)
    unranked = [image.image_id for image in searched(data, whole, 2778, 1, 42) if not image.ranked]
    assert unranked == data.image_ids[::64] and len(unranked) == 44


def test_fewer_images_are_the_same_sample_in_either_order_and_unranked_by_their_place_in_the_file() -> None:
    data = images(2778, captions=1)
    by_hash = searched(data, PAPER, 640, 1, 42)
    by_split = searched(data, RELEASED, 640, 1, 42)
    assert [i.image_id for i in by_hash] == [data.image_ids[row] for row in hash_order(data.image_ids)[:640]]
    rows = sorted(hash_order(data.image_ids)[:640])
    assert [i.image_id for i in by_split] == [data.image_ids[row] for row in rows]
    assert {i.image_id for i in by_split if not i.ranked} == {i.image_id for i in by_hash} & set(data.image_ids[::64])


def test_random_captions_are_all_ten_and_depend_on_seed_and_b_only() -> None:
    drawn = random_captions("42 an image", 2000, 10)
    counts = np.bincount(drawn, minlength=10)
    assert counts.min() > 140 and counts.max() < 270  # 200 each, ±4 standard deviations
    np.testing.assert_array_equal(random_captions("42 an image", 50, 10), drawn[:50])
    data = images(3)
    first, again, other = (searched(data, dataclasses.replace(RELEASED, batches_of=None), 3, 30, s) for s in (1, 1, 2))
    for a, b, c in zip(first, again, other, strict=True):
        assert (a.caption == b.caption).all() and (a.caption != c.caption).any()


def test_labels_are_ranked_once_for_the_whole_experiment() -> None:
    data = images(40)
    runs = [searched(data, RELEASED, 40, b_max, seed) for b_max, seed in ((30, 42), (30, 43), (5, 44))]
    chosen = [[int(image.ranked_by[0]) for image in run] for run in runs]
    assert chosen[0] == chosen[1] == chosen[2] and len(set(chosen[0])) > 3
    assert all(len(set(image.ranked_by.tolist())) == 1 for run in runs for image in run)


def test_a_searched_ranking_follows_the_caption() -> None:
    followed = searched(images(40), dataclasses.replace(RELEASED, ranking="searched"), 40, 30, 1)
    assert all((image.ranked_by == image.caption).all() for image in followed)
    assert all(len(set(image.caption.tolist())) > 1 for image in followed)


def test_given_rankings_take_the_place_of_those_by_captions(world: zeroshot.World) -> None:
    given = {world.test.image_ids[0]: np.arange(1000)[::-1]}
    found = searched(world.test, RELEASED, len(world.test), 4, 42, given)
    assert [image.image_id for image in found if image.ranked] == [world.test.image_ids[0]]
    ranked, unranked = world.tasks(found[:2])
    assert ranked.top(3, 1, 5).tolist() == [[999, 998, 997]] * 4
    assert unranked.top(3, 1, 5).shape == (4, 1000)


def test_captions_are_stripped_lower_cased_and_cut() -> None:
    text = "  A Bird " + "x" * 100
    assert cut(text, RELEASED) == "a bird " + "x" * 63
    assert cut(text, PAPER) == text


def test_label_prompts() -> None:
    paper, released = label_prompts(PAPER), label_prompts(RELEASED)
    assert (paper[2], paper[134], paper[264]) == (
        "An image of great white shark",
        "An image of crane bird",
        "An image of Cardigan Welsh corgi",
    )
    assert released[2] == "an image of great_white_shark"
    assert released[134] == released[517] == "an image of crane" and released[638] == released[639]


def test_the_papers_1000_sentences_are_1000_to_clip(world: zeroshot.World) -> None:
    assert len(torch.unique(world.clip.tokenise(label_prompts(PAPER))[0], dim=0)) == 1000
    openai = open_clip.get_tokenizer("ViT-B-32-quickgelu")
    assert len(torch.unique(openai(label_prompts(PAPER)), dim=0)) == 1000
    assert len(torch.unique(openai(label_prompts(RELEASED)), dim=0)) == 997  # crane, maillot; cardigan, lower-cased


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


def test_a_plain_resize_is_bilinear_without_anti_aliasing_and_without_a_clamp(cache: object) -> None:
    plain = protocol_world(cache, dataclasses.replace(PAPER, clip_resize="bilinear", clip_normalisation=False)).clip
    stripes = torch.tensor([-1.0, 1.0]).repeat(64)[None, None, None].expand(1, 3, 128, 128).contiguous()
    halved = plain.prepare(stripes)  # 128 -> 64: each pixel the mean of 2 x 2
    torch.testing.assert_close(halved, torch.zeros(1, 3, 64, 64))
    third = torch.randn(1, 3, 192, 192) * 3  # 192 -> 64: each pixel the middle one of 3 x 3; anti-aliasing takes all
    torch.testing.assert_close(plain.prepare(third), third[:, :, 1::3, 1::3])


def test_saved_pictures_are_cut_bytes_of_the_resized_tensor(world: zeroshot.World, cache: object) -> None:
    images = torch.linspace(-1.2, 1.2, 3 * 32 * 32).reshape(1, 3, 32, 32)
    assert as_saved(world.clip, PAPER)(images).shape == (1, 32, 32, 3)
    released = protocol_world(cache, RELEASED).clip
    expected = torch.nn.functional.interpolate(images, size=224, mode="bilinear", align_corners=False)[0]
    bytes_ = np.clip((expected.numpy() + 1) / 2.0 * 256, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    np.testing.assert_array_equal(as_saved(released, RELEASED)(images)[0].numpy(), bytes_)
    one = torch.tensor([-1.0, 0.0, 0.999, 1.0]).reshape(1, 1, 2, 2).expand(1, 3, 2, 2)
    assert floored(one)[0, :, :, 0].flatten().tolist() == [0, 128, 255, 255]
    assert to_bytes(one)[0, :, :, 0].flatten().tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize(
    ("protocol", "precision", "device", "computes"),
    [
        (RELEASED, "fp32", "cuda", "fp16"),
        (RELEASED, "fp32", "cpu", "fp32"),
        (RELEASED, "bf16", "cuda", "bf16"),
        (PAPER, "fp32", "cuda", "fp32"),
    ],
)
def test_clip_is_halved_on_a_gpu_only(protocol: ProtocolSettings, precision: str, device: str, computes: str) -> None:
    settings = dataclasses.replace(default_run("miniature", "sagan"), protocol=protocol, precision=precision)
    models = Models.__new__(Models)
    models.settings, models.device = settings, torch.device(device)
    assert models.clip_precision == computes


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
