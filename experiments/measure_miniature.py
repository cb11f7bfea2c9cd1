"""Measure the embedded world: python -m experiments.measure_miniature [FOLDER]; writes figures and contact sheets.

Prints how well its CLIP knows its labels and photographs, and how sharp and varied its generators' images are: the
figures of docs/miniature.md. Takes a few minutes on two CPU cores.

  python -m experiments.measure_miniature
  python -m experiments.measure_miniature /tmp/measured

  FOLDER      where measured.json, contact_sheet.png and all_birds.png go: outputs/miniature/measured where not given
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from experiments.cli import StopRequest, guarded, run_as_command
from zeroshot.errors import UserError
from zeroshot.progress import doing
from zeroshot.report.tables import markdown
from zeroshot.storage.files import check_writable, write_text

if TYPE_CHECKING:
    from zeroshot.miniature.measure import Accuracy
    from zeroshot.worlds.world import World

# Birds that everybody knows, then things of other kinds.
SHEET = (11, 14, 22, 130, 84, 88, 94, 99, 145, 24, 15, 17, 207, 281, 2, 65, 323, 436, 950, 980)


def measured(world: World) -> dict[str, float]:
    """Every figure of docs/miniature.md, by name."""
    from zeroshot.miniature import measure

    names = world.generator_names
    steps: dict[str, Callable[[], float | Accuracy]] = {
        "label accuracy on renders": lambda: measure.accuracy_on_renders(world)
    }
    steps |= {f"label accuracy on {name}": partial(measure.accuracy_on_generated, world, name) for name in names}
    steps["caption to photograph, recall@5 of 100"] = lambda: measure.caption_recall(world)
    steps |= {f"diversity of {name}": partial(measure.diversity, world, name, None) for name in names}
    steps["diversity of biggan, truncation 0.4"] = lambda: measure.diversity(world, "biggan", 0.4)
    steps["sharpness of renders"] = lambda: measure.sharpness(world, None)
    steps |= {f"sharpness of {name}": partial(measure.sharpness, world, name) for name in names}
    steps["sharpness of biggan, truncation 0.4"] = lambda: measure.sharpness(world, "biggan", 0.4)
    steps["threshold"] = lambda: world.threshold
    figures: dict[str, float] = {}
    for name, step in tqdm(steps.items(), desc="measures", disable=None):
        value = step()
        if isinstance(value, float):
            figures[name] = value
        else:
            figures |= {f"{name}, top-1": value.top1, f"{name}, top-5": value.top5}
    return figures


def options(arguments: list[str]) -> Path:
    """The folder to write to. Raises UserError for more than one argument, or one that is no folder's name."""
    if len(arguments) > 1 or any(a.startswith("-") or "=" in a for a in arguments):
        raise UserError(f"{' '.join(arguments)} was given: give one folder to write to, or nothing")
    return Path(arguments[0] if arguments else "outputs/miniature/measured")


def main(stop: StopRequest) -> None:
    """Measure, print and write."""
    folder = options(sys.argv[1:])
    check_writable(folder)
    with doing("loading PyTorch and open_clip"):
        import numpy as np
        import pandas as pd
        from PIL import Image

        from zeroshot.miniature import measure
        from zeroshot.miniature.label_things import BIRD_LABELS
        from zeroshot.worlds.by_name import load_world

    world = load_world("miniature", cache="outputs/cache")
    figures = measured(world)
    write_text(folder / "measured.json", json.dumps(figures, indent=2) + "\n")
    print(markdown(pd.DataFrame({"measured": figures.keys(), "value": [f"{v:.4f}" for v in figures.values()]})))
    Image.fromarray(measure.contact_sheet(world, np.array(SHEET))).save(folder / "contact_sheet.png")
    Image.fromarray(measure.contact_sheet(world, np.array(BIRD_LABELS), scale=1)).save(folder / "all_birds.png")
    print(f"→ {folder}")


if __name__ == "__main__":
    run_as_command(lambda: guarded(main), __doc__)
