"""What a search for one's own sentence leaves: pictures, figures, and the numbers in a JSON file."""

from __future__ import annotations

import io
import json
import os
import shutil
import textwrap
import warnings
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from zeroshot.errors import EnvironmentFailure
from zeroshot.report.style import k_style
from zeroshot.runs.imagine import SearchResult
from zeroshot.searching.prompts import Pairs
from zeroshot.storage.files import set_aside, sha256

FILES = ("best.png", "strip.png", "curve.png", "labels.csv", "imagine.json")
COLUMNS = 6  # pictures in a row of the strip
# For prompts in scripts that matplotlib's own font lacks, whichever of these is installed.
FONTS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Noto Sans", "Unifont")


def sentence(pairs: Pairs) -> str:
    """The prompt as people read it: the text, or each text with its weight before it."""
    if len(pairs) == 1 and pairs[0][1] == 1:
        return pairs[0][0]
    return " ".join(f"{weight:+g} · “{text}”" for text, weight in pairs)


def strip(result: SearchResult, setting: str) -> Figure:
    """The best-so-far images in a row, b and score under each; `setting` names the world."""
    count = len(result.steps)
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    title = _wrapped(sentence(result.prompts), 18 * max(columns, 2))
    head = 0.2 * (title.count("\n") + 1) + 0.25  # inches above the pictures
    size = (1.7 * max(columns, 2) + 0.2, 2.3 * rows + head)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.08))
    panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for panel in panels[count:]:
        panel.axis("off")
    for panel, step in zip(panels, result.steps, strict=False):
        panel.imshow(step.image, interpolation="nearest")
        label = textwrap.shorten(step.label, 24, placeholder=" …")
        below = f"b = {step.b}\nscore {step.score:.4f}\n{label}"
        panel.set_xlabel(below, fontsize=7.5, linespacing=1.35, parse_math=False)
        panel.set(xticks=[], yticks=[], frame_on=False)
    _titled(figure, title, setting)
    return figure


def curve(result: SearchResult, setting: str) -> Figure:
    """The score of every image drawn, the running best, and the winner; `setting` names the world."""
    b = np.arange(1, len(result.scores) + 1)
    title = _wrapped(sentence(result.prompts), 80)
    figure = Figure(figsize=(6.4, 3.6 + 0.17 * title.count("\n")), layout="constrained")
    axes = figure.subplots()
    colour, best = k_style(len(result.labels)).colour, np.maximum.accumulate(result.scores)
    axes.plot(b, result.scores, ".", color="0.6", markersize=4, label="each image", zorder=1)
    axes.step(b, best, where="post", color=colour, linewidth=1.6, label="best so far", zorder=2)
    winner = f"b = {result.b}: {result.score:.4f}"
    axes.plot([result.b], [result.score], "*", color=colour, mec="black", markersize=11, label=winner, zorder=3)
    axes.set(xlabel="images drawn (b)", ylabel="CLIP score")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.02)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(fontsize=8, frameon=False, loc="lower right", ncols=3, bbox_to_anchor=(1, 1), borderaxespad=0.1)
    _titled(figure, title, setting)
    return figure


def labels(result: SearchResult) -> pd.DataFrame:
    """The top k labels, most similar first: columns rank, label_index, label, similarity."""
    table = pd.DataFrame({"label_index": result.label_indices, "label": result.labels})
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.assign(similarity=[round(float(s), 6) for s in result.similarities])


def summary(result: SearchResult, settings: dict[str, Any], provenance: dict[str, Any]) -> dict[str, Any]:
    """What imagine.json holds."""
    return {
        "prompts": [{"text": text, "weight": weight} for text, weight in result.prompts],
        "world": settings["world"]["name"],
        "generator": settings["generator"]["name"],
        "k": settings["k"],
        "b_max": settings["b_max"],
        "seed": settings["seed"],
        "best": {"b": result.b, "score": result.score, "label": result.label},
        "labels": labels(result).to_dict("records"),
        "steps": [{"b": step.b, "score": step.score, "label": step.label} for step in result.steps],
        "scores": [float(f"{score:.9g}") for score in result.scores],
        "files": {name.partition(".")[0]: name for name in FILES if name != "imagine.json"},
        "settings": settings,
        "provenance": provenance,
    }


def read(folder: Path) -> dict[str, Any] | None:
    """imagine.json of a folder in which every file is as it was written; None where there is none.

    A folder with a missing or damaged file is set aside (suffix .damaged) first.
    """
    if not folder.exists():
        return None
    try:
        content = json.loads((folder / "imagine.json").read_text(encoding="utf-8"))
        stated = content.pop("sha256")
        sums = {name: sha256((folder / name).read_bytes()) for name in FILES if name != "imagine.json"}
        if stated == sha256(_canonical(content)) and sums == content["files_sha256"]:
            return content
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    set_aside(folder)
    return None


def write(result: SearchResult, folder: Path, settings: dict[str, Any], provenance: dict[str, Any]) -> dict[str, Any]:
    """Write all files of a search; the folder appears under its name only when they are whole.

    Args:
        result: from `zeroshot.search`.
        folder: where to; what is there already is replaced.
        settings: what was searched with (world, generator, k, b_max, seed, …), as nested dictionaries.
        provenance: where, when and with what.

    Returns:
        `summary`, as imagine.json holds it.

    Raises:
        EnvironmentFailure: the disk refuses; with the path and the bytes needed.
    """
    content = summary(result, settings, provenance)
    files = _files(result, settings, content)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, file in files.items():
            (partial / name).write_bytes(file)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except OSError as error:
        if read(folder):
            return content  # another process, asked for the same, was first
        raise EnvironmentFailure(
            f"{folder} needs {sum(map(len, files.values())):,} bytes and cannot be written ({error.strerror}): make "
            "room, or give another folder with output=…"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return content


def _files(result: SearchResult, settings: dict[str, Any], content: dict[str, Any]) -> dict[str, bytes]:
    """Name -> content of every file; imagine.json states the checksums of all, itself included."""
    world, generator = settings["world"]["name"], settings["generator"]["name"]
    setting = f"world: {world}, generator: {generator}, k = {settings['k']}, b_max = {settings['b_max']}, "
    setting += f"seed = {settings['seed']}"
    best = io.BytesIO()
    result.image.save(best, "png")
    files = {
        "best.png": best.getvalue(),
        "strip.png": _png(strip(result, setting)),
        "curve.png": _png(curve(result, setting)),
        "labels.csv": labels(result).to_csv(index=False).encode(),
    }
    content = content | {"files_sha256": {name: sha256(file) for name, file in files.items()}}
    content["sha256"] = sha256(_canonical(content))
    return files | {"imagine.json": (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()}


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _png(figure: Figure) -> bytes:
    known = {font.name for font in font_manager.fontManager.ttflist}
    families = ["DejaVu Sans", *(name for name in FONTS if name in known)]
    buffer = io.BytesIO()
    with matplotlib.rc_context({"font.family": families}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box is drawn; the JSON has the text
        for text in figure.findobj(matplotlib.text.Text):
            text.set_fontfamily(families)
        figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()


def _wrapped(text: str, width: int) -> str:
    """At most three lines."""
    return "\n".join(textwrap.wrap(" ".join(text.split()), width, max_lines=3, placeholder=" …"))


def _titled(figure: Figure, title: str, setting: str) -> None:
    figure.suptitle(title, fontsize=9.5, parse_math=False)
    figure.supxlabel(setting, fontsize=7, color="0.35", parse_math=False)
