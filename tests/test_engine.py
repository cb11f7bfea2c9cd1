from __future__ import annotations

import numpy as np
import pytest

import zeroshot
from zeroshot.engine import Engine, addresses


@pytest.mark.parametrize("generator", ["sagan", "biggan"])
def test_same_address_same_image_whatever_the_batch(world: zeroshot.World, generator: str) -> None:
    model = world.generator(generator)
    where = addresses(42, "some image", 1, 12, np.arange(1000), model.z_dim)
    reference = Engine(model, world.clip, batch_size=1)
    images = np.concatenate([part.cpu().numpy()[: rows.stop - rows.start] for rows, part in reference.images(where)])
    for batch_size in (3, 11, 64):
        engine = Engine(model, world.clip, batch_size)
        ours = np.concatenate([part.cpu().numpy()[: rows.stop - rows.start] for rows, part in engine.images(where)])
        np.testing.assert_allclose(ours, images, atol=1e-5)
        np.testing.assert_allclose(engine.embed(where), reference.embed(where), atol=1e-5)


def test_neighbours_and_place_do_not_change_a_bit_at_one_batch_size(world: zeroshot.World) -> None:
    engine = world.engine("sagan", 16)
    z_dim = engine.generator.z_dim
    one = addresses(1, "a", 1, 5, np.arange(1000), z_dim)
    other = addresses(1, "b", 1, 30, np.arange(1000), z_dim)
    together = engine.embed(type(one).join([other, one]))
    np.testing.assert_array_equal(together[-4:], engine.embed(one))


def test_no_addresses_no_embeddings(world: zeroshot.World) -> None:
    engine = world.engine("sagan")
    assert engine.embed(addresses(1, "a", 1, 1, np.arange(3), engine.generator.z_dim)).shape == (
        0,
        world.clip.embed_dim,
    )
