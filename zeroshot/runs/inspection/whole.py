"""A whole check: the generators asked for, the world's own beside them, a floor and a ceiling."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from zeroshot.errors import EnvironmentFailure
from zeroshot.metrics.bias import bias_note
from zeroshot.runs.inspection.inspect import inspect, samples
from zeroshot.runs.inspection.measured import Measured
from zeroshot.runs.inspection.references import ceiling, floors
from zeroshot.runs.inspection.sizes import K, Sizes
from zeroshot.runs.inspection.subject import Subject, subject
from zeroshot.runs.inspection.work import Work
from zeroshot.worlds.parts import world_parts
from zeroshot.worlds.sources import check_present
from zeroshot.worlds.world import World

WORST = 20  # classes listed, with pictures
SHOWN = 4  # pictures of a class


@dataclass(frozen=True)
class Surroundings:
    """What a check's numbers belong to."""

    world: str
    protocol: str
    clip: str
    precision: str
    device: str
    threshold: float
    own_photograph: float | None  # mean score of the captions with their own photographs, where they are there
    sizes: Sizes
    feature_dim: int
    bias: str  # what is said of the Fréchet distances; empty where the images are enough
    left_out: str  # reference generators that are not there, and why; empty where none is


@dataclass(frozen=True)
class Check:
    """What was measured: of the generators asked for, and of what they stand beside."""

    surroundings: Surroundings
    measured: list[Measured]
    generators: list[Measured]  # the world's own that were not asked for
    floors: list[Measured]
    ceiling: list[Measured]
    photographs_spread: float  # of CLIP's vectors of the test photographs
    # Of each generator asked for: class -> uint8 [SHOWN, S, S, 3], of its worst classes and some evenly spaced.
    pictures: dict[str, dict[int, np.ndarray]] = field(repr=False)

    @property
    def own_generators(self) -> list[Measured]:
        """The world's own, whether they were asked for or not."""
        names = world_parts(self.surroundings.world).generators
        return [one for one in [*self.measured, *self.generators] if one.name in names]

    def reference(self, name: str) -> Measured:
        """A floor or ceiling by its name."""
        return next(one for one in [*self.floors, *self.ceiling] if one.name == name)


def check_subjects(
    world: World,
    subjects: Sequence[Subject],
    sizes: Sizes,
    should_stop: Callable[[], bool] = lambda: False,
) -> Check:
    """Measure generators and what they stand beside; what was measured before is taken from the world's cache.

    Raises Interrupted where it is to stop, and UserError for what a generator's code raises.
    """
    settings = dataclasses.replace(world.settings, captions=sizes.captions, b_max=sizes.b_max)
    searched = world.searched(settings)
    tasks = world.tasks(searched)
    beside, left_out = _own_generators(world, [one.name for one in subjects])
    total = len(subjects) * _images(sizes, True) + len(beside) * _images(sizes, False) + 2 * len(tasks) * sizes.b_max
    with tqdm(total=total, desc="check", unit="img", disable=None, leave=False) as bar:
        work = Work(world, should_stop, bar)
        under = floors(work, sizes, tasks, max(one.suspect.image_size for one in subjects))
        above, photographs_spread = ceiling(work, sizes, tasks)
        found = []
        for one in [*subjects, *beside]:
            bar.set_description(f"check {one.name}")
            found.append(inspect(work, one, sizes, tasks, one in subjects))
    asked = found[: len(subjects)]
    rows = {image_id: row for row, image_id in enumerate(world.test.image_ids)}
    there = [row for row in (rows[task.image_id] for task in tasks) if row not in world.test.missing]
    return Check(
        Surroundings(
            world=world.name,
            protocol=world.settings.protocol.name,
            clip=world.clip.identity["model"],
            precision=world.settings.precision,
            device=world.models.device_name,
            threshold=world.threshold,
            own_photograph=_own_photograph(world, tasks, rows) if len(there) == len(tasks) else None,
            sizes=sizes,
            feature_dim=world.features.dim,
            bias=bias_note(min(len(world.test_features), len(tasks) * sizes.b_max), world.features.dim),
            left_out=left_out,
        ),
        asked,
        found[len(subjects) :],
        under,
        above,
        photographs_spread,
        {one.name: _pictures(work, one, measured) for one, measured in zip(subjects, asked, strict=True)},
    )


def _own_generators(world: World, asked: list[str]) -> tuple[list[Subject], str]:
    """The world's own generators that were not asked for; and which are not downloaded."""
    found, missing = [], []
    for name, settings in world_parts(world.name).generators.items():
        if name in asked:
            continue
        try:
            check_present(dataclasses.replace(world.settings, generator=settings))
        except EnvironmentFailure:
            missing.append(name)
            continue
        found.append(subject(world, settings))
    return found, f"{', '.join(missing)}: not downloaded" if missing else ""


def _images(sizes: Sizes, thorough: bool) -> int:
    per_k = sizes.captions * sizes.b_max
    return sizes.classes * sizes.per_class + per_k * (2 * len(K) - 1 if thorough else len(K))


def _own_photograph(world: World, tasks: list, rows: dict[str, int]) -> float:
    images = [world.test.image(rows[task.image_id]) for task in tasks]
    embeddings = world.clip.encode_pil(images).cpu().numpy().astype(np.float64)
    text = np.stack([task.text[task.caption[0]] for task in tasks]).astype(np.float64)
    return float((embeddings * text).sum(axis=1).mean())


def _pictures(work: Work, one: Subject, measured: Measured) -> dict[int, np.ndarray]:
    some = np.array(list(dict.fromkeys(worst(measured) + spaced(measured))))
    where = samples(some, SHOWN, one.suspect.z_dim)
    pictures = one.engine(work.world).pictures(where)
    return dict(zip(some.tolist(), pictures.reshape(len(some), SHOWN, *pictures.shape[1:]), strict=True))


def spaced(measured: Measured, count: int = 10) -> list[int]:
    """Some of the classes looked at, evenly spaced."""
    assert measured.labels is not None
    classes = list(measured.labels.by_class)
    return [classes[i] for i in np.linspace(0, len(classes) - 1, count).round().astype(int)]


def worst(measured: Measured, count: int = WORST) -> list[int]:
    """The classes whose images have most labels nearer than their own, the worst first."""
    assert measured.labels is not None
    by_class = measured.labels.by_class
    return sorted(by_class, key=lambda c: (-by_class[c], c))[:count]
