"""Algorithm 1 against a scalar loop written from the paper's pseudo-code, and its properties."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zeroshot
from zeroshot.data.text import cleaned
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models.clip import Clip
from zeroshot.models.generators.base import Generator

FIGURE3 = (
    "small chubby bird with a blue body, and bluish green wings and tail",
    "a bright orange bird with a small orange beak and a black throat",
    "this short billed bird has a yellow throat with a greenish malar stripe",
)


def algorithm_1(
    clip: Clip, generator: Generator, labels: tuple[str, ...], caption: str, k: int, b_max: int, seed: int, name: str
) -> tuple[float, int, list[float], list[int]]:
    """The pseudo-code line by line, one image at a time, on nothing but the two models and the definition of a draw."""
    h_txt = clip.encode_text([caption])[0].double()
    similarity = [float(clip.encode_text([f"An image of {label}"])[0].double() @ h_txt) for label in labels]
    by_similarity = sorted(range(len(labels)), key=lambda i: (-similarity[i], i))
    top = by_similarity[:k]
    key = np.frombuffer(hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=16).digest(), dtype="<u8")
    words_per_draw = 4 * int(np.ceil((1 + generator.z_dim) / 4))
    words = np.random.Philox(key=key.astype(np.uint64)).random_raw(b_max * words_per_draw)
    best, best_b, scores, drawn = -np.inf, 0, [], []
    for b in range(1, b_max + 1):
        raw = words[(b - 1) * words_per_draw :][: 1 + generator.z_dim]
        u = [((int(word) >> 11) + 0.5) / 2**53 for word in raw]
        y = top[int(np.floor(u[0] * k))]
        z = torch.special.ndtri(torch.tensor(u[1:], dtype=torch.float64)).float()
        with torch.inference_mode():
            x = generator(z[None], torch.tensor([y]))
            score = float(clip.encode_images(x)[0].double() @ h_txt)
        if score > best:
            best, best_b = score, b
        scores.append(score)
        drawn.append(y)
    return best, best_b, scores, drawn


@pytest.mark.parametrize("generator", ["sagan", "biggan"])
@pytest.mark.parametrize("k", [1, 10, 1000])
def test_equals_the_papers_pseudo_code(world: zeroshot.World, generator: str, k: int) -> None:
    caption = FIGURE3[1]
    ours = zeroshot.search(world, caption, generator=generator, k=k, b_max=12, seed=7)
    best, best_b, scores, drawn = algorithm_1(
        world.clip, world.generator(generator), world.labels, caption, k, 12, 7, caption
    )
    np.testing.assert_allclose(ours.scores, scores, atol=1e-5)
    assert ours.b == best_b
    assert ours.score == pytest.approx(best, abs=1e-5)
    assert ours.label == world.labels[drawn[best_b - 1]]


@pytest.mark.parametrize("prompt", FIGURE3)
def test_any_sentence_gives_an_image_of_one_of_its_top_labels(world: zeroshot.World, prompt: str) -> None:
    result = zeroshot.search(world, prompt, generator="biggan", k=10, b_max=20, seed=0)
    assert result.image.size == (64, 64) and result.image.mode == "RGB"
    assert result.label in result.labels and len(result.labels) == 10
    assert result.scores.dtype == np.float32 and result.scores.shape == (20,)
    assert result.score == pytest.approx(result.scores.max(), abs=1e-6)
    assert result.scores[result.b - 1] == result.scores.max()


def test_the_returned_image_has_the_returned_score(world: zeroshot.World) -> None:
    result = zeroshot.search(world, FIGURE3[0], generator="sagan", k=20, b_max=10, seed=3)
    pixels = torch.from_numpy(np.array(result.image)).permute(2, 0, 1)[None].float() / 127.5 - 1
    again = world.clip.encode_images(pixels)[0].double() @ world.clip.encode_text([FIGURE3[0]])[0].double()
    assert float(again) == pytest.approx(result.score, abs=5e-3)  # the image is rounded to 8 bits


@given(text=st.text(min_size=1).filter(lambda text: cleaned(text).strip()))
@pytest.mark.filterwarnings("ignore:the prompt")
@settings(max_examples=10, deadline=None)
def test_any_text_can_be_searched_for(world: zeroshot.World, text: str) -> None:
    result = zeroshot.search(world, text, generator="sagan", k=3, b_max=2, seed=1)
    assert np.isfinite(result.scores).all()


def test_k_1000_sees_all_labels(world: zeroshot.World) -> None:
    result = zeroshot.search(world, FIGURE3[0], generator="sagan", k=1000, b_max=1)
    assert sorted(result.labels) == sorted(world.labels)


def test_same_seed_same_scores_other_seed_others(world: zeroshot.World) -> None:
    first, again, other = (
        zeroshot.search(world, FIGURE3[2], generator="sagan", k=10, b_max=6, seed=seed).scores for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k = 0, but this world has 1,000 labels"),
        ({"k": 2000}, "k = 2000, but this world has 1,000 labels"),
        ({"b_max": 0}, "b_max = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"generator": "stylegan"}, "generator = 'stylegan', but world 'miniature' has sagan, biggan"),
    ],
)
def test_impossible_settings_are_refused_with_both_numbers(
    world: zeroshot.World, arguments: dict, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        zeroshot.search(world, "a bird", **arguments)


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_refused(world: zeroshot.World, prompt: str) -> None:
    with pytest.raises(UserError, match="at least one word"):
        zeroshot.search(world, prompt)


def test_a_long_prompt_is_cut_with_a_warning_that_says_where(world: zeroshot.World) -> None:
    prompt = "a small bird with a very long description " * 20
    with pytest.warns(UserWarning, match="cut before '.*' \\(character \\d+ of 840\\)"):
        zeroshot.search(world, prompt, k=1, b_max=1)


def test_a_nan_score_stops_the_run_and_names_its_address(
    world: zeroshot.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = world.generator("sagan")
    real = type(generator).forward

    def broken(self: Generator, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        images = real(self, z, class_index)
        images[3] = torch.nan
        return images

    monkeypatch.setattr(type(generator), "forward", broken)
    with pytest.raises(EnvironmentFailure, match=r"score nan of SAGAN at seed 9, caption of a bird, b = 4, class \d+"):
        zeroshot.search(world, "a bird", generator="sagan", k=10, b_max=8, seed=9)
