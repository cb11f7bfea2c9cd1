"""What the real run will cost here: python -m experiments.rehearse [world=paper] [device=…] [output=…].

Runs the pipeline at its true size with random weights on 2 captions, then measures each stage. No download is needed.
Its files lie under outputs/rehearsal and hold no result.

  python -m experiments.rehearse
  python -m experiments.rehearse device=cuda precision=bf16 compile=true output=/scratch/outputs

  world=paper               the only world that needs a rehearsal
  device=auto|cpu|cuda      what the real run would use; a CPU takes minutes
  precision=fp32|tf32|bf16|fp16, compile=true|false    as in the real run
  output=outputs            where rehearsal/rehearsal.md and .json go
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from tqdm import tqdm

from experiments.cli import StopRequest, guarded, run_as_command
from zeroshot.errors import Interrupted, UserError
from zeroshot.limits import PRECISIONS, check_device_name, check_folder
from zeroshot.progress import doing
from zeroshot.report.tables import markdown
from zeroshot.storage.files import write_text
from zeroshot.worlds.parts import default_run, world_parts

if TYPE_CHECKING:
    from zeroshot.paper.rehearsal import Cost
    from zeroshot.worlds.world import World

ALLOWED = {"world": "paper", "device": "auto", "precision": "fp32", "compile": "false", "output": "outputs"}
# Images per batch that are tried: a CPU gains nothing from large ones.
BATCHES = {"cpu": (1, 4, 8), "cuda": (16, 64, 256)}
REPEATS = {"cpu": 1, "cuda": 5}


def options(arguments: list[str]) -> dict[str, str]:
    """key=value arguments over the defaults. Raises UserError for an unknown one."""
    given = dict(argument.partition("=")[::2] for argument in arguments)
    unknown = set(given) - set(ALLOWED)
    if unknown:
        raise UserError(f"{', '.join(sorted(unknown))} unknown: give {', '.join(f'{k}=…' for k in ALLOWED)}")
    chosen = ALLOWED | given
    if chosen["world"] != "paper":
        raise UserError(f"world = {chosen['world']!r}, but only world=paper needs a rehearsal: the miniature just runs")
    check_folder("output", chosen["output"])
    check_device_name(chosen["device"])
    if chosen["precision"] not in PRECISIONS:
        raise UserError(f"precision = {chosen['precision']!r}, but allowed is {', '.join(PRECISIONS)}")
    if chosen["compile"] not in ("true", "false"):
        raise UserError(f"compile = {chosen['compile']!r}, but allowed are true and false")
    return chosen


def stages(world: World, stop: StopRequest) -> list[Cost]:
    """Each generator at each batch size; a batch that does not fit into memory ends the series."""
    import torch

    from zeroshot.paper import rehearsal

    kind = world.device.type
    costs = []
    for name in tqdm(world_parts("paper").generators, desc="generators", disable=None):
        settings = rehearsal.rehearse(world, name)
        for batch_size in BATCHES[kind]:
            if stop():
                raise Interrupted("the rehearsal")
            try:
                costs.append(rehearsal.cost(world, settings, batch_size, REPEATS[kind]))
            except torch.OutOfMemoryError:
                print(f"{name}: a batch of {batch_size} does not fit into this device's memory", file=sys.stderr)
                break
    return costs


def report(costs: list[Cost], extraction: float, frechet: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Images per second by stage, and the predicted grid by batch size."""
    from zeroshot.paper.rehearsal import grid_seconds

    measured = pd.DataFrame(
        [
            [c.generator, str(c.batch_size), *(f"{v:.2f}" for v in (c.generate, c.prepare, c.embed, c.whole, c.memory))]
            for c in costs
        ],
        columns=["generator", "batch", "generate", "prepare", "embed", "all three, images/s", "peak memory, GB"],
    )
    rows = []
    for batch in sorted({c.batch_size for c in costs}):
        both = [c for c in costs if c.batch_size == batch]
        hours = grid_seconds(both, extraction, frechet) / 3600
        memory = max(c.memory for c in both)
        if len(both) == len(world_parts("paper").generators):
            rows.append([str(batch), f"{hours:,.1f}", f"{hours / 24:,.1f}", f"{memory:.1f}"])
    return measured, pd.DataFrame(rows, columns=["batch", "hours", "days", "peak memory, GB"])


def main(stop: StopRequest) -> None:
    """Rehearse, measure, print and write."""
    chosen = options(sys.argv[1:])
    with doing("loading PyTorch and open_clip"):
        from zeroshot.paper import rehearsal

    world = rehearsal.rehearsal_world(chosen["device"], chosen["precision"], chosen["compile"] == "true")
    costs = stages(world, stop)
    extraction = rehearsal.extraction_rate(world, REPEATS[world.device.type])
    frechet = rehearsal.frechet_seconds(world.features.dim)
    measured, predicted = report(costs, extraction, frechet)
    captions = default_run("paper", "sagan").captions
    text = "\n".join(
        [
            "REHEARSAL: random weights, synthetic photographs; true sizes. No number here is a result.",
            f"device: {world.models.device_name}, precision: {chosen['precision']}, compile: {chosen['compile']}",
            "",
            "Images per second of each stage:",
            "",
            markdown(measured),
            "",
            f"Features for the Fréchet distance: {extraction:.1f} images/s; one distance: {frechet:.1f} s.",
            "",
            f"Predicted for the paper's grid (2 generators x 3 seeds x 6 k x {captions:,} captions x 100 images):",
            "",
            markdown(predicted),
        ]
    )
    folder = Path(chosen["output"]) / "rehearsal"
    write_text(folder / "rehearsal.md", text + "\n")
    numbers = {"rehearsal": True, "costs": [dataclasses.asdict(c) for c in costs]}
    numbers |= {"extraction_images_per_second": extraction, "frechet_seconds": frechet}
    write_text(folder / "rehearsal.json", json.dumps(numbers, indent=2) + "\n")
    print(f"{text}\n\n→ {folder / 'rehearsal.md'}")


if __name__ == "__main__":
    run_as_command(lambda: guarded(main), __doc__)
