"""The page: everything that is known of one folder outputs/<world>/<variant>, in one file that needs nothing else.

Drawn from the files of finished runs and from tables/ and figures/ beside them; what is not there yet is said to be so.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup
from PIL import Image

from zeroshot.report import page_facts, tables
from zeroshot.report.claims import interval
from zeroshot.report.figure2_svg import GEOMETRY, Figure2, figure2_svg
from zeroshot.report.gallery import gallery
from zeroshot.report.style import NAMES
from zeroshot.report.thresholds import with_images_of
from zeroshot.report.titles import listed
from zeroshot.runs.imagine import checkpoints
from zeroshot.storage.files import write_text
from zeroshot.worlds.world import World

LARGEST = 256  # pixels a side of a picture in the gallery
LOSSLESS = 128  # up to this side pictures are PNG, above it JPEG
FIGURES = ("figure1", "figure2_log", "figure3")  # beside Figure 2, which is drawn here
HEAVY = 1_000_000  # bytes above which a figure is embedded as JPEG

TABLES = {"table1": tables.table1, "table2": tables.table2, "table3": tables.table3}


@dataclass(frozen=True)
class Shown:
    """A table as text: its head, how many of its columns name the row, its rows, and what its numbers suffer from."""

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    heads: int
    rows: tuple[tuple[str, ...], ...]


def write_page(
    world: World,
    runs: pd.DataFrame,
    folder: Path,
    captions: int = 5,
    k: Sequence[int] = (10, 1000),
    curve: str = "run",
) -> Path:
    """Write <folder>/page/index.html and return its path.

    Args:
        world: the world of the runs.
        runs: a collected table (`zeroshot.report.collect.collect`).
        folder: outputs/<world>/<variant>.
        captions: of the gallery.
        k: of the gallery.
        curve: `run` or `expected`: what Table 2 and Figure 2 are drawn from, as `zeroshot.report.collect.curve`.

    Raises:
        UserError: captions below 1.
        EnvironmentFailure: the page cannot be written.
    """
    text = render(world, runs, folder, captions, k, curve)
    path = folder / "page" / "index.html"
    write_text(path, text)
    return path


def render(
    world: World,
    runs: pd.DataFrame,
    folder: Path,
    captions: int = 5,
    k: Sequence[int] = (10, 1000),
    curve: str = "run",
) -> str:
    """The page as HTML; arguments as `write_page`."""
    loader = jinja2.PackageLoader("zeroshot.report")
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["uri"] = data_uri
    style, script = (Markup(loader.get_source(environment, name)[0]) for name in ("page.css", "page.js"))
    ddof = world.settings.protocol.band_ddof
    drawn = figure2_svg(runs, curve, ddof)
    entries = gallery(world, runs, captions, k)
    files = {name: name for name in FIGURES}
    files["figure2_log"] += "" if curve == "run" else f"_{curve}"
    facts = page_facts.facts(world, runs)
    seeds = int(runs["seed"].nunique())
    return environment.get_template("page.html").render(
        facts=facts,
        summary=page_facts.summary(facts),
        world=world.name,
        setting=page_facts.setting(world, runs),
        seeds=seeds,
        tables=[shown_table(name, runs, curve) for name in TABLES],
        curve=curve,
        bias=tables.bias_of(runs),
        claims=read_claims(folder / "tables" / "claims.csv"),
        checks=read_checks(folder / "check"),
        figure2=drawn,
        band="sample" if ddof else "population",
        geometry=GEOMETRY,
        curves=for_script(curve_numbers(drawn) | {"seeds": seeds}),
        figures={name: figure_uri(folder / "figures" / f"{file}.png") for name, file in files.items()},
        gallery=entries,
        gallery_seed=int(runs["seed"].min()),
        moments=listed(checkpoints(drawn.b_max)),
        names=NAMES,
        style=style,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def shown_table(name: str, runs: pd.DataFrame, curve: str = "run") -> Shown:
    """One of the paper's tables of these runs."""
    if name == "table2" and curve != "run":
        runs = with_images_of(runs, curve)
    shaped = tables.paper_shape(name, TABLES[name](runs), int(runs["b_max"].iloc[0]))
    heads = sum(not column.startswith("k = ") for column in shaped.columns)
    rows = [tuple(NAMES.get(str(cell), str(cell)) for cell in row) for row in shaped.itertuples(index=False)]
    note = "" if name == "table2" else tables.bias_of(runs)
    return Shown(name, page_facts.TITLES[name], note, tuple(map(str, shaped.columns)), heads, tuple(rows))


def read_claims(path: Path) -> list[dict[str, str]] | None:
    """The rows of claims.csv as text, each with its `interval` in words; None where it has not been written."""
    if not path.exists():
        return None
    rows = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    return [row | {"interval": interval(row)} for row in rows]


def read_checks(folder: Path) -> list[dict[str, Any]]:
    """Name, verdict, findings and picture of each generator that was checked, by name; what is damaged is left out."""
    found = []
    for path in sorted(folder.glob("*/report.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            shown = {key: content[key] for key in ("generator", "verdict", "findings")}
        except (ValueError, KeyError, TypeError):
            continue
        found.append(shown | {"picture": figure_uri(path.with_name("report.png"))})
    return found


def curve_numbers(drawn: Figure2) -> dict[str, Any]:
    """What the page's script needs of Figure 2."""
    return {
        "names": {generator: NAMES.get(generator, generator) for generator in drawn.means},
        "means": {g: {str(k): m.round(8).tolist() for k, m in by_k.items()} for g, by_k in drawn.means.items()},
        "spreads": {g: {str(k): s.round(8).tolist() for k, s in by_k.items()} for g, by_k in drawn.spreads.items()},
    }


def for_script(content: Any) -> Markup:
    """JSON that can stand inside a script element: nothing in it ends that element."""
    text = json.dumps(content, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def data_uri(pixels: np.ndarray) -> str:
    """A picture uint8 [H, W, 3] as a data URI: PNG where it is small, JPEG of at most LARGEST pixels a side else."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return _encoded(picture, "PNG" if max(picture.size) <= LOSSLESS else "JPEG")


def figure_uri(path: Path) -> str | None:
    """A figure as a data URI; None where it has not been drawn."""
    if not path.exists():
        return None
    content = path.read_bytes()
    if len(content) > HEAVY:
        return _encoded(Image.open(io.BytesIO(content)).convert("RGB"), "JPEG")
    return "data:image/png;base64," + base64.b64encode(content).decode()


def _encoded(picture: Image.Image, form: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, form, optimize=True, **({"quality": 88} if form == "JPEG" else {}))
    return f"data:image/{form.lower()};base64," + base64.b64encode(buffer.getvalue()).decode()
