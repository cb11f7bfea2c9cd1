"""The renderer: range, purity of its rows, smoothness, and colours that a person would name."""

from __future__ import annotations

import pytest
import torch

from zeroshot.miniature.attributes import ATTRIBUTE_DIM, BUILDS, COLOURS, SILHOUETTES, Bird, Object, encode
from zeroshot.miniature.label_things import BIRD_LABELS, label_things
from zeroshot.miniature.renderer import CLUTTER_DIM, NUISANCE_DIM, render
from zeroshot.worlds.labels import read_labels


def batch(n: int = 12) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Attributes of every kind of thing, nuisances and clutter."""
    rng = torch.Generator().manual_seed(0)
    rows = encode([label_things()[i] for i in torch.randint(1000, (n,), generator=rng).tolist()])
    return rows, torch.randn(n, NUISANCE_DIM, generator=rng), torch.randn(n, CLUTTER_DIM, generator=rng)


@pytest.mark.parametrize("size", [32, 64, 96])
def test_range_and_shape(size: int) -> None:
    attributes, nuisance, clutter = batch()
    for images in (render(attributes, nuisance, size=size), render(attributes, 5 * nuisance, 5 * clutter, size=size)):
        assert images.shape == (12, 3, size, size) and images.dtype == torch.float32
        assert images.isfinite().all() and images.min() >= -1 and images.max() <= 1


def test_a_row_depends_on_its_own_inputs_only() -> None:
    attributes, nuisance, clutter = batch()
    together = render(attributes, nuisance, clutter)
    alone = torch.cat([render(attributes[i : i + 1], nuisance[i : i + 1], clutter[i : i + 1]) for i in range(12)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    backwards = render(attributes.flip(0), nuisance.flip(0), clutter.flip(0)).flip(0)
    torch.testing.assert_close(together, backwards, atol=1e-6, rtol=0)


def test_smooth_in_the_nuisance() -> None:
    attributes, nuisance, _ = batch(40)
    step = torch.randn(nuisance.shape, generator=torch.Generator().manual_seed(1))
    base = render(attributes, nuisance)
    small = (render(attributes, nuisance + 1e-3 * step) - base).abs()
    assert small.max() < 0.1 and small.mean() < 1e-3


def test_individuals_of_a_class_differ() -> None:
    attributes = encode([label_things()[14]]).expand(16, -1)
    images = render(attributes, torch.randn(16, NUISANCE_DIM, generator=torch.Generator().manual_seed(2)))
    assert images.std(dim=0).mean() > 0.1


@pytest.mark.parametrize(
    ("attributes", "nuisance", "clutter"),
    [((3, ATTRIBUTE_DIM - 1), (3, NUISANCE_DIM), None), ((3, ATTRIBUTE_DIM), (3, 2), None),
     ((3, ATTRIBUTE_DIM), (2, NUISANCE_DIM), None), ((3, ATTRIBUTE_DIM), (3, NUISANCE_DIM), (3, 1))],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(attributes: tuple, nuisance: tuple, clutter: tuple | None) -> None:
    with pytest.raises(ValueError, match=r"\d"):
        render(torch.zeros(attributes), torch.zeros(nuisance), None if clutter is None else torch.zeros(clutter))


def foreground(thing: Bird | Object) -> torch.Tensor:
    """Colours [pixels, 3] in [0, 1] of the mean picture where it differs from its background."""
    image = render(encode([thing]), torch.zeros(1, NUISANCE_DIM))[0] / 2 + 0.5  # [3, S, S]
    background = image[:, :, :1]
    mask = (image - background).abs().amax(dim=0) > 0.12
    return image[:, mask].T


def share(pixels: torch.Tensor, colour: str) -> float:
    """Share of pixels whose nearest named colour is `colour`."""
    palette = torch.tensor(list(COLOURS.values()))
    nearest = torch.cdist(pixels, palette).argmin(dim=1)
    return float((nearest == list(COLOURS).index(colour)).float().mean())


@pytest.mark.parametrize(
    ("label", "colour", "least"),
    [("goldfinch", "yellow", 0.25), ("goldfinch", "black", 0.2), ("indigo bunting", "blue", 0.5),
     ("flamingo", "pink", 0.4), ("bald eagle", "brown", 0.35), ("bald eagle", "white", 0.15),
     ("black swan", "black", 0.7), ("macaw", "red", 0.3),
     ("sulphur-crested cockatoo", "white", 0.5), ("house finch", "red", 0.12), ("American egret", "white", 0.5),
     ("ostrich", "black", 0.4), ("lemon", "yellow", 0.4), ("tennis ball", "yellow", 0.25), ("strawberry", "red", 0.4)],
)  # fmt: skip
def test_colours_that_a_person_would_name(label: str, colour: str, least: float) -> None:
    assert share(foreground(label_things()[read_labels().index(label)]), colour) > least


def test_every_build_and_silhouette_has_a_picture_of_its_own() -> None:
    birds = [Bird(build=build) for build in BUILDS]
    objects = [Object(name, (0.8, 0.2, 0.2), (0.2, 0.3, 0.8)) for name in SILHOUETTES]
    for group in (birds, objects):
        images = render(encode(group), torch.zeros(len(group), NUISANCE_DIM)).flatten(1)
        distance = torch.cdist(images, images) + 1e3 * torch.eye(len(group))
        assert distance.min() > 3  # of pictures whose norm is about 40


def test_labels_are_birds_where_imagenet_has_birds() -> None:
    things = label_things()
    assert len(things) == 1000
    assert set(BIRD_LABELS) == {*range(7, 25), *range(80, 101), *range(127, 147)} and len(BIRD_LABELS) == 59
    assert [i for i, thing in enumerate(things) if isinstance(thing, Bird)] == list(BIRD_LABELS)
    rows = encode(things)
    assert rows.shape == (1000, ATTRIBUTE_DIM) and rows.min() >= 0 and rows.max() <= 1


def test_no_two_labels_look_alike() -> None:
    rows = encode(label_things())
    distance = torch.cdist(rows, rows) + torch.eye(1000)
    assert distance.min() > 0.1
