"""How pictures are prepared for CLIP: open_clip's preprocess_cfg, checked, as photographs and tensors go through it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import torch
from open_clip.transform import PreprocessCfg, center_crop_or_pad
from torchvision.transforms.v2 import functional as TF

from zeroshot.errors import UserError

USUAL = {key: value for key, value in dataclasses.asdict(PreprocessCfg()).items() if key != "size"}  # OpenAI's
CHOICES = {"mode": ("RGB",), "interpolation": ("bicubic", "bilinear"), "resize_mode": ("shortest", "longest", "squash")}
RESAMPLE = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers, which transformers writes


def checked(stated: dict[str, Any], path: Path) -> dict[str, Any]:
    """A preprocess_cfg with open_clip's defaults where it says nothing, in one spelling, without its size.

    Raises UserError that names the file, for an unknown field or a value that open_clip has no preparation for.
    """
    fields = USUAL | {key: value for key, value in stated.items() if key != "size"}
    if unknown := set(fields) - set(USUAL):
        raise UserError(f"{path}: preprocess_cfg has {min(unknown)!r:.60}, but known are size, {', '.join(USUAL)}")
    if fields["interpolation"] == "random":  # between both in training; open_clip evaluates so
        fields["interpolation"] = "bicubic"
    for key, allowed in CHOICES.items():
        if fields[key] not in allowed:
            raise UserError(f"{path}: {key} = {fields[key]!r:.60}, but allowed is {', '.join(allowed)}")
    for key in ("mean", "std"):
        numbers = fields[key] if isinstance(fields[key], list | tuple) else [fields[key]] * 3
        good = all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
        if len(numbers) != 3 or not good or (key == "std" and min(numbers) <= 0):
            raise UserError(f"{path}: {key} = {fields[key]!s:.60}, but it is three numbers, those of std above 0")
        fields[key] = [float(number) for number in numbers]
    if type(fields["fill_color"]) is not int or not 0 <= fields["fill_color"] <= 255:
        raise UserError(f"{path}: fill_color = {fields['fill_color']!s:.60}, but it is a grey of 0 to 255")
    return fields


def side(size: Any, path: Path) -> int:
    """Pixels a side of a square, given as one number or two. Raises UserError that names the file."""
    sides = list(size) if isinstance(size, list | tuple) else [size]
    if not sides or not all(type(number) is int and number > 0 for number in sides) or len(set(sides)) > 1:
        raise UserError(f"{path}: a size is {size!s:.60}, but pictures are squares of so many pixels a side")
    return sides[0]


def of_transformers(config: dict[str, Any], path: Path) -> dict[str, Any]:
    """The preprocess_cfg that a preprocessor_config.json of transformers stands for.

    Raises UserError for a preparation that open_clip does not have.
    """
    for key in ("do_resize", "do_rescale"):
        if config.get(key, True) is not True:
            raise UserError(
                f"{path}: {key} = {config[key]!s:.20}, but CLIP's pictures are resized, and in [0, 1] first"
            )
    found = {"interpolation": RESAMPLE.get(config.get("resample", 3), config.get("resample"))}
    normalised = config.get("do_normalize", True)
    found |= {
        "mean": config.get("image_mean") if normalised else 0,
        "std": config.get("image_std") if normalised else 1,
    }
    size, crop = (
        list(value.values()) if isinstance(value, dict) else value
        for value in (config.get("size"), config.get("crop_size"))
    )
    if size:
        exact = isinstance(config["size"], dict) and {"height", "width"} <= set(config["size"])
        found |= {"size": side(size, path), "resize_mode": "squash" if exact else "shortest"}
        cropped = side(crop, path) if crop and config.get("do_center_crop", True) else None
        if cropped != found["size"] and (cropped or not exact):
            raise UserError(f"{path} resizes to {found['size']} and crops to {cropped}, but CLIP's two sizes are one")
    return found


def fit(images: torch.Tensor, preprocess: PreprocessCfg, size: int) -> torch.Tensor:
    """Images float [N, 3, H, W] in [-1, 1] -> [N, 3, size, size] as `preprocess` says; nothing where they fit already.

    Anti-aliased resize, cut to the range of a picture as a picture's bytes would be, then open_clip's crop or padding.
    """
    height, width = images.shape[-2:]
    if (height, width) == (size, size):
        return images
    target = [size]  # of the shorter side
    if preprocess.resize_mode == "squash":
        target = [size, size]
    elif preprocess.resize_mode == "longest":
        target = [round(height * size / max(height, width)), round(width * size / max(height, width))]
    mode = TF.InterpolationMode(preprocess.interpolation)
    images = TF.resize(images.float(), target, mode, antialias=True).clamp(-1, 1)
    if preprocess.resize_mode == "longest":
        return center_crop_or_pad(images, [size, size], fill=preprocess.fill_color / 127.5 - 1)
    return TF.center_crop(images, [size, size])


def plainly(images: torch.Tensor, size: int) -> torch.Tensor:
    """Images float [N, 3, H, W] -> [N, 3, size, size]: bilinear, neither anti-aliased nor clamped, as torchvision up to
    0.16 resized tensors, and with it the authors' released code."""
    images = TF.resize(images.float(), [size], TF.InterpolationMode.BILINEAR, antialias=False)  # the shorter side
    return TF.center_crop(images, [size, size])
