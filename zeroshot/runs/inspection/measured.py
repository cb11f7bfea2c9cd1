"""What a check has measured of one generator, in plain numbers: report.json holds it, verdicts are reached by it."""

from __future__ import annotations

from dataclasses import dataclass

from zeroshot.models.generators.suspect import Mechanics


@dataclass(frozen=True)
class Labels:
    """Whether images show their label, by CLIP among 1,000."""

    images: int
    top1: float  # share of images whose label is the nearest
    top5: float  # or among the five nearest
    permuted_top1: float  # the same where each class stands for another
    permuted_top5: float
    by_class: dict[int, float]  # class -> mean number of labels that are nearer than its own


@dataclass(frozen=True)
class Orders:
    """Whether images show their label in another order of the classes, on images put right by the best mend."""

    top5: float  # of the order as it is
    named: dict[str, float]  # other orders that people use -> top-5 accuracy
    matched: float  # of the best one-to-one order, found on one half of the images and tested on the other


@dataclass(frozen=True)
class Variety:
    """How images vary with z and class."""

    contrast: float  # standard deviation of pixels over images, in grey levels of 255
    by_class: float  # share of the pixels' variance that goes with the class, at the same z's
    by_z: float  # and with z, at the same classes
    class_share: float  # share of the variance of CLIP's vectors that lies between classes
    within: float  # spread of CLIP's vectors within a class, mean over classes
    total: float  # and of all
    collapsed: tuple[int, ...]  # classes whose images are nearly one
    twins: tuple[tuple[int, int], ...]  # classes whose images of one z are nearly one another's


@dataclass(frozen=True)
class Quality:
    """Images drawn at k = 10 for the captions, against the test photographs."""

    images: int
    photographs: int
    frechet: float
    kernel: float | None
    kernel_error: float | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Search:
    """Mean best scores after b = 1 … b_max images, by k; of what has no classes one curve, under 0."""

    curves: dict[int, list[float]]
    to_threshold: dict[int, int | None]


@dataclass(frozen=True)
class Paired:
    """The best score at k = 10 less that at k = 1,000: its mean over captions and interval of 95 %."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Mends:
    """Top-5 accuracy of the same images after each mend; `best` is one only whose gain is sure, and gain_z how sure
    (McNemar's z)."""

    range: str  # that the values seem to be in; empty where they are in [-1, 1] or in none that is known
    top5: dict[str, float]
    best: str
    gain_z: float


@dataclass(frozen=True)
class Measured:
    """All of one generator; what a floor or a ceiling has not is None."""

    name: str
    architecture: str
    by_factory: bool  # whether a factory made it, whose modules `run` puts into evaluation mode by itself
    image_size: int
    mechanics: Mechanics | None
    labels: Labels | None
    variety: Variety | None
    quality: Quality | None
    permuted_quality: Quality | None
    search: Search | None
    permuted_search: Search | None
    ten_against_all: Paired | None
    mends: Mends | None
    orders: Orders | None
