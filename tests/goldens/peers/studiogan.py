"""StudioGAN's ImageNet SAGAN, of the repository as it is, and as it was in February 2021."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.goldens.golden import pixels
from tests.goldens.inputs import CLASSES, latents
from tests.goldens.weights import state


def run(checkout: Path) -> dict[str, Any]:
    """The cases of a checkout. Its age is told by the configurations: YAML since August 2021, JSON before."""
    sys.path.insert(0, str(checkout / "src"))
    old = checkout / "src/configs/ILSVRC2012/SAGAN.json"
    model = _of_2021(old) if old.is_file() else _of_today(checkout / "src/configs/ImageNet/SAGAN-256.yaml")
    model.load_state_dict(state({key: tuple(t.shape) for key, t in model.state_dict().items()}))
    with torch.inference_mode():
        return {"images": pixels(model.eval()(latents(), torch.tensor(CLASSES)))}


def _of_today(configuration: Path) -> nn.Module:
    settings = importlib.import_module("config").Configurations(str(configuration))
    modules, model, data = settings.define_modules(), settings.MODEL, settings.DATA
    return importlib.import_module(f"models.{model.backbone}").Generator(
        z_dim=model.z_dim,
        g_shared_dim=model.g_shared_dim,
        img_size=data.img_size,
        g_conv_dim=model.g_conv_dim,
        apply_attn=model.apply_attn,
        attn_g_loc=model.attn_g_loc,
        g_cond_mtd=model.g_cond_mtd,
        num_classes=data.num_classes,
        g_init="N02",  # every number is replaced; this one is made fastest
        g_depth=model.g_depth,
        mixed_precision=False,  # of the command line, whose default it is
        MODULES=modules,
        MODEL=model,
    )


def _of_2021(configuration: Path) -> nn.Module:
    settings = json.loads(configuration.read_text(encoding="utf-8"))
    model, data = settings["train"]["model"], settings["data_processing"]
    return importlib.import_module(f"models.{model['architecture']}").Generator(
        model["z_dim"],
        model["shared_dim"],
        data["img_size"],
        model["g_conv_dim"],
        model["g_spectral_norm"],
        model["attention"],
        model["attention_after_nth_gen_block"],
        model["activation_fn"],
        model["conditional_strategy"],
        data["num_classes"],
        "N02",
        model["G_depth"],
        False,
    )
