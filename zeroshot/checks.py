"""Settings that no run can have are refused as soon as they are made: what was given, and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeroshot.errors import UserError
from zeroshot.limits import (
    CHOICES,
    LARGEST_SIDE,
    LARGEST_WIDTH,
    LARGEST_Z,
    LONGEST_TEXT,
    MOST_CAPTIONS,
    MOST_SCORES,
    SAGAN_SIDES,
    check_batch_size,
    check_name,
    check_path,
    check_settings,
    check_values,
)
from zeroshot.strategy_checks import check_strategy
from zeroshot.strategy_settings import draws_are_known

if TYPE_CHECKING:
    from zeroshot.settings import GeneratorSettings, ProtocolSettings, RunSettings


def check_run(settings: RunSettings) -> None:
    """Refuse settings that no run can have. Raises UserError."""
    for key in ("world", "protocol", "generator"):
        check_name(f"{key}.name", getattr(settings, key).name)
    for room, fields in settings.identity().items():
        for key, value in fields.items() if isinstance(fields, dict) else ():
            if isinstance(value, str) and key != "label_prompt":
                check_path(f"{room}.{key}", value)
    check_generator(settings.generator)
    check_settings(settings.k, settings.b_max, settings.seed)
    check_batch_size(settings.batch_size)
    for key, allowed in CHOICES.items():
        room, _, field = key.rpartition(".")
        given = getattr(getattr(settings, room) if room else settings, field)
        if given not in allowed:
            raise UserError(f"{key} = {given!r:.80}, but allowed is {', '.join(allowed)}")
    for key, truncation in (("generator", settings.generator.truncation), ("protocol", settings.protocol.truncation)):
        if truncation is not None and not 0 < truncation <= 1:
            raise UserError(f"{key}.truncation = {truncation}, but allowed is null or a number above 0 and up to 1")
    for key, most in (
        ("caption_characters", LONGEST_TEXT),
        ("unranked_every", MOST_CAPTIONS),
        ("batches_of", MOST_CAPTIONS),
        ("saved_side", LARGEST_SIDE),
    ):
        number = getattr(settings.protocol, key)
        if number is not None and not 1 <= number <= most:
            raise UserError(f"protocol.{key} = {number}, but allowed is null or 1 to {most:,}")
    if settings.protocol.band_ddof not in (0, 1):
        raise UserError(f"protocol.band_ddof = {settings.protocol.band_ddof}, but allowed is 0 or 1")
    if settings.protocol.rankings is not None and settings.protocol.ranking != "once":
        raise UserError(
            f"protocol.rankings is given, but protocol.ranking = {settings.protocol.ranking}: give "
            "protocol.ranking=once too, or protocol=released"
        )
    if not 0 < settings.search.share <= 1:
        raise UserError(f"search.share = {settings.search.share}, but allowed is a number above 0 and up to 1")
    check_strategy(settings.start, settings.refine, settings.prices, settings.k, settings.b_max)
    if settings.search.images == "pool" and not draws_are_known(settings.start, settings.refine):
        raise UserError(
            f"search.images = pool, but start = {settings.start.name} with refine = {settings.refine.name} makes its "
            "images by their scores: give search=fresh, or start=random or softmax with refine=none"
        )
    _check_captions(settings)
    check_values("search.k", settings.search.k)
    for k in settings.search.k:
        check_settings(k, settings.b_max, settings.seed)
    prompt = settings.protocol.label_prompt
    if "{label}" not in prompt or len(prompt) > LONGEST_TEXT:
        raise UserError(
            f"protocol.label_prompt = {prompt!r:.80}, but it must contain {{label}} and have at most {LONGEST_TEXT:,} "
            "characters"
        )


def check_generator(generator: GeneratorSettings) -> None:
    """Refuse an architecture that there is not, and sizes that it cannot have, before memory is spent on them.

    Raises UserError.
    """
    kind, side = generator.architecture, generator.image_size
    if kind not in ("sagan", "biggan") and not generator.is_own:
        raise UserError(
            f"generator.architecture = {kind!r:.80}, but allowed are sagan, biggan and, for one of your own, "
            "package.module:factory"
        )
    least = 0 if generator.is_own else 1  # 0: what it says itself
    bounds = [("image_size", least, LARGEST_SIDE), ("z_dim", least, LARGEST_Z)]
    if kind == "sagan":
        if side not in SAGAN_SIDES:
            sides = ", ".join(map(str, SAGAN_SIDES))
            raise UserError(f"generator.image_size = {side}, but a SAGAN's images have one of {sides} pixels a side")
        bounds += [("g_conv_dim", 1, LARGEST_WIDTH), ("attention_after", 0, SAGAN_SIDES.index(side) + 4)]  # its blocks
    for key, low, most in bounds:
        given = getattr(generator, key)
        if not low <= given <= most:
            raise UserError(f"generator.{key} = {given}, but allowed is {low} to {most:,}")
    if kind == "biggan" and side.bit_count() != 1:
        raise UserError(f"generator.image_size = {side}, but a BigGAN doubles 4 pixels: give 64, 128, 256 or 512")


def _check_captions(settings: RunSettings) -> None:
    """Refuse a number of test images that cannot be searched for. Raises UserError.

    Whether the split has that many is known once it is loaded.
    """
    captions, b_max = settings.captions, settings.b_max
    if captions < 1:
        raise UserError(f"captions = {captions}, but at least one test image is searched for: give 1 or more")
    if captions < 2:
        raise UserError("captions = 1, but a Fréchet distance needs at least 2 images: give 2 or more")
    if captions > MOST_CAPTIONS:
        raise UserError(f"captions = {captions}, but at most {MOST_CAPTIONS:,} test images can be searched for")
    if captions * b_max > MOST_SCORES:
        raise UserError(
            f"captions = {captions:,} with b_max = {b_max:,} are {captions * b_max:,} scores, but a run holds at most "
            f"{MOST_SCORES:,}: give less of one"
        )
    whole_batches(captions, settings.protocol)


def whole_batches(captions: int, protocol: ProtocolSettings) -> int:
    """How many captions are searched for: whole batches where the protocol scores only these.

    Raises UserError where there is none.
    """
    kept = captions - captions % (protocol.batches_of or 1)
    if not kept:
        raise UserError(
            f"captions = {captions}, but this protocol scores whole batches of {protocol.batches_of} only: give that "
            "many or more"
        )
    return kept
