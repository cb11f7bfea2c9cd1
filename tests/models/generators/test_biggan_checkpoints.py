"""BigGAN-deep from saved folders at full size, against the library's own forward, and files that do not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from pytorch_pretrained_biggan import BigGAN as LibraryBigGAN
from pytorch_pretrained_biggan import BigGANConfig
from pytorch_pretrained_biggan.model import CONFIG_NAME, WEIGHTS_NAME, BigGANBatchNorm

from tests.goldens.inputs import BIGGAN
from tests.models.generators.test_sagan_checkpoints import filled
from zeroshot.errors import UserError
from zeroshot.models.checkpoints import BIGGAN_FILES, load_biggan_folder, read_biggan_config, read_checkpoint
from zeroshot.models.generators.biggan import BigGAN, FusedBatchNorm
from zeroshot.storage.paths import resolve

CONFIG_256, CONFIG_512 = (BigGANConfig(**BIGGAN[size]).to_dict() for size in (256, 512))
SMALL = BigGANConfig(output_dim=16, z_dim=8, class_embed_dim=8, channel_width=8, num_classes=5).to_dict()
SMALL |= {"layers": [[True, 16, 2], [True, 2, 1]], "attention_layer_position": 1}


def shapes_of(config: dict) -> dict[str, tuple[int, ...]]:
    """Keys and shapes as the installed library defines them."""
    with torch.device("meta"):
        library = LibraryBigGAN(BigGANConfig.from_dict(config))
    return {key: tuple(tensor.shape) for key, tensor in library.state_dict().items()}


def saved(folder: Path, config: dict, zip_format: bool) -> Path:
    """A folder that the library's from_pretrained accepts."""
    folder.mkdir(exist_ok=True)
    (folder / CONFIG_NAME).write_text(json.dumps(config, indent=2), encoding="utf-8")
    state = filled(shapes_of(config), seed=0)
    for key in [key for key in state if key.endswith("running_vars")]:
        state[key] *= 1.5  # so that the deep network's activations neither fade nor saturate
    torch.save(state, folder / WEIGHTS_NAME, _use_new_zipfile_serialization=zip_format)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("biggan") / "small", SMALL, zip_format=True)


@pytest.fixture
def folder(tmp_path: Path, small: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(small, tmp_path / "biggan"))


def test_the_files_are_the_librarys() -> None:
    assert set(BIGGAN_FILES) == {CONFIG_NAME, WEIGHTS_NAME}


@pytest.mark.slow
def test_biggan_deep_256_at_full_size_gives_the_librarys_images(tmp_path: Path) -> None:
    folder = saved(tmp_path / "biggan-deep-256", CONFIG_256, zip_format=False)  # of 2019, as the published files are
    library = LibraryBigGAN.from_pretrained(str(folder)).eval()
    config, state = load_biggan_folder(folder)
    rng = torch.Generator().manual_seed(1)
    z, y = torch.randn(1, 128, generator=rng), torch.tensor([281])
    seen = []
    with torch.inference_mode():
        for truncation in (0.4, 1.0):
            theirs = library(truncation * z, F.one_hot(y, 1000).float(), truncation)
            ours = BigGAN(config, state, truncation, str(folder), UserError)(truncation * z, y)
            assert ours.shape == (1, 3, 256, 256) and theirs.std() > 0.05 and (theirs.abs() > 0.99).float().mean() < 0.2
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
            seen.append(ours)
    assert (seen[0] - seen[1]).abs().max() > 0.05


def test_a_folder_loads_as_a_file_and_a_configuration(small: Path) -> None:
    config, state = load_biggan_folder(small)
    assert config == json.loads((small / CONFIG_NAME).read_text()) == read_biggan_config(small / CONFIG_NAME)
    alone = read_checkpoint(small / WEIGHTS_NAME)
    assert state.keys() == alone.keys() and all(torch.equal(state[key], alone[key]) for key in state)
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == shapes_of(SMALL)


def test_the_packaged_configuration_is_biggan_deep_256s() -> None:
    assert shapes_of(read_biggan_config(resolve("package:generators/biggan-deep-256.json"))) == shapes_of(CONFIG_256)


@pytest.mark.parametrize(
    ("config", "millions"), [(BigGANConfig().to_dict(), 50.4), (CONFIG_256, 55.9), (CONFIG_512, 56.2)]
)
def test_every_size_has_its_keys_and_no_other_ones(config: dict, millions: float) -> None:
    shapes = shapes_of(config)
    statistics = ("running_means", "running_vars", ".weight_u", ".weight_v")
    count = sum(torch.Size(shape).numel() for key, shape in shapes.items() if not key.endswith(statistics))
    assert round(count / 1e6, 1) == millions
    others = {c["output_dim"]: shapes_of(c) for c in (BigGANConfig().to_dict(), CONFIG_256, CONFIG_512)}
    del others[config["output_dim"]]
    assert all(shapes != other for other in others.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("generator.gen_z.bias"), r"missing: generator\.gen_z\.bias$"),
        (lambda s: s.pop("generator.bn.running_vars"), r"missing: generator\.bn\.running_vars$"),
        (lambda s: s.update(step=torch.ones(1)), r"unexpected: step$"),
        (
            lambda s: s.update({"generator.bn.running_vars": torch.ones(50, 8)}),
            r"mis-shaped: generator\.bn\.running_vars \[50, 8\] instead of \[51, 8\]$",
        ),
    ],
)
def test_what_the_library_would_load_all_the_same_is_refused(
    folder: Path, change: Callable[[dict], object], message: str
) -> None:
    state = torch.load(folder / WEIGHTS_NAME, weights_only=True)
    change(state)
    torch.save(state, folder / WEIGHTS_NAME)
    config, read = load_biggan_folder(folder)
    with pytest.raises(UserError, match=message) as caught:
        BigGAN(config, read, 0.4, str(folder), UserError)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(folder))


@pytest.mark.parametrize("kept", [0, 100, 0.5, -1])
@pytest.mark.parametrize("zip_format", [True, False])
def test_a_truncated_file_is_refused(folder: Path, kept: float, zip_format: bool) -> None:
    path = saved(folder, SMALL, zip_format) / WEIGHTS_NAME
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(UserError, match=r"pytorch_model\.bin") as caught:
        load_biggan_folder(folder)
    assert "\n" not in str(caught.value) and "weights_only" not in str(caught.value)


@pytest.mark.parametrize("name", BIGGAN_FILES)
def test_a_folder_without_one_of_its_files_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"has no {name}: it must hold both"):
        load_biggan_folder(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("\udcff", "cannot be read"),
        ("[1]", "at fault: a value of type list"),
        (json.dumps({k: v for k, v in SMALL.items() if k != "n_stats"}), "at fault: n_stats$"),
        (json.dumps(SMALL | {"model_type": "biggan"}), "at fault: model_type$"),
        (json.dumps(SMALL | {"z_dim": "128"}), "z_dim = '128'"),
        (json.dumps(SMALL | {"n_stats": 0}), "n_stats = 0"),
        (json.dumps(SMALL | {"output_dim": True}), "output_dim = True"),
        (json.dumps(SMALL | {"layers": [[1, 4, 2]]}), "layers ="),
        (json.dumps(SMALL | {"layers": []}), "layers ="),
        (json.dumps(SMALL | {"eps": -1.0}), "eps = -1.0"),
    ],
)
def test_a_configuration_that_is_none_is_refused_by_field(folder: Path, text: str, message: str) -> None:
    (folder / CONFIG_NAME).write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UserError, match=rf"config\.json.*{message}") as caught:
        load_biggan_folder(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("truncation", "row", "library_agrees"),
    [(0.4, 20, True), (1.0, 50, True), *((row / 50, row, False) for row in (7, 14, 28, 29, 47))],
)
def test_the_statistics_are_those_of_the_truncation(truncation: float, row: int, library_agrees: bool) -> None:
    rng = torch.Generator().manual_seed(0)
    norm = BigGANBatchNorm(6, conditional=False)
    norm.running_means = torch.randn(51, 6, generator=rng)
    norm.running_vars = torch.rand(51, 6, generator=rng) + 0.5
    norm.weight.data, norm.bias.data = torch.randn(6, generator=rng), torch.randn(6, generator=rng)
    x = torch.randn(2, 6, 3, 3, generator=rng)
    right = F.batch_norm(x, norm.running_means[row], norm.running_vars[row], norm.weight, norm.bias, eps=norm.eps)
    with torch.inference_mode():
        ours, theirs = FusedBatchNorm(norm, truncation)(x), norm(x, truncation)
    torch.testing.assert_close(ours, right.detach(), atol=1e-5, rtol=0)
    assert ((theirs - right).abs().max() < 1e-5) == library_agrees
