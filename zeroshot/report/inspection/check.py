"""`zeroshot.check`: the sanity check of class-conditional generators, from Python and for the command."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from zeroshot.errors import UserError
from zeroshot.limits import check_name, check_values
from zeroshot.report.inspection.rows import in_print, in_words, table
from zeroshot.report.inspection.text import report, setting, verdict
from zeroshot.report.inspection.verdicts import Finding, findings, headline
from zeroshot.report.tables import markdown
from zeroshot.runs.inspection.sizes import Sizes
from zeroshot.runs.inspection.subject import Subject, subject
from zeroshot.runs.inspection.whole import Check, check_subjects
from zeroshot.storage.files import check_writable, write_bytes, write_text
from zeroshot.version import __version__
from zeroshot.worlds.parts import variant, world_parts
from zeroshot.worlds.world import World

if TYPE_CHECKING:
    from torch import nn

FILES = ("report.md", "report.json", "report.png")


@dataclass(frozen=True, repr=False)
class Checked:
    """What a check found: printed, and shown by a notebook, as verdicts above one table.

    `verdicts` has a line for each generator, `findings` what it rests on, `table` the numbers (`rows.table`), `folders`
    where report.md, .json and .png lie.
    """

    setting: str
    verdicts: dict[str, str]
    findings: dict[str, list[Finding]]
    table: pd.DataFrame
    folders: dict[str, Path]
    text: str  # Markdown

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text

    def picture(self, name: str) -> bytes:
        """report.png of one of the generators. Raises UserError for a name that is none of them."""
        if name not in self.folders:
            raise UserError(f"generator = {name!r:.80}, but checked were {', '.join(self.folders)}")
        return (self.folders[name] / "report.png").read_bytes()


def check(
    world: World,
    generators: str | Sequence[str] | Mapping[str, nn.Module],
    *,
    classes: int = Sizes.classes,
    per_class: int = Sizes.per_class,
    captions: int = Sizes.captions,
    b_max: int = Sizes.b_max,
    output: str | Path = "outputs",
) -> Checked:
    """Check generators: do they follow their labels, do they vary, how good are their images, how efficient is search.

    A generator need not be sound: values outside [-1, 1], training mode and images that depend on their neighbours are
    reported, where `search` and `evaluate` refuse them. What was measured before is found again in the world's cache.

    Args:
        world: from `load_world`; with a `cache`, an interrupted check goes on where it was.
        generators: names among `world.generator_names`, or {name: module} for what `add_generator` may refuse.
        classes: how many are looked at, evenly spaced, 20 … 1,000.
        per_class: images of each, at least 3.
        captions: test images searched for, at least 2.
        b_max: images drawn per caption and k, at least 4.
        output: root of all outputs; the reports go to <output>/<world>/<protocol>/check/<generator>/.

    Raises:
        UserError: unknown name, a number out of range, or code of the user's that raises or returns no images.
        EnvironmentFailure: folder not writable; damaged weights.

    Example:
        >>> print(check(load_world("miniature"), "sagan"))  # doctest: +SKIP
    """
    sizes = Sizes(classes, per_class, captions, b_max)
    if isinstance(generators, Mapping):
        given: list[tuple[str, Any]] = list(generators.items())
        taken = [name for name in generators if name in world_parts(world.name).generators]
        if taken:
            raise UserError(f"generator {taken[0]!r} is one of this world's own: give another name")
    else:
        given = [(name, name) for name in ([generators] if isinstance(generators, str) else generators)]
    check_values("generators", [name for name, _ in given])
    for name, _ in given:
        check_name("generator", name)
    return check_all(world, lambda: [subject(world, what, name) for name, what in given], sizes, Path(output))


def check_all(
    world: World,
    load: Callable[[], list[Subject]],
    sizes: Sizes,
    output: Path,
    should_stop: Callable[[], bool] = lambda: False,
) -> Checked:
    """Measure what `load` gives, and write each generator's report.

    Raises Interrupted where it is to stop, and as `check`.
    """
    if world.settings.compile:
        raise UserError("compile = true, but a check looks at a generator as it is: give compile=false")
    check_writable(output)
    found = check_subjects(world, load(), sizes, should_stop)
    folder = output / world.name / _variant(world) / "check"
    numbers = table(found)
    said = {one.name: findings(found, one) for one in found.measured}
    folders = {one.name: folder / one.name for one in found.measured}
    for one in found.measured:
        _write(found, one.name, said[one.name], numbers, world.labels, folders[one.name])
    text = "\n\n".join(
        [
            f"Sanity check ({setting(found)})",
            *(verdict(one, said[one.name]) for one in found.measured),
            markdown(in_words(numbers).rename(columns={"": "generator"})),
        ]
    )
    headlines = {name: headline(own) for name, own in said.items()}
    return Checked(setting(found), headlines, said, numbers, folders, text)


def _variant(world: World) -> str:
    """A folder's name by the world's settings but for its generator, and for how much is searched."""
    parts = world_parts(world.name)
    generator = next(iter(parts.generators.values()))
    plain = dataclasses.replace(world.settings, generator=generator, captions=parts.world.captions, b_max=100)
    return variant(plain)


def _write(
    found: Check, name: str, said: list[Finding], numbers: pd.DataFrame, labels: Sequence[str], folder: Path
) -> None:
    # Here, since it takes a second and a refusal needs no picture.
    from zeroshot.report.inspection.drawing import draw

    measured = next(one for one in found.measured if one.name == name)
    write_text(folder / "report.md", report(found, measured, said, numbers, labels))
    buffer = io.BytesIO()
    draw(found, measured, numbers, labels, f"{in_print(name)}: {headline(said)}\n{setting(found)}").savefig(
        buffer, dpi=110
    )
    write_bytes(folder / "report.png", buffer.getvalue())
    content = {
        "generator": name,
        "verdict": headline(said),
        "findings": [dataclasses.asdict(one) for one in said],
        "table": numbers.to_dict("records"),
        "measured": dataclasses.asdict(measured),
        "beside": [
            dataclasses.asdict(one)
            for one in [*found.measured, *found.generators, *found.floors, *found.ceiling]
            if one.name != name
        ],
        "surroundings": dataclasses.asdict(found.surroundings),
        "version": __version__,
    }
    write_text(
        folder / "report.json", json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )


def _plain(content: Any) -> Any:
    """The same for JSON: what is not a number is null."""
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
