"""What a setting may be: choices, bounds and names. Every refusal says what was given and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from zeroshot.errors import UserError

CLASSES = 1000  # ImageNet's labels, which every world ranks
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
CHOICES = {
    "precision": PRECISIONS,
    "search.images": ("fresh", "pool"),
    "data.source": ("parquet", "ccub", "reed", "hub"),
    "features.name": ("small", "inception"),
    "protocol.caption": ("fixed", "random"),
    "protocol.label_names": ("distinct", "keras"),
    "protocol.ranking": ("searched", "once"),
    "protocol.order": ("hash", "split"),
    "protocol.clip_resize": ("clip", "bilinear"),
    "protocol.saved_bytes": ("rounded", "floor"),
    "protocol.threshold": ("clip", "raw"),
}
# Two readings of the same scores: in the order of the draws, as the paper, or averaged over all orders.
CURVES = ("run", "expected")
# Scores of all captions are in memory at a run's end, 8 bytes each: a slip of the keyboard must not fill it.
MOST_IMAGES = 100_000  # per caption
MOST_SCORES = 200_000_000
MOST_CAPTIONS = 10_000_000
LARGEST_BATCH = 65_536
LARGEST_SEED = 2**63 - 1  # what a table's column holds
LARGEST_SIDE = 8192  # pixels
LONGEST_PATH = 4000  # bytes; Linux takes 4,096, and a run adds its own folders
LARGEST_Z = 65_536  # dimensions of z; a decoder's latent of 4 x 64 x 64 has 16,384
LARGEST_WIDTH = 4096  # SAGAN's g_conv_dim, BigGAN's channel_width
SAGAN_SIDES = (64, 128, 256)  # pixels, for which StudioGAN lists channels
LONGEST_TEXT = 10_000  # characters of a caption or prompt; CLIP reads the first hundred or two
MOST_RUNS = 10_000  # of a grid
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_settings(k: int, b_max: int, seed: int) -> None:
    """Refuse, with both numbers, what Algorithm 1 cannot run on. Raises UserError."""
    if not 1 <= k <= CLASSES:
        raise UserError(f"k = {k}, but this world has {CLASSES:,} labels: give k between 1 and {CLASSES}")
    if b_max < 1:
        raise UserError(f"b_max = {b_max}, but at least one image must be drawn: give b_max of 1 or more")
    if b_max > MOST_IMAGES:
        raise UserError(f"b_max = {b_max}, but at most {MOST_IMAGES:,} images are drawn per caption: give less")
    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"seed = {seed}, but seeds are counted from 0 to {LARGEST_SEED}: give one of these")


def check_batch_size(batch_size: int | str) -> None:
    """Refuse a batch size that is neither `auto` nor a number of images. Raises UserError."""
    if isinstance(batch_size, bool) or (not isinstance(batch_size, int) and batch_size != "auto"):
        raise UserError(f"batch_size = {batch_size!r:.80}, but allowed are auto and a number of 1 or more")
    if isinstance(batch_size, int) and not 1 <= batch_size <= LARGEST_BATCH:
        raise UserError(
            f"batch_size = {batch_size}, but a batch holds 1 to {LARGEST_BATCH:,} images: give that, or auto"
        )


def check_curve(kind: str) -> None:
    """Refuse a kind of curve that there is not. Raises UserError."""
    if kind not in CURVES:
        raise UserError(f"curve = {kind!r:.80}, but allowed is {', '.join(CURVES)}")


def check_device_name(device: str) -> None:
    """Refuse what is no device's name; whether this machine has it is known to PyTorch only. Raises UserError."""
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", device):
        raise UserError(f"device = {device!r:.80}, but allowed are auto, cpu, cuda and cuda:<number>")


def check_values(key: str, values: Sequence[object]) -> None:
    """Refuse an empty list, and one that names a value twice: it would count twice. Raises UserError."""
    if not values:
        raise UserError(f"{key} is empty: give at least one")
    twice = [value for number, value in enumerate(values) if value in values[:number]]
    if twice:
        raise UserError(f"{key} = {list(values)!s:.80} names {twice[0]!r:.80} more than once: name each once")


def check_name(key: str, name: str) -> None:
    """The one rule of names that become folders and stand in titles. Raises UserError."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"{key} = {name!r:.80}, but a name is made of up to 64 small letters, digits, - and _, as in my-gan"
        )


def check_text(key: str, text: str) -> None:
    """Refuse a text without a word, or longer than anybody types. Raises UserError."""
    if not text.strip():
        raise UserError(f"{key} = {text!r:.80}, but a sentence needs at least one word")
    if len(text) > LONGEST_TEXT:
        raise UserError(
            f"{key} has {len(text):,} characters ({text!r:.40} …), but at most {LONGEST_TEXT:,} are read: shorten it"
        )


def check_path(key: str, path: str) -> None:
    """Refuse what no file system takes as a path. Raises UserError."""
    if len(path.encode(errors="replace")) > LONGEST_PATH or "\0" in path:
        raise UserError(
            f"{key} = {path!r:.80} …, but a path has at most {LONGEST_PATH:,} bytes, 255 between slashes, and no NUL"
        )
    if any(len(part.encode(errors="replace")) > 255 for part in path.split("/")):
        raise UserError(f"{key} = {path!r:.80} …, but between two slashes a path has at most 255 bytes")


def check_folder(key: str, folder: str) -> None:
    """Refuse what names no folder. Raises UserError."""
    check_path(key, folder)
    if not folder.strip():
        raise UserError(f"{key} = {folder!r:.80}, but it must name a folder, as in {key}=outputs")
