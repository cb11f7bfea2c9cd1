"""A photograph as a viewer shows it: upright, RGB, 8 bits a channel. All sources read theirs here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngImageFile

from zeroshot.data.regular import read_whole

BACKGROUND = "white"  # behind transparent pixels, as on a page
Source = bytes | Path | None  # an encoded picture, the file that holds one, or nothing

_UPRIGHT = {  # by EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Broken(Exception):
    """Why a photograph cannot be used: nothing is there, or it cannot be decoded."""


def read_photograph(source: Source) -> Image.Image:
    """The first picture of a file as a viewer shows it, RGB with 8 bits a channel.

    - EXIF's orientation is applied, all eight values, in every format that holds one.
    - Transparent pixels, whether by an alpha channel, a palette or one transparent colour, are laid on BACKGROUND.
    - 16-bit greys are scaled by their range: 65,535 is 255 (4,095 in TIFFs of 12 bits).
    - CMYK goes through the ICC profile in the file, where there is one. All other colours are taken as sRGB without
      their profiles, as CLIP's own preprocessing and the paper's code do.
    - Of an animation or several pages, the first.

    Raises Broken, which says why: nothing is there, it is damaged, or of a kind that has no one right look (32-bit
    integers, floating point, a telescope's or satellite's measurements) or is a program (PostScript).
    """
    if source is None:
        raise Broken("nothing is there")
    try:
        content = read_whole(source) if isinstance(source, Path) else source
    except OSError as error:
        raise Broken(error.strerror or type(error).__name__) from None
    try:
        with Image.open(BytesIO(content)) as image:
            return _upright(image, _rgb(image))
    except (MemoryError, Broken):
        raise
    except Image.UnidentifiedImageError:
        raise Broken("not a picture of a format that Pillow opens" if content else "the file is empty") from None
    except Exception as error:  # a damaged picture fails in whatever way its first wrong byte leads its decoder to
        reason = " ".join(str(error).split())[:80]
        raise Broken(f"{type(error).__name__}: {reason}" if reason else type(error).__name__) from None


def _rgb(image: Image.Image) -> Image.Image:
    if image.format == "EPS":
        raise Broken("PostScript is a program, and none is run")
    _mend_transparency(image)
    image.load()
    if 0 in image.size:
        raise Broken(f"{image.width} x {image.height} pixels")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_grey(image)
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        image = _from_profile(image)
    if image.mode == "La":
        image = image.convert("LA")
    return _on_background(image.convert("RGBA")) if image.has_transparency_data else image.convert("RGB")


def _mend_transparency(image: Image.Image) -> None:
    """Pillow widens or narrows a PNG's colours to 8 bits, but not the one that the file names as transparent."""
    if isinstance(image, PngImageFile) and image.tile and "transparency" in image.info:
        stored = image.tile[0][3]
        if stored == "RGB;16B":
            raise Broken("one transparent colour of 16 bits a channel")
        if stored in ("L;2", "L;4"):
            image.info["transparency"] *= 85 if stored == "L;2" else 17


def _deep_grey(image: Image.Image) -> Image.Image:
    tags = getattr(image, "tag_v2", {})  # a TIFF's
    if image.mode.startswith("I;16") and image.format not in ("FITS", "MCIDAS"):
        white = 4095 if tags.get(ExifTags.Base.BitsPerSample) == (12,) else 65535
    elif image.mode == "I" and image.format == "PPM":
        white = 65535  # what Pillow scales each of the format's ranges to
    else:
        raise Broken(f"mode {image.mode} of {image.format} has no value that is white")
    values = np.asarray(image).astype(np.uint32).clip(0, white)  # [H, W]
    dark_to_light = white - values if tags.get(ExifTags.Base.PhotometricInterpretation) == 0 else values
    grey = Image.fromarray(((dark_to_light * 255 + white // 2) // white).astype(np.uint8))
    if "transparency" not in image.info:
        return grey.convert("RGB")
    grey.putalpha(Image.fromarray(np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)))
    return _on_background(grey.convert("RGBA"))


def _from_profile(cmyk: Image.Image) -> Image.Image:
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(cmyk.info["icc_profile"]))
        rgb = ImageCms.profileToProfile(cmyk, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):  # one of another mode, or damaged: as without
        return cmyk
    return rgb or cmyk  # there is one, as it is not done in place


def _on_background(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, BACKGROUND), image).convert("RGB")


def _upright(image: Image.Image, rgb: Image.Image) -> Image.Image:
    """Not by `ImageOps.exif_transpose`: it writes all of the EXIF anew and fails where any of it is damaged."""
    try:
        turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF, which viewers ignore
        turn = None
    return rgb if turn is None else rgb.transpose(turn)


def content_sha256(sources: Iterable[Source]) -> str:
    """One sha256 of many photographs' encoded content, in their order; what cannot be read counts as nothing."""
    found = hashlib.sha256()
    for source in sources:
        try:
            content = read_whole(source) if isinstance(source, Path) else source
        except OSError:
            content = None
        found.update(b"-" if content is None else hashlib.sha256(content).digest())
    return found.hexdigest()
