"""Photographs look as a viewer shows them, or are refused with a reason; no decoder's own exception escapes."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from zeroshot.data.photograph import Broken, content_sha256, read_photograph

Turn = Image.Transpose
# What a camera that was held so stores, of which the tag makes the upright picture again.
STORED = {
    1: None,
    2: Turn.FLIP_LEFT_RIGHT,
    3: Turn.ROTATE_180,
    4: Turn.FLIP_TOP_BOTTOM,
    5: Turn.TRANSPOSE,
    6: Turn.ROTATE_90,
    7: Turn.TRANSVERSE,
    8: Turn.ROTATE_270,
}


def picture() -> Image.Image:
    """32 x 24 pixels in four colours and a white corner: each turn and mirror image of it looks otherwise."""
    pixels = np.zeros((24, 32, 3), np.uint8)
    pixels[:12, :16], pixels[:12, 16:], pixels[12:, :16], pixels[12:, 16:] = (220, 30, 30), (30, 200, 40), 60, 180
    pixels[:6, :8] = 255
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def difference(content: bytes, expected: Image.Image | np.ndarray) -> float:
    """Mean difference in levels of 255 between what is read and what is expected."""
    found, wanted = np.asarray(read_photograph(content)), np.asarray(expected)
    assert found.shape == wanted.shape and found.dtype == np.uint8
    return float(np.abs(found.astype(int) - wanted).mean())


LOSSY = {"quality": 95, "subsampling": "4:4:4"}
ORIENTED = [
    ("JPEG", LOSSY), ("MPO", LOSSY), ("AVIF", LOSSY), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options"), ORIENTED)
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_is_turned_upright(kind: str, options: dict[str, Any], orientation: int) -> None:
    exif, turn = Image.Exif(), STORED[orientation]
    exif[274] = orientation
    stored = picture() if turn is None else picture().transpose(turn)
    assert difference(encoded(stored, kind, exif=exif, **options), picture()) < 4


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"II*\0\xff\xff\xff\xff", b"nothing", b"MM\0*\0\0\0\x08\xff\xff"])
def test_exif_that_is_damaged_does_not_make_a_photograph_so(exif: bytes) -> None:
    assert difference(encoded(picture(), "JPEG", exif=b"Exif\0\0" + exif, **LOSSY), picture()) < 4


def test_an_orientation_that_is_none_leaves_the_photograph_as_it_is() -> None:
    exif = Image.Exif()
    exif[274] = 0  # as in 80 of 543 photographs of CUB
    assert difference(encoded(picture(), "JPEG", exif=exif, **LOSSY), picture()) < 4


def clear_left() -> tuple[Image.Image, np.ndarray]:
    """The picture with a transparent left half, and what it looks like on white."""
    image, shown = picture().convert("RGBA"), np.asarray(picture()).copy()
    image.paste((9, 9, 9, 0), (0, 0, 16, 24))
    shown[:, :16] = 255
    return image, shown


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "TGA", "JPEG2000", "QOI", "SGI", "DDS", "IM"])
def test_transparent_pixels_are_laid_on_white(kind: str) -> None:
    image, shown = clear_left()
    options: dict[str, Any] = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    assert difference(encoded(image, kind, **options), shown) == 0
    if kind in ("PNG", "TIFF", "TGA", "JPEG2000", "DDS"):
        grey = Image.fromarray(shown).convert("L").convert("RGB")
        assert difference(encoded(image.convert("LA"), kind), grey) < 1


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    half = Image.new("RGBA", (4, 4), (200, 0, 0, 128))
    assert read_photograph(encoded(half, "PNG")).getpixel((0, 0)) == (227, 127, 127)


def test_palettes_with_transparency() -> None:
    image, shown = clear_left()
    indexed = Image.fromarray(shown).quantize(8)
    clear = indexed.getpixel((0, 23))
    for kind in ("PNG", "GIF"):
        assert difference(encoded(indexed, kind, transparency=clear), shown) < 3
    alphas = bytes(128 if index == indexed.getpixel((20, 20)) else 255 for index in range(256))
    assert read_photograph(encoded(indexed, "PNG", transparency=alphas)).getpixel((20, 20)) == (217, 217, 217)
    with_alpha = picture().quantize(8).convert("PA")
    with_alpha.putalpha(image.getchannel("A"))
    assert difference(encoded(with_alpha, "TIFF"), shown) < 3


def png(depth: int, colour_type: int, row: bytes, width: int, transparent: bytes = b"") -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, 1, depth, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"tRNS", transparent), (b"IDAT", zlib.compress(b"\0" + row))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*named) for named in chunks if named[1]) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "levels"),
    [
        (png(1, 0, b"\x0f", 8, b"\0\0"), [255] * 8),  # black is transparent
        (png(1, 0, b"\x0f", 8), [0] * 4 + [255] * 4),
        (png(2, 0, b"\x1b", 4, b"\0\1"), [0, 255, 170, 255]),
        (png(4, 0, b"\x1f", 2, b"\0\1"), [255, 255]),
        (png(4, 0, b"\x1f", 2), [17, 255]),
        (png(8, 0, b"\x01\x1f", 2, b"\0\1"), [255, 31]),
        (png(16, 0, b"\x01\x00\x80\x00", 2, b"\1\0"), [255, 128]),
        (png(16, 0, b"\x01\x00\x80\x00", 2), [1, 128]),
        (png(16, 4, b"\x80\x00\xff\xff\x80\x00\x00\x00", 2), [128, 255]),  # grey and alpha
        (png(16, 2, b"\x80\x00\x80\x00\x80\x00", 1), [128]),
        (png(8, 2, b"\x01\x02\x03\x07\x07\x07", 2, b"\0\1\0\2\0\3"), [255, 7]),
    ],
)
def test_greys_of_every_depth_and_one_transparent_colour(content: bytes, levels: list[int]) -> None:
    assert np.asarray(read_photograph(content)).tolist() == [[[level] * 3 for level in levels]]


def test_a_transparent_colour_that_pillow_cannot_compare_is_refused() -> None:
    with pytest.raises(Broken, match="transparent colour of 16 bits"):
        read_photograph(png(16, 2, b"\x80\x00\x80\x00\x80\x00", 1, b"\x80\x01\x80\x00\x80\x00"))


def tiff(bits: int, photometric: int, data: bytes, width: int, order: str = "<", sample: int = 1) -> bytes:
    """A TIFF of one row; sample: 1 for whole numbers, 2 for signed ones."""
    short = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 134, 277: 1, 278: 1, 279: len(data)}
    short[339] = sample
    tags = b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in short.items())
    head = struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(short))
    return head + tags + bytes(4) + data


@pytest.mark.parametrize(
    ("content", "levels"),
    [
        (tiff(16, 1, b"\x00\x00\x00\x80\xff\xff", 3), [0, 128, 255]),
        (tiff(16, 1, b"\x00\x00\x80\x00\xff\xff", 3, ">"), [0, 128, 255]),
        (tiff(16, 0, b"\x00\x00\x00\x80\xff\xff", 3), [255, 127, 0]),  # 0 is white
        (tiff(12, 1, b"\xff\xf8\x00", 2), [255, 128]),
        (tiff(8, 0, b"\x00\xff", 2), [255, 0]),
    ],
)
def test_deep_greys_of_tiff_are_scaled_by_their_range(content: bytes, levels: list[int]) -> None:
    assert np.asarray(read_photograph(content)).tolist() == [[[level] * 3 for level in levels]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000", "PPM", "ICO"])
def test_16_bits_are_scaled_and_not_clipped_to_white(kind: str) -> None:
    levels = np.linspace(0, 65535, 24 * 32).astype(np.uint16).reshape(24, 32)
    options: dict[str, Any] = {"sizes": [(32, 24)]} if kind == "ICO" else {}
    expected = np.repeat(np.rint(levels / 257)[..., None], 3, axis=2)
    assert difference(encoded(Image.fromarray(levels), kind, **options), expected) < 0.01
    assert difference(b"P2 3 1 1023 0 512 1023", np.array([[[0] * 3, [128] * 3, [255] * 3]])) == 0


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("1", "PNG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("CMYK", "JPEG2000"), ("YCbCr", "IM")],
)
def test_modes_without_transparency(mode: str, kind: str) -> None:
    image = picture().convert(mode)
    options = LOSSY if kind == "JPEG" else {}
    assert difference(encoded(image, kind, **options), image.convert("RGB")) < 4


def test_lab_is_read_by_its_definition() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(picture(), to_lab)
    assert lab is not None and difference(encoded(lab, "TIFF"), picture()) < 4


def cmyk_profile(cyan: tuple[int, int, int]) -> bytes:
    """An ICC profile in which no ink is white, cyan the given 8-bit Lab colour, and everything else black."""
    corners = [(255, 128, 128), *[(0, 128, 128)] * 7, cyan, *[(0, 128, 128)] * 7]
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + struct.pack(">9i", *[65536, 0, 0, 0] * 2, 65536)
    table += bytes(range(256)) * 4 + b"".join(map(bytes, corners)) + bytes(range(256)) * 3
    body = struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table
    head = struct.pack(">I4sI12s12x4s", 128 + len(body), b"lcms", 0x02400000, b"prtrCMYKLab ", b"acsp")
    return head.ljust(68, b"\0") + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D).ljust(60, b"\0") + body


def test_cmyk_goes_through_its_profile_and_does_without_one_that_does_not_fit() -> None:
    ink = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    red = read_photograph(encoded(ink, "TIFF", icc_profile=cmyk_profile((136, 208, 195)))).getpixel((0, 0))
    assert isinstance(red, tuple) and red[0] > 240 and max(red[1:]) < 30
    of_rgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (None, of_rgb, b"junk"):
        assert read_photograph(encoded(ink, "TIFF", icc_profile=profile)).getpixel((0, 0)) == (0, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_of_several_pictures_the_first_is_read(kind: str) -> None:
    others = [Image.new("RGB", (32, 24), colour) for colour in ("blue", "black")]
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    assert difference(encoded(picture(), kind, save_all=True, append_images=others, **options), picture()) < 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "nothing is there"),
        (b"", "the file is empty"),
        (b"no picture", "not a picture of a format that Pillow opens"),
        (encoded(picture(), "JPEG")[:300], "(?i)truncated"),
        (encoded(Image.new("I", (4, 4)), "TIFF"), "mode I of TIFF"),
        (encoded(Image.new("F", (4, 4)), "TIFF"), "mode F of TIFF"),
        (encoded(Image.new("F", (4, 4)), "PPM"), "mode F of PPM"),
        (encoded(Image.new("L", (4, 4)), "SPIDER"), "mode F of SPIDER"),
        (tiff(16, 1, bytes(2), 1, sample=2), "mode I of TIFF"),  # signed
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "PostScript"),
        (png(8, 0, b"\0", 1 << 30), "exceeds limit"),
        (encoded(picture(), "DDS")[:80] + struct.pack("<I4s", 4, b"ZZZZ") + bytes(40), "NotImplementedError"),
        (encoded(picture(), "AVIF", **LOSSY)[:-10] + b"\xff" * 10, "RuntimeError"),
        (encoded(picture().quantize(8), "BLP").replace(b"BLP2", b"BLP1"), "BLPFormatError"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_says_why(content: bytes | None, reason: str) -> None:
    with pytest.raises(Broken, match=reason) as refused:
        read_photograph(content)
    assert "\n" not in str(refused.value) and "<_io" not in str(refused.value)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
def test_whatever_is_damaged_no_decoders_exception_escapes() -> None:
    Image.init()
    chance, broken = random.Random(0), 0
    wholes = []
    for kind in sorted(set(Image.SAVE) - {"PDF", "EPS", "PALM", "ICNS"}):
        for mode in ("RGB", "RGBA", "P", "L", "1"):
            try:
                wholes.append(encoded(picture().convert(mode), kind))
            except (OSError, ValueError, KeyError):
                continue  # the format has no such mode
    for whole in wholes:
        for _ in range(8):
            damaged = bytearray(whole[: chance.choice((len(whole), chance.randrange(len(whole) + 1)))])
            for _ in range(chance.randrange(6) if damaged else 0):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            try:
                assert read_photograph(bytes(damaged)).mode == "RGB"
            except Broken:
                broken += 1
    assert len(wholes) > 50 and broken > 100


def test_the_content_of_photographs_in_and_beside_a_table(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    whole = content_sha256([b"one", tmp_path / "a", None])
    assert whole == content_sha256([b"one", b"one", tmp_path / "missing"])
    (tmp_path / "a").write_bytes(b"two")
    assert whole != content_sha256([b"one", tmp_path / "a", None])
    assert content_sha256([b"ab", b"c"]) != content_sha256([b"a", b"bc"])
