"""Gradients of scores against a scalar program's and finite differences, and what cannot be differentiated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import ndtr
from torch import nn

import zeroshot
from zeroshot.errors import UserError
from zeroshot.searching.engine import Addresses
from zeroshot.searching.gradients import UNIFORMS, augmented, check_differentiable, scores_and_gradients
from zeroshot.searching.strategies.base import Candidates

NONE = np.empty((5, 0, UNIFORMS))


@pytest.fixture(scope="module")
def text(world: zeroshot.World) -> np.ndarray:
    return world.clip.encode_text(["a small blue bird"] * 5).numpy()


def candidates(z_dim: int, n: int = 5) -> Candidates:
    rng = np.random.default_rng(0)
    return Candidates(rng.standard_normal((n, z_dim)), rng.integers(1000, size=n))


@pytest.mark.parametrize("name", ["sagan", "biggan"])
def test_equals_autograd_of_a_program_of_one_image(world: zeroshot.World, text: np.ndarray, name: str) -> None:
    engine = world.engine(name, 8)
    ours = candidates(engine.generator.z_dim)
    score, gradients = scores_and_gradients(engine, ours, text, NONE)
    for row in range(5):
        z = torch.tensor(ours.z[row : row + 1], dtype=torch.float32, requires_grad=True)
        image = engine.generator(z, torch.tensor(ours.class_index[row : row + 1]))
        vector = world.clip.model.encode_image(world.clip.prepare(image))[0]
        cosine = vector @ torch.from_numpy(text[row]) / vector.norm()
        cosine.backward()
        assert score[row] == pytest.approx(float(cosine.detach()), abs=1e-5)
        assert z.grad is not None
        np.testing.assert_allclose(gradients.z[row], z.grad[0], atol=1e-5)
    plain = engine.scores(Addresses(ndtr(ours.z), ours.class_index), text)
    np.testing.assert_array_equal(score, plain)  # the same bits as without gradients


def test_a_gradient_does_not_depend_on_its_neighbours(world: zeroshot.World, text: np.ndarray) -> None:
    engine = world.engine("sagan", 4)
    ours = candidates(engine.generator.z_dim)
    copies = np.random.default_rng(1).random((5, 2, UNIFORMS))
    score, gradients = scores_and_gradients(engine, ours, text, copies)
    alone, own = scores_and_gradients(engine, ours[4:5], text[4:5], copies[4:5])
    assert alone[0] == score[4]
    np.testing.assert_array_equal(own.z[0], gradients.z[4])


def test_a_mixture_of_one_class_is_the_class_and_its_gradient_tells_of_others(
    world: zeroshot.World, text: np.ndarray
) -> None:
    engine = world.engine("biggan", 8)
    ours = candidates(engine.generator.z_dim)
    weights = np.eye(1000)[ours.class_index]
    mixed = Candidates(ours.z, ours.class_index, weights)
    score, gradients = scores_and_gradients(engine, mixed, text, NONE)
    plain, single = scores_and_gradients(engine, ours, text, NONE)
    np.testing.assert_allclose(score, plain, atol=1e-6)
    np.testing.assert_allclose(gradients.z, single.z, atol=1e-6)
    assert gradients.class_weights is not None
    step, other = 1e-3, 14  # some of the weight goes to the indigo bunting

    def moved(sign: int) -> np.ndarray:
        weights = mixed.class_weights.copy()  # type: ignore[union-attr]
        weights[:, other] += sign * step
        return scores_and_gradients(engine, Candidates(ours.z, ours.class_index, weights), text, NONE)[0]

    slope = (moved(1) - moved(-1)) / (2 * step)
    np.testing.assert_allclose(gradients.class_weights[:, other], slope, atol=0.02)


def test_copies_are_windows_of_the_image() -> None:
    images = torch.arange(36.0).reshape(1, 1, 6, 6).expand(1, 3, 6, 6)
    whole = torch.tensor([[1.0, 0.5, 0.5, 0.0]])
    torch.testing.assert_close(augmented(images, whole), images)
    torch.testing.assert_close(augmented(images, torch.tensor([[1.0, 0.5, 0.5, 1.0]])), images.flip(3))
    small = augmented(images, torch.tensor([[0.0, 0.5, 0.5, 0.0]]))  # the middle 3/4, enlarged
    assert small.shape == images.shape and small.min() > images.min() and small.max() < images.max()


class Rounded(nn.Module):
    """Sound images whose steps no gradient sees."""

    z_dim, num_classes, image_size = 4, 1000, 32

    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        grey = torch.tanh(z.sum(dim=1) + class_index / 500).mul(8).round().div(8)
        return grey[:, None, None, None].expand(-1, 3, 32, 32)


class Detached(Rounded):
    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return super().forward(z, class_index)


class Smooth(Rounded):
    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        ramp = torch.linspace(-1, 1, 32, device=z.device)
        image = torch.tanh(z[:, :3, None, None] + z[:, 3:, None, None] * ramp + class_index[:, None, None, None] / 999)
        return image.expand(-1, 3, 32, 32)


@pytest.mark.parametrize("kind", [Rounded, Detached])
def test_what_cannot_be_differentiated_is_told_and_searched_otherwise(cache: object, kind: type[nn.Module]) -> None:
    world = zeroshot.load_world("miniature", device="cpu", cache=cache)  # type: ignore[arg-type]
    world.add_generator("mine", kind().eval())
    with pytest.raises(UserError, match=r"^refine = gradient, but PyTorch cannot differentiate generator 'mine' by z"):
        zeroshot.search(world, "a bird", generator="mine", b_max=13, refine="gradient")
    result = zeroshot.search(world, "a bird", generator="mine", b_max=24, refine="evolution")
    assert result.paid.tolist() == list(range(1, 25)) and len(result.scores) == 24


def test_a_generator_of_ones_own_is_differentiated_but_takes_no_mixture(cache: object) -> None:
    world = zeroshot.load_world("miniature", device="cpu", cache=cache)  # type: ignore[arg-type]
    world.add_generator("mine", Smooth().eval())
    check_differentiable(world.engine("mine", 4))
    result = zeroshot.search(world, "a bird", generator="mine", b_max=25, refine="gradient")
    assert result.paid.tolist() == [*range(1, 11), 13, 16, 19, 22, 25]
    mixture = zeroshot.strategy_settings.GradientRefinement(mixture=True)
    with pytest.raises(UserError, match=r"refine.mixture = true, but generator 'mine' takes no mixtures of classes"):
        zeroshot.search(world, "a bird", generator="mine", b_max=25, refine=mixture)
