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
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.cli import StopRequest, guarded, help_if_asked
from zeroshot.miniature import measure
from zeroshot.miniature.label_things import BIRD_LABELS
from zeroshot.report.tables import markdown
from zeroshot.worlds import World, load_world

# Birds that everybody knows, then things of other kinds.
SHEET = (11, 14, 22, 130, 84, 88, 94, 99, 145, 24, 15, 17, 207, 281, 2, 65, 323, 436, 950, 980)


def measured(world: World) -> dict[str, float]:
    """Every figure of docs/miniature.md, by name."""
    figures: dict[str, float] = {}
    accuracies = {"renders": measure.accuracy_on_renders(world)}
    accuracies |= {name: measure.accuracy_on_generated(world, name) for name in world.generator_names}
    for name, accuracy in accuracies.items():
        figures[f"label accuracy on {name}, top-1"] = accuracy.top1
        figures[f"label accuracy on {name}, top-5"] = accuracy.top5
    figures["caption to photograph, recall@5 of 100"] = measure.caption_recall(world)
    for name in world.generator_names:
        figures[f"diversity of {name}"] = measure.diversity(world, name, None)
    figures["diversity of biggan, truncation 0.4"] = measure.diversity(world, "biggan", 0.4)
    figures["sharpness of renders"] = measure.sharpness(world, None)
    for name in world.generator_names:
        figures[f"sharpness of {name}"] = measure.sharpness(world, name)
    figures["sharpness of biggan, truncation 0.4"] = measure.sharpness(world, "biggan", 0.4)
    figures["threshold"] = world.threshold
    return figures


def main(stop: StopRequest) -> None:
    """Measure, print and write."""
    import pandas as pd

    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/miniature/measured")
    folder.mkdir(parents=True, exist_ok=True)
    world = load_world("miniature", cache="outputs/cache")
    figures = measured(world)
    (folder / "measured.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(markdown(pd.DataFrame({"measured": figures.keys(), "value": [f"{v:.4f}" for v in figures.values()]})))
    Image.fromarray(measure.contact_sheet(world, np.array(SHEET))).save(folder / "contact_sheet.png")
    Image.fromarray(measure.contact_sheet(world, np.array(BIRD_LABELS), scale=1)).save(folder / "all_birds.png")
    print(f"→ {folder}")


if __name__ == "__main__":
    help_if_asked(__doc__)
    guarded(main)
