"""A configuration beside CLIP's weights is obeyed; weights whose pictures nothing says how to prepare are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from tests.models.test_clip import pictures, tensors
from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models.clip import Clip
from zeroshot.models.clip_config import OPEN_CLIP, PICTURES, TRANSFORMERS, config_of, one_preparation
from zeroshot.models.identity import clip_identity

NAME = "tiny-for-tests"
MODEL: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
}
STATED = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.4, 0.3], "interpolation": "bilinear", "resize_mode": "squash"}
TEXTS = ["a small blue bird with a white belly", "a red car"]


@pytest.fixture(scope="module", autouse=True)
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A small model under a name that open_clip knows while these tests run."""
    path = tmp_path_factory.mktemp("models") / f"{NAME}.json"
    path.write_text(json.dumps(MODEL))
    open_clip.add_model_config(path)
    yield
    open_clip.factory._MODEL_CONFIG_PATHS.remove(path)
    del open_clip.factory._MODEL_CONFIGS[NAME]


def weights(folder: Path, model: dict[str, Any] | None = None) -> nn.Module:
    """Random weights in a folder, and their model."""
    torch.manual_seed(0)
    module = open_clip.CLIP(**(model or MODEL)).eval()
    state = {key: tensor.contiguous() for key, tensor in module.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    return module


def beside(folder: Path, name: str, content: object) -> None:
    """Write a configuration."""
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize("place", ["folder", "file"])
def test_the_configuration_beside_weights_is_obeyed(tmp_path: Path, place: str) -> None:
    model = MODEL | {"quick_gelu": True, "text_cfg": MODEL["text_cfg"] | {"context_length": 9}}
    model["vision_cfg"] = MODEL["vision_cfg"] | {"image_size": 48}
    module = weights(tmp_path, model)
    beside(tmp_path, OPEN_CLIP, {"model_cfg": model, "preprocess_cfg": STATED | {"size": 48, "mode": "RGB"}})
    clip = Clip.load(NAME, tmp_path if place == "folder" else tmp_path / "open_clip_model.safetensors")
    assert (clip.image_size, clip.context_length) == (48, 9)
    tokens = open_clip.SimpleTokenizer(context_length=9)(TEXTS)
    transform = image_transform_v2(PreprocessCfg(size=48, **STATED), is_train=False)
    images = pictures(2, 80, 60)
    prepared = torch.stack([transform(image) for image in images])
    with torch.inference_mode():
        text, image = module.encode_text(tokens, normalize=True), module.encode_image(prepared, normalize=True)  # type: ignore[operator]
    torch.testing.assert_close(clip.encode_text(TEXTS), text, atol=1e-6, rtol=0)
    torch.testing.assert_close(clip.encode_pil(images), image, atol=1e-6, rtol=0)
    plain = open_clip.CLIP(**model | {"quick_gelu": False}).eval()
    plain.load_state_dict(module.state_dict())
    assert (plain.encode_text(tokens, normalize=True) - text).abs().max() > 1e-4  # the activation is seen


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize(("width", "height"), [(96, 48), (48, 96), (20, 25), (32, 32)])
def test_generated_images_are_prepared_as_photographs_are(
    tmp_path: Path, mode: str, interpolation: str, width: int, height: int
) -> None:
    stated = STATED | {"resize_mode": mode, "interpolation": interpolation, "fill_color": 127}
    weights(tmp_path)
    beside(tmp_path, OPEN_CLIP, {"model_cfg": MODEL, "preprocess_cfg": stated})
    clip = Clip.load(NAME, tmp_path)
    smooth = np.linspace(0, 255, width)[None, :, None] * np.linspace(0.2, 1, height)[:, None, None] * [1, 0.5, 0.8]
    picture = Image.fromarray(smooth.astype(np.uint8))
    theirs = image_transform_v2(PreprocessCfg(size=32, **stated), is_train=False)(picture)
    ours = clip.prepare(tensors([picture]))[0]
    assert ours.shape == (3, 32, 32)
    assert (ours - theirs).abs().max() < 3 / 255 / 0.3  # Pillow rounds to whole grey levels twice


def test_what_a_configuration_decides_is_in_the_identity(tmp_path: Path) -> None:
    weights(tmp_path)
    bare = Clip.load(NAME, tmp_path).identity
    assert set(bare) == {"model", "weights", "beside", "vocabulary", "precision"}
    seen: list[str] = []
    told: list[dict[str, Any] | None] = [bare]
    for change in ({}, {"mean": [0.1, 0.2, 0.4]}, {"resize_mode": "longest"}, {"interpolation": "bicubic"}):
        beside(tmp_path, OPEN_CLIP, {"model_cfg": MODEL, "preprocess_cfg": STATED | change})
        identity = Clip.load(NAME, tmp_path).identity
        assert {key: identity["preprocess"][key] for key in STATED} == STATED | change
        assert identity["quick_gelu"] is False
        seen.append(identity["config"])
        told.append(clip_identity(NAME, tmp_path, None, "float32"))
        assert told[-1] == {key: identity[key] for key in bare}  # files tell the same without a model
    beside(tmp_path, OPEN_CLIP, {"model_cfg": MODEL | {"quick_gelu": True}, "preprocess_cfg": STATED})
    quick = Clip.load(NAME, tmp_path).identity
    assert quick["quick_gelu"] is True and len({*seen, quick["config"]}) == 5
    file = clip_identity(NAME, tmp_path / "open_clip_model.safetensors", None, "float32")
    assert file is not None and list(file["beside"]) == [OPEN_CLIP]
    assert len({json.dumps(identity) for identity in told}) == len(told)


def test_a_configuration_with_mean_and_std_only_is_as_open_clip_reads_it(tmp_path: Path) -> None:
    beside(tmp_path, OPEN_CLIP, MODEL | {"preprocess_cfg": None})  # its model_cfg alone is a configuration too
    assert config_of(NAME, tmp_path / "x").preprocess["resize_mode"] == "shortest"
    model = open_clip.get_model_config("ViT-L-14")
    beside(tmp_path, OPEN_CLIP, {"model_cfg": model, "preprocess_cfg": {"mean": 0.5, "std": [0.5] * 3}})
    found = config_of("ViT-L-14", tmp_path / "x").preprocess
    assert (found["mean"], found["interpolation"], found["resize_mode"]) == ([0.5] * 3, "bicubic", "shortest")


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("RN50", "RN50-quickgelu", r"quick_gelu = True, but RN50 has False: give clip\.model=RN50-quickgelu"),
        ("RN50-quickgelu", "RN50", r"quick_gelu = False, but RN50-quickgelu has True: give clip\.model=RN50"),
        ("ViT-B-32", "ViT-L-14", r"embed_dim = 768, but ViT-B-32 has 512: give clip\.model=ViT-L-14"),
        ("ViT-B-16", "ViT-B-32", r"patch_size = 32, but ViT-B-16 has 16: give clip\.model=ViT-B-32"),
        ("ViT-B-32", MODEL | {"embed_dim": 31}, r"embed_dim = 31, but ViT-B-32 has 512: give the model that"),
        ("ViT-B-32", MODEL | {"vision_cfg": {"no_such": 1}}, r"holds no model_cfg of open_clip \(.*no_such"),
        ("ViT-B-32", {"embed_dim": 3}, r"holds no model_cfg of open_clip \('vision_cfg'\)"),
        ("ViT-B-32", [1], r"holds \[1\] where names with values are expected"),
    ],
)
def test_another_architecture_or_activation_than_the_name_is_refused(
    tmp_path: Path, name: str, model: object, message: str
) -> None:
    model = open_clip.get_model_config(model) if isinstance(model, str) else model
    beside(tmp_path, OPEN_CLIP, {"model_cfg": model, "preprocess_cfg": STATED})
    refused(tmp_path, name, message)


def refused(folder: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        config_of(name, folder / "open_clip_model.safetensors")
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"mean": [0.1, 0.2]}, r"mean = \[0\.1, 0\.2\], but it is three numbers"),
        ({"mean": ["a", 0, 0]}, "but it is three numbers"),
        ({"std": [0.5, 0, 0.5]}, r"std = .* those of std above 0"),
        ({"std": [float("nan")] * 3}, "three numbers"),
        ({"interpolation": "lanczos"}, "interpolation = 'lanczos', but allowed is bicubic, bilinear"),
        ({"resize_mode": "crop"}, "resize_mode = 'crop', but allowed is shortest, longest, squash"),
        ({"mode": "L"}, "mode = 'L', but allowed is RGB"),
        ({"fill_color": 300}, "fill_color = 300"),
        ({"size": 336}, "prepared at 336 pixels, but the model's image_size is 32"),
        ({"size": [32, 48]}, r"a size is \[32, 48\], but pictures are squares"),
        ({"colour": 1}, "preprocess_cfg has 'colour'"),
    ],
)
def test_what_open_clip_could_not_prepare_is_refused_by_field(
    tmp_path: Path, stated: dict[str, Any], message: str
) -> None:
    beside(tmp_path, OPEN_CLIP, {"model_cfg": MODEL, "preprocess_cfg": STATED | stated})
    refused(tmp_path, NAME, message)


@pytest.mark.parametrize("text", ["{", "[1, 2]", "\ufeff{}", "[" * 100_000])
@pytest.mark.parametrize("name", [OPEN_CLIP, PICTURES])
def test_a_damaged_configuration_is_refused_by_name(tmp_path: Path, name: str, text: str) -> None:
    beside(tmp_path, name, text)
    refused(tmp_path, NAME, f"{name} (cannot be read|holds)")


@pytest.mark.parametrize(
    "name",
    [
        *("ViT-B-16-SigLIP", "ViT-SO400M-14-SigLIP2", "MobileCLIP-S1", "MobileCLIP2-S3", "ViT-L-14-CLIPA"),
        *("ViT-H-14", "ViT-L-14", "ViT-H-14-378-quickgelu", "nllb-clip-base-siglip", "PE-Core-B-16"),
    ],
)
def test_bare_weights_of_a_model_with_no_one_preparation_are_refused(tmp_path: Path, name: str) -> None:
    assert not one_preparation(name)
    refused(
        tmp_path, name, f"does not say how its pictures are prepared, and {name} has no one way: put the {OPEN_CLIP}"
    )
    beside(
        tmp_path,
        OPEN_CLIP,
        {"model_cfg": open_clip.get_model_config(name), "preprocess_cfg": {"mean": None, "std": None}},
    )
    refused(tmp_path, name, "does not say how")
    beside(tmp_path, OPEN_CLIP, {"model_cfg": open_clip.get_model_config(name), "preprocess_cfg": STATED})
    assert config_of(name, tmp_path / "x").preprocess["mean"] == STATED["mean"]


@pytest.mark.parametrize(
    "name", ["ViT-B-32-quickgelu", "RN50", "ViT-L-14-quickgelu", "ViTamin-L", "ViT-S-32-alt", NAME]
)
def test_bare_weights_of_other_models_are_prepared_as_openais(tmp_path: Path, name: str) -> None:
    found = config_of(name, tmp_path / "x")
    assert found.identity == {}
    usual = PreprocessCfg(mean=list(OPENAI_DATASET_MEAN), std=list(OPENAI_DATASET_STD))
    assert PreprocessCfg(**found.preprocess) == usual


HF_PICTURES = {
    "image_mean": [0.1, 0.2, 0.3],
    "image_std": [0.5, 0.4, 0.3],
    "resample": 2,
    "do_resize": True,
    "size": {"shortest_edge": 32},
    "crop_size": {"height": 32, "width": 32},
    "do_center_crop": True,
}


@pytest.mark.parametrize(
    ("change", "mode"),
    [
        ({}, "shortest"),
        ({"size": 32, "crop_size": 32}, "shortest"),
        ({"size": {"height": 32, "width": 32}, "crop_size": None, "do_center_crop": False}, "squash"),
    ],
)
def test_a_folder_of_transformers_is_obeyed(tmp_path: Path, change: dict[str, Any], mode: str) -> None:
    towers = {"vision_config": {"hidden_act": "quick_gelu"}, "text_config": {"hidden_act": "quick_gelu"}}
    beside(tmp_path, TRANSFORMERS, {"model_type": "clip"} | towers)
    beside(tmp_path, PICTURES, HF_PICTURES | change)
    weights(tmp_path)
    clip = Clip.load(NAME, tmp_path)
    assert clip.identity["quick_gelu"] is True
    stated = {key: clip.identity["preprocess"][key] for key in STATED}
    assert stated == STATED | {"resize_mode": mode}
    beside(tmp_path, OPEN_CLIP, {"model_cfg": MODEL, "preprocess_cfg": STATED | {"std": [1, 1, 1]}})
    assert config_of(NAME, tmp_path / "x").preprocess["std"] == [1, 1, 1]  # open_clip's own comes first


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (PICTURES, HF_PICTURES | {"size": {"shortest_edge": 40}}, "resizes to 40 and crops to 32"),
        (PICTURES, HF_PICTURES | {"do_center_crop": False}, "resizes to 32 and crops to None"),
        (PICTURES, HF_PICTURES | {"resample": 1}, "interpolation = 1, but allowed"),
        (PICTURES, HF_PICTURES | {"do_resize": False}, "do_resize = False"),
        (
            PICTURES,
            HF_PICTURES | {"size": 48, "crop_size": 48},
            "prepared at 48 pixels, but the model's image_size is 32",
        ),
        (
            TRANSFORMERS,
            {"model_type": "clip", "vision_config": {"hidden_act": "relu"}},
            "hidden_act = quick_gelu, relu",
        ),
    ],
)
def test_what_transformers_prepares_otherwise_is_refused(tmp_path: Path, file: str, content: Any, message: str) -> None:
    beside(tmp_path, file, content)
    refused(tmp_path, NAME, message)


def test_the_activation_of_a_folder_of_transformers_must_be_the_names(tmp_path: Path) -> None:
    beside(tmp_path, TRANSFORMERS, {"model_type": "clip", "vision_config": {"hidden_act": "gelu"}, "text_config": {}})
    refused(tmp_path, "ViT-B-32", "hidden_act = gelu, quick_gelu")
    beside(tmp_path, TRANSFORMERS, {"model_type": "clip"})  # transformers' own default
    refused(tmp_path, "ViT-B-32", r"quick_gelu = True, but ViT-B-32 has False: give clip\.model=ViT-B-32-quickgelu")
    beside(tmp_path, TRANSFORMERS, {"model_type": "bert"})  # something else's
    assert config_of("ViT-B-32", tmp_path / "x").folder is None


def test_weights_in_the_layout_of_transformers_are_refused_by_name(tmp_path: Path) -> None:
    save_file({"text_model.embeddings.token_embedding.weight": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"layout of transformers .* give a file of open_clip"):
        Clip.load(NAME, tmp_path)


def test_a_tokeniser_that_may_run_code_or_is_not_there_is_refused(tmp_path: Path) -> None:
    weights(tmp_path)
    text = MODEL["text_cfg"] | {"hf_tokenizer_name": "nobody/nothing"}
    beside(
        tmp_path,
        OPEN_CLIP,
        {"model_cfg": MODEL | {"text_cfg": text | {"tokenizer_kwargs": {"trust_remote_code": True}}}},
    )
    with pytest.raises(UserError, match="tokenizer_kwargs has 'trust_remote_code', but allowed are"):
        Clip.load(NAME, tmp_path)
    beside(tmp_path, OPEN_CLIP, {"model_cfg": MODEL | {"text_cfg": text}})
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(EnvironmentFailure, match=rf"tokeniser {tmp_path} cannot be loaded .*transformers"):
        Clip.load(NAME, tmp_path)


def test_a_vocabulary_larger_than_the_model_is_refused(tmp_path: Path) -> None:
    small = MODEL | {"text_cfg": MODEL["text_cfg"] | {"vocab_size": 1000}}
    weights(tmp_path, small)
    beside(tmp_path, OPEN_CLIP, {"model_cfg": small})
    with pytest.raises(UserError, match=r"49,408 tokens, but the model knows 1,000"):
        Clip.load(NAME, tmp_path)
