"""BigGAN: the wrapper against the library's own forward, its statistics, its latents, and the trainable twin."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from pytorch_pretrained_biggan import BigGAN as LibraryBigGAN
from pytorch_pretrained_biggan import BigGANConfig

from zeroshot.errors import EnvironmentFailure
from zeroshot.miniature.training.biggan import truncated_normals
from zeroshot.miniature.training.biggan_twin import fill_statistics, store_statistics, synthesise, trainable
from zeroshot.models.generators.biggan import BigGAN, statistics_at

CONFIG = {
    "output_dim": 32,  # 4 pixels, doubled three times
    "z_dim": 12,
    "class_embed_dim": 12,
    "channel_width": 8,
    "num_classes": 20,
    "layers": [[True, 16, 8], [True, 8, 4], [True, 4, 2], [False, 2, 1]],
    "attention_layer_position": 2,
    "eps": 1e-4,
    "n_stats": 51,
}


@pytest.fixture(scope="module")
def twin() -> LibraryBigGAN:
    torch.manual_seed(0)
    model = trainable(BigGANConfig.from_dict(CONFIG))
    model.train()
    for _ in range(10):
        synthesise(model, torch.randn(32, 12), torch.randn(32, 12))  # spectral norm's vectors settle
    return model


@pytest.fixture(scope="module")
def state(twin: LibraryBigGAN) -> dict[str, torch.Tensor]:
    table = twin.embeddings.weight.T.detach()

    def draw(batch: int, truncation: float) -> tuple[torch.Tensor, torch.Tensor]:
        rng = torch.Generator().manual_seed(batch)
        classes = torch.randint(20, (128,), generator=rng)
        return truncation * truncated_normals(torch.Size([128, 12]), rng), table[classes]

    store_statistics(twin, draw, batches=2)  # the row that training would have left
    fill_statistics(twin, draw, batches=2)
    return twin.state_dict()


@pytest.mark.parametrize("truncation", [0.4, 1.0])
@torch.inference_mode()
def test_equals_the_librarys_forward(state: dict[str, torch.Tensor], truncation: float) -> None:
    library = LibraryBigGAN(BigGANConfig.from_dict(CONFIG))
    library.load_state_dict(state)
    library.eval().double()  # folding is done in fp32: what differs is its rounding
    ours = BigGAN(CONFIG, state, truncation).double()
    rng = torch.Generator().manual_seed(3)
    z, y = torch.randn(7, 12, generator=rng, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 19, 3, 3])
    theirs = library(z, F.one_hot(y, 20).double(), truncation)
    torch.testing.assert_close(ours(z, y), theirs, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_the_twins_batch_statistics_become_the_tables(twin: LibraryBigGAN, state: dict[str, torch.Tensor]) -> None:
    rng = torch.Generator().manual_seed(5)
    classes = torch.randint(20, (512,), generator=rng)
    z = truncated_normals(torch.Size([512, 12]), rng)
    by_batch = synthesise(twin, z, twin.embeddings.weight.T[classes])
    by_table = BigGAN(CONFIG, state, 1.0)(z, classes)
    assert (by_batch - by_table).abs().mean() < 0.25 * by_batch.std()  # an untrained network amplifies sampling noise


@pytest.mark.parametrize(
    "row", [7, 14, 20, 28, 29, 47, 50]
)  # 0.14, 0.28, 0.56, 0.58, 0.94: the library takes a neighbour
def test_statistics_at_multiples_of_the_step_are_the_rows(row: int) -> None:
    table = torch.arange(51.0)[:, None].expand(51, 3)
    torch.testing.assert_close(statistics_at(table, row * 0.02), table[row])


@pytest.mark.parametrize("truncation", [0.41, 0.407, 0.999, 0.021])
def test_statistics_between_rows_are_interpolated_the_right_way_round(truncation: float) -> None:
    table = torch.arange(51.0)[:, None] * 0.02
    torch.testing.assert_close(statistics_at(table, truncation), torch.tensor([truncation]), atol=1e-6, rtol=0)


def test_latents(state: dict[str, torch.Tensor]) -> None:
    uniforms = torch.rand(4000, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    normal = BigGAN(CONFIG, state).latent(uniforms)
    assert normal.abs().max() > 3 and abs(float(normal.std()) - 1) < 0.02
    truncated = BigGAN(CONFIG, state, 0.4).latent(uniforms)
    assert float(truncated.abs().max()) <= 0.8
    assert abs(float(truncated.std()) - 0.4 * 0.8796) < 0.005  # of a normal cut at ±2: 0.8796
    assert (
        BigGAN(CONFIG, state, 0.4).latent(torch.tensor([[1e-17, 1 - 1e-16] * 6], dtype=torch.float64)).isfinite().all()
    )


@pytest.mark.parametrize("truncation", [0, -0.1, 1.01])
def test_impossible_truncations_are_refused(state: dict[str, torch.Tensor], truncation: float) -> None:
    with pytest.raises(ValueError, match=f"truncation = {truncation}"):
        BigGAN(CONFIG, state, truncation)


def test_a_checkpoint_that_does_not_fit_is_refused_by_name(state: dict[str, torch.Tensor]) -> None:
    broken = dict(state)
    broken.pop("generator.gen_z.bias")
    broken["generator.other"] = torch.ones(1)
    with pytest.raises(EnvironmentFailure, match=r"missing: generator\.gen_z\.bias; unexpected: generator\.other"):
        BigGAN(CONFIG, broken)


@torch.inference_mode()
def test_same_row_same_image_whatever_the_batch(state: dict[str, torch.Tensor]) -> None:
    model = BigGAN(CONFIG, state).double()  # an untrained network amplifies fp32's rounding
    z, y = torch.randn(9, 12, generator=torch.Generator().manual_seed(4)).double(), torch.arange(9)
    whole = model(z, y)
    alone = torch.cat([model(z[i : i + 1], y[i : i + 1]) for i in range(9)])
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=1e-4)
