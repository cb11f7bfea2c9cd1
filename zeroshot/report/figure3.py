"""Figure 3: captions beside their photograph and the image that each search selected, with its score and label.

Runs store scores, not images: the selected images are made again from their addresses. Rows that are a typed sentence
instead of a test image are searched for here, with the settings of the runs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from zeroshot.data.text import cleaned
from zeroshot.errors import UserError
from zeroshot.report.percentiles import at_percentiles
from zeroshot.report.redraw import redraw
from zeroshot.runs.directory import read_run_table
from zeroshot.runs.imagine import changes
from zeroshot.runs.run import run_path
from zeroshot.runs.strategies import searching
from zeroshot.searching.algorithm1 import Scores, Task
from zeroshot.searching.strategies.softmax import drawn_by
from zeroshot.settings import RunSettings
from zeroshot.worlds.protocols import cut
from zeroshot.worlds.world import World

logger = logging.getLogger(__name__)

# The captions of the paper's Figure 3.
PAPER_CAPTIONS = (
    "small chubby bird with a blue body, and bluish green wings and tail",
    "a bright orange bird with a small orange beak and a black throat",
    "this short billed bird has a yellow throat with a greenish malar stripe",
)
# Test captions are taken where the search did well, middling and badly: percentiles of their best score.
PERCENTILES = (90, 50, 10)
OF_THE_PAPER = "caption of the paper's Figure 3"
NOT_RUN, NO_PHOTOGRAPH = "not run", "no photograph"


@dataclass(frozen=True)
class Cell:
    """An image uint8 [S, S, 3] with its CLIP score and its label; without an image, `label` says why."""

    image: np.ndarray | None
    score: float | None
    label: str
    caption: str = ""  # what the image was scored with


@dataclass(frozen=True)
class Row:
    """A caption, why it is shown, its photograph and a cell per column of the figure.

    The caption is empty where each image was scored with another one of its photograph's (protocol=released).
    """

    caption: str
    note: str
    photograph: Cell
    cells: tuple[Cell, ...]


def figure3_rows(world: World, columns: Sequence[RunSettings], output: Path, captions: Sequence[str] = ()) -> list[Row]:
    """The rows of Figure 3.

    Args:
        world: the world of the runs.
        columns: the settings of one run per column; a run that is not finished gives empty cells.
        output: root of all outputs.
        captions: image ids of the test split (they must be among those that the runs searched for) or sentences of
            one's own. Empty: in the real world the paper's three; elsewhere three test captions at fixed percentiles of
            the best score, averaged over the columns, and then the paper's three without a photograph.

    Raises:
        UserError: an image id that the runs did not search for; an empty caption.
    """
    selected = [_selected(output, settings) for settings in columns]
    ids = set(world.test.image_ids)
    if captions:
        wanted = [(text, "") for text in captions]
    else:
        chosen = [] if world.name == "paper" else representative(selected)
        wanted = [*chosen, *((text, OF_THE_PAPER) for text in PAPER_CAPTIONS)]
    images = _image_rows(world, columns, selected, [entry for entry in wanted if entry[0] in ids])
    texts = _text_rows(world, columns, [entry for entry in wanted if entry[0] not in ids])
    return [images.pop(0) if name in ids else texts.pop(0) for name, _ in wanted]


def needs_runs(world: World, captions: Sequence[str]) -> bool:
    """Whether a row comes from a finished run; typed sentences are searched for on their own."""
    if not captions:
        return world.name != "paper"
    return not set(captions).isdisjoint(world.test.image_ids)


def representative(selected: Sequence[pd.DataFrame | None]) -> list[tuple[str, str]]:
    """(image id, which percentile) at PERCENTILES of the captions' best scores, averaged over the finished runs."""
    finished = [table.set_index("image_id")["score"] for table in selected if table is not None]
    if not finished:
        return []
    found = at_percentiles(finished, PERCENTILES)
    return [(image_id, f"{p}th percentile of best scores") for image_id, p in found.items()]


def search_texts(world: World, settings: RunSettings, texts: Sequence[str]) -> tuple[list[Task], Scores]:
    """Typed sentences searched for as a run's settings say; a sentence is its address.

    Raises UserError for an empty sentence.
    """
    if not all(cleaned(text).strip() for text in texts):
        raise UserError("figure3.captions holds an empty caption, but a caption needs at least one word")
    embeddings = world.clip.encode_text([cut(text, settings.protocol) for text in texts]).cpu().numpy()  # [n, D]
    zeros = np.zeros(settings.b_max, dtype=np.int64)
    rankings = world.rank(embeddings)  # [n, 1000]
    tasks = [Task(text, e[None], r[None], zeros, zeros) for text, e, r in zip(texts, embeddings, rankings, strict=True)]
    search, _ = searching(world, settings)
    return tasks, search(drawn_by(tasks, settings.start, world.label_embeddings), lambda paid: None)


def _selected(output: Path, settings: RunSettings) -> pd.DataFrame | None:
    """selected.parquet of a run; None where it is not finished."""
    path = run_path(output, settings)
    return read_run_table(path, "selected.parquet") if (path / "metrics.json").exists() else None


def _image_rows(
    world: World,
    columns: Sequence[RunSettings],
    selected: Sequence[pd.DataFrame | None],
    wanted: Sequence[tuple[str, str]],
) -> list[Row]:
    """Rows of test images, from the finished runs."""
    ids = [image_id for image_id, _ in wanted]
    if not ids:
        return []
    cells = [_run_cells(world, settings, table, ids) for settings, table in zip(columns, selected, strict=True)]
    rows = []
    for number, (image_id, note) in enumerate(wanted):
        own = tuple(column[number] for column in cells)
        captions = list(dict.fromkeys(cell.caption for cell in own if cell.caption))
        caption = captions[0] if len(captions) == 1 else ""
        rows.append(Row(caption, note, _photograph(world, image_id, caption), own))
    return rows


def _run_cells(world: World, settings: RunSettings, table: pd.DataFrame | None, ids: Sequence[str]) -> list[Cell]:
    if table is None:
        return [Cell(None, None, NOT_RUN)] * len(ids)
    by_id = table.set_index("image_id", drop=False)
    missing = [image_id for image_id in ids if image_id not in by_id.index]
    if missing:
        raise UserError(
            f"figure3.captions names {missing[0]}, which is not among the {len(table)} test images that were searched "
            "for: give one of selected.parquet, a sentence, or a larger number of captions"
        )
    return _cells(world, settings, by_id.loc[list(ids)])


def _text_rows(world: World, columns: Sequence[RunSettings], wanted: Sequence[tuple[str, str]]) -> list[Row]:
    """Rows of typed sentences, searched for now."""
    for line in (line for text, _ in wanted for line in changes(world, text)):
        logger.warning("figure3.captions: %s", line)
    wanted = [(cleaned(text), note) for text, note in wanted]
    texts = [text for text, _ in wanted]
    if not texts:
        return []
    cells = []
    for settings in columns:
        scores = search_texts(world, settings, texts)[1]
        rows, won = np.arange(len(texts)), scores.best_b - 1
        label_index = scores.class_index[rows, won]
        best = {"image_id": texts, "caption": texts, "b": won + 1, "label_index": label_index}
        best |= {"label": [world.labels[i] for i in label_index], "score": scores.score[rows, won]}
        best |= {"z": scores.z, "class_weights": scores.class_weights} if scores.z else {}
        cells.append(_cells(world, settings, pd.DataFrame(best)))
    return [
        Row(text, note, _photograph(world, _image_with(world, text), text), tuple(column[i] for column in cells))
        for i, (text, note) in enumerate(wanted)
    ]


def _cells(world: World, settings: RunSettings, rows: pd.DataFrame) -> list[Cell]:
    """A cell per row of a table such as selected.parquet."""
    pictures = redraw(world, settings, rows)
    found = zip(pictures, rows["score"], rows["label"], rows["caption"], strict=True)
    return [Cell(picture, float(score), label, caption) for picture, score, label, caption in found]


def _image_with(world: World, text: str) -> str | None:
    """The test image that has this sentence among its captions."""
    plain = text.strip().rstrip(".").strip().lower()
    for image_id, captions in zip(world.test.image_ids, world.test.captions, strict=True):
        if plain in (caption.strip().rstrip(".").strip().lower() for caption in captions):
            return image_id
    return None


def _photograph(world: World, image_id: str | None, caption: str) -> Cell:
    """The photograph with its species and, where it was prepared as the generated images are, its score."""
    if image_id is None:
        return Cell(None, None, NO_PHOTOGRAPH)
    row = world.test.image_ids.index(image_id)
    if row in world.test.missing:
        return Cell(None, None, NO_PHOTOGRAPH)
    picture = world.test.image(row)
    score = None
    if caption and world.settings.protocol.threshold == "clip":
        text = world.clip.encode_text([cut(caption, world.settings.protocol)])[0].double()
        score = float(world.clip.encode_pil([picture])[0].double() @ text)
    return Cell(np.asarray(picture), score, species(image_id), caption)


def species(image_id: str) -> str:
    """What CUB's image ids say: `016.Painted_Bunting/Painted_Bunting_0052` -> Painted Bunting."""
    return re.sub(r"^\d+\.", "", image_id.split("/")[0]).replace("_", " ") if "/" in image_id else ""
