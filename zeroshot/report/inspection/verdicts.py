"""What a check says of a generator, each sentence with its numbers and the criterion that it rests on (criteria.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zeroshot.report.inspection.words import bound, classes_in_words, number, per_cent
from zeroshot.runs.inspection.criteria import (
    BEYOND,
    CLASS_SHARE,
    CONSTANT,
    FOLLOWS,
    GAIN,
    LITTLE,
    MANY,
    NEARLY_ONE,
    NEIGHBOURS,
    NO_EFFECT,
    NO_SPREAD,
    NO_SPREAD_IN_ONE_CLASS,
    POINTS,
    REPEAT,
    SURE,
    TIMES,
    no_label,
)
from zeroshot.runs.inspection.measured import Measured
from zeroshot.runs.inspection.mends import AS_IT_IS
from zeroshot.runs.inspection.references import GREY, NOISE, PHOTOGRAPHS
from zeroshot.runs.inspection.whole import Check

FAULT, CAUTION, GOOD, NOTE = "fault", "caution", "good", "note"


@dataclass(frozen=True)
class Finding:
    """A sentence of the verdict. `key` names what it is about for programs."""

    key: str
    level: str  # fault, caution, good, or note: of the measurement, not of the generator
    said: str
    criterion: str


def findings(check: Check, measured: Measured) -> list[Finding]:
    """All that is said of one of a check's generators, faults first."""
    found, variety = [*_mechanics(measured)], [*_variety(check, measured)]
    constant = any(one.key == "constant" for one in variety)
    # Values beyond the range are cut before they are looked at, so 0 to 255 is white: no word of what it varies.
    if not (constant and any(one.key.startswith("range") for one in found)):
        found += variety
    if not constant:
        known = {one.key for one in found}
        found += [*_labels(check, measured, known), *_images(measured)]
        found += [*_quality(check, measured), *_search(check, measured)]
    order = (FAULT, CAUTION, GOOD, NOTE)
    return sorted(found, key=lambda one: order.index(one.level))


def headline(found: list[Finding]) -> str:
    """The verdict in a line: which faults, else which cautions, else that it is sound."""
    faults = [one.key for one in found if one.level == FAULT]
    cautions = [one.key for one in found if one.level == CAUTION]
    if faults:
        return f"something is wrong: {', '.join(faults)}"
    return f"no fault found; look at: {', '.join(cautions)}" if cautions else "sound"


def _mechanics(measured: Measured) -> Iterator[Finding]:
    seen, mends = measured.mechanics, measured.mends
    assert seen is not None and mends is not None
    if seen.not_finite > 0:
        yield Finding(
            "not finite", FAULT, f"{per_cent(seen.not_finite)} of its values are NaN or infinite", "no value may be"
        )
    if mends.range:
        gain = f"; taken as such, its labels are right in {per_cent(mends.top5[mends.best])} of the images (top 5)"
        said = f"its values are in {mends.range}, from {seen.low:.3g} to {seen.high:.3g}, not in [-1, 1]{gain}"
        yield Finding(f"range {mends.range}", FAULT, said, "smallest and largest value of 64 images")
    elif seen.low < -BEYOND or seen.high > BEYOND:
        said = f"its values go from {seen.low:.3g} to {seen.high:.3g}, beyond [-1, 1]: scale or cut them"
        yield Finding("range", FAULT, said, f"beyond {BEYOND} on 64 images")
    if seen.repeat > REPEAT:
        said = f"the same z and class give other images (by up to {seen.repeat:.2g}): not all randomness comes from z"
        yield Finding("randomness beside z", FAULT, said, f"values differ by more than {REPEAT:g} between two calls")
    if seen.neighbours > NEIGHBOURS and seen.repeat <= REPEAT:
        said = (
            f"an image depends on its neighbours in the batch (by up to {seen.neighbours:.2g}), as batch norms in "
            "training mode make it"
        )
        yield Finding("training mode", FAULT, said, f"values differ by more than {NEIGHBOURS:g} beside other images")
    elif seen.training:
        said = (
            f"it came in training mode ({seen.training[0]}) and was put into evaluation mode for this check: call "
            ".eval() on it (`run` and `search` do so for a generator that a factory makes)"
        )
        yield Finding("training mode", CAUTION if measured.by_factory else FAULT, said, "a part has training = True")
    if seen.grey and seen.high > seen.low:
        yield Finding("no colour", CAUTION, "its images are grey: red, green and blue are equal", "within half a level")


def _variety(check: Check, measured: Measured) -> Iterator[Finding]:
    variety = measured.variety
    assert variety is not None
    if variety.contrast < CONSTANT:
        said = f"it gives one image, whatever z and class (pixels vary by {variety.contrast:.1g} grey levels)"
        yield Finding("constant", FAULT, said, f"pixels vary by less than {CONSTANT} grey levels")
        return
    z, label = variety.by_z >= NO_EFFECT, variety.by_class >= NO_EFFECT and variety.class_share >= CLASS_SHARE
    if not z:
        said = f"it ignores z: {per_cent(variety.by_z)} of the pixels' variance goes with it"
        yield Finding("ignores z", FAULT, said, f"less than {per_cent(NO_EFFECT)}")
    if not label:
        said = (
            f"it ignores the class: {per_cent(variety.by_class)} of the pixels' variance goes with it, and "
            f"{per_cent(variety.class_share)} of that of CLIP's vectors lies between classes"
        )
        yield Finding(
            "ignores the class", FAULT, said, f"less than {per_cent(NO_EFFECT)}, or than {per_cent(CLASS_SHARE)}"
        )
    if not (z and label):
        return
    assert measured.labels is not None
    classes = len(measured.labels.by_class)
    if variety.collapsed:
        said = (
            f"collapsed: {len(variety.collapsed):,} of {classes:,} classes give nearly one image each "
            f"({classes_in_words(variety.collapsed)})"
        )
        level = FAULT if len(variety.collapsed) >= MANY * classes else CAUTION
        yield Finding(
            "collapsed classes",
            level,
            said,
            f"spread within the class below {per_cent(NEARLY_ONE)} of that of all images",
        )
    if len(variety.twins) >= MANY * classes:
        said = (
            f"{len(variety.twins):,} of {classes:,} classes give the images of another class "
            f"({', '.join(f'{b} those of {a}' for a, b in variety.twins[:3])} …)"
        )
        criterion = (
            f"images of one z less than {per_cent(NEARLY_ONE)} of the spread apart, in {per_cent(MANY)} of classes"
        )
        yield Finding("classes coincide", FAULT, said, criterion)
    least = min(one.variety.within / one.variety.total for one in check.own_generators or [measured] if one.variety)
    own = variety.within / variety.total
    said = f"within a class CLIP's vectors are spread by {own:.2f} of the spread of all; the world's own by {least:.2f}"
    level = CAUTION if own < LITTLE * least else GOOD
    key = "varies little" if level == CAUTION else "varies"
    yield Finding(key, level, said, f"caution below {LITTLE:g} of theirs")


def _labels(check: Check, measured: Measured, known: set[str]) -> Iterator[Finding]:
    labels, orders = measured.labels, measured.orders
    assert labels is not None and orders is not None
    numbers = f"top-5 {per_cent(labels.top5)}, with permuted classes {per_cent(labels.permuted_top5)}"
    assert measured.variety is not None
    part = measured.variety.total / check.photographs_spread
    if "ignores the class" in known:
        if part < NO_SPREAD_IN_ONE_CLASS:
            yield _untrained(check, measured, NO_SPREAD_IN_ONE_CLASS)
        return
    other = max(orders.named, key=lambda name: orders.named[name])
    if "classes coincide" in known:
        return  # the best order is then that of those that are left
    if _far_better(orders.named[other], orders.top5):
        said = (
            f"its classes are in another order: {other}; then its labels are right in {per_cent(orders.named[other])} "
            f"of the images (top 5), as it is in {per_cent(orders.top5)}"
        )
        key = "off by one" if other.startswith("off by one") else "order of classes"
        yield Finding(key, FAULT, said, _criterion("an order that people use"))
    elif _far_better(orders.matched, orders.top5):
        said = (
            f"its classes are in another order, none that is known: in the best one, found on half of its images, the "
            f"labels of the others are right in {per_cent(orders.matched)} (top 5), as it is in {per_cent(orders.top5)}"
        )
        yield Finding("order of classes", FAULT, said, _criterion("the best one-to-one order"))
    elif labels.top5 >= FOLLOWS:
        said = f"follows its labels: {numbers}"
        yield Finding("follows its labels", GOOD, said, f"top-5 of {per_cent(FOLLOWS)} or more; chance is 0.5 %")
    elif max(orders.top5, labels.top5, orders.matched) <= (chance := no_label(len(labels.by_class))):
        if part < NO_SPREAD:
            yield _untrained(check, measured, NO_SPREAD)
        else:
            said = f"shows no label in any order ({numbers}): untrained, or trained on something else than these labels"
            yield Finding("shows no label", FAULT, said, f"top-5 of {per_cent(chance)} or less, in the best order too")
    elif max(orders.top5, labels.top5) < FOLLOWS:
        said = f"hardly follows its labels: {numbers}"
        yield Finding("hardly follows its labels", CAUTION, said, f"top-5 below {per_cent(FOLLOWS)}")


def _images(measured: Measured) -> Iterator[Finding]:
    mends = measured.mends
    assert mends is not None
    best, as_it_is = mends.top5[mends.best], mends.top5[AS_IT_IS]
    if mends.best != AS_IT_IS:
        words = "red and blue are exchanged (BGR)" if mends.best == "BGR" else f"its images are {mends.best}"
        said = f"{words}: put right, its labels are right in {per_cent(best)} (top 5), as it is in {per_cent(as_it_is)}"
        criterion = f"a gain of {per_cent(GAIN)} or more, with McNemar's z of {SURE:g} or more"
        yield Finding(mends.best, FAULT, said, f"{criterion}: {mends.gain_z:.1f}")


def _quality(check: Check, measured: Measured) -> Iterator[Finding]:
    ours = measured.quality
    assert ours is not None
    floor = {one.name: one.quality.frechet for one in check.floors if one.quality}
    best = check.reference(PHOTOGRAPHS).quality
    assert best is not None
    lowest = min(floor, key=lambda name: floor[name])
    numbers = (
        f"Fréchet distance {number(ours.frechet)}; other photographs {number(best.frechet)}, "
        f"{', '.join(f'{name} {number(value)}' for name, value in floor.items())}"
    )
    if ours.frechet >= floor[lowest]:
        yield Finding(
            "no better than the floor", CAUTION, f"its images are no better than {lowest}: {numbers}", bound(lowest)
        )
    else:
        yield Finding("quality", GOOD, f"its images are closer to photographs than {lowest}: {numbers}", bound(lowest))
    if check.surroundings.bias:
        said = f"the Fréchet distances are {check.surroundings.bias}; compare them with each other only"
        yield Finding("few images", NOTE, said, "fewer images than features")


def _search(check: Check, measured: Measured) -> Iterator[Finding]:
    ours, beside = measured.search, check.reference(NOISE).search
    paired = measured.ten_against_all
    assert ours is not None and beside is not None and paired is not None
    noise = max(beside.curves[0][-1], 0.0)
    if ours.curves[1][-1] < noise:
        said = (
            f"worse than noise at k = 1: its best score is {ours.curves[1][-1]:.3f}, that of noise {noise:.3f}: "
            "something is wrong with labels, range or normalisation"
        )
        yield Finding("worse than noise", CAUTION, said, "best score of the label nearest to the caption below noise's")
    interval = f"by {paired.difference:+.4f} (95 % of resampled captions: {paired.low:+.4f} to {paired.high:+.4f})"
    ten, every = ours.curves[10][-1], ours.curves[1000][-1]
    criterion = "the interval over captions lies above 0"
    if paired.low > 0:
        said = f"search by labels pays: k = 10 ({ten:.4f}) beats k = 1,000 ({every:.4f}) {interval}"
        yield Finding("search pays", GOOD, said, criterion)
    else:
        said = f"search by labels does not pay: k = 10 ({ten:.4f}) against k = 1,000 ({every:.4f}) {interval}"
        yield Finding("search does not pay", CAUTION, said, criterion)


def _far_better(one: float, other: float) -> bool:
    return one >= TIMES * other and one >= other + POINTS


def _criterion(what: str) -> str:
    return f"{what} is right {TIMES:g} times as often, and by {per_cent(POINTS)} of the images"


def _untrained(check: Check, measured: Measured, part: float) -> Finding:
    assert measured.quality is not None and measured.variety is not None
    grey = check.reference(GREY).quality
    assert grey is not None
    said = (
        "looks untrained: it shows no label in any order; its Fréchet distance is "
        f"{number(measured.quality.frechet)}, one grey image's {number(grey.frechet)}, and CLIP's vectors are spread "
        f"by {measured.variety.total:.3f}, those of photographs by {check.photographs_spread:.3f}"
    )
    return Finding("untrained", FAULT, said, f"no label, and a spread below {part:g} of that of photographs")
