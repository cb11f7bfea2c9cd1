"""Your own sentence: python -m experiments.imagine prompt="a small blue bird" [generator=…] [k=…] [b_max=…] [seed=…].

The same as zeroshot.search, with files: outputs/<world>/imagine/<words>-<hash>/. docs/imagine.md says what they hold.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

import zeroshot
from experiments.cli import StopRequest, guarded, run_as_command
from experiments.composed import composed
from experiments.config import Imagine, register, run_settings
from experiments.prompts import KEYS, choose_prompts, take_prompts
from zeroshot.errors import Interrupted, UserError
from zeroshot.report import imagined
from zeroshot.report.titles import strategy_of
from zeroshot.searching.prompts import Pairs, sentence
from zeroshot.settings import DataSettings, RunSettings
from zeroshot.storage.files import check_writable
from zeroshot.worlds.sources import check_present
from zeroshot.worlds.world import World

register()


def imagine(config: DictConfig, typed: dict[str, str], stop: StopRequest) -> None:
    """Search for each prompt, one after another, and say where its files lie."""
    configured: Any = OmegaConf.to_object(config)
    prompts = choose_prompts(typed, {key: getattr(configured, key) for key in KEYS})
    settings, output = run_settings(config), Path(config.output)
    if settings.search.images != "fresh":
        raise UserError(f"search.images = {settings.search.images!r}, but a prompt's images are always drawn fresh")
    check_present(without_photographs(settings))
    world = World(settings, config.device, cache=output / "cache")
    settings = dataclasses.replace(settings, batch_size=world.physical_batch(settings.generator, settings.batch_size))
    folder = output / world.name / "imagine"
    check_writable(folder)  # whoever waits for a search should not learn at its end that it cannot be kept
    imagined.tidy(folder)
    weights = world.models_sha256(settings.generator)
    for number, pairs in enumerate(prompts):
        done = f"{folder} ({number} of {len(prompts)} prompts)"
        print(one_prompt(world, settings, pairs, weights, folder, done, stop))


def one_prompt(
    world: World,
    settings: RunSettings,
    pairs: Pairs,
    weights: dict[str, str],
    parent: Path,
    done: str,
    stop: StopRequest,
) -> str:
    """Search for a prompt, or find what an earlier search left; says what and where. Raises Interrupted with `done`."""
    identity = prompt_identity(settings, pairs, weights)
    folder = parent / folder_name(pairs, identity)
    found = imagined.read(folder)
    content = found
    if content is None:
        from zeroshot.runs.provenance import surroundings

        result = search(world, settings, pairs, done, stop)
        provenance = surroundings(world) | {"weights_sha256": weights}
        content = imagined.write(result, folder, identity["settings"], provenance)
    best = content["best"]
    return (
        f"{sentence(pairs)}\n"
        f"  world {world.name}, {settings.generator.name}, k = {settings.k}{strategy_of(settings)}: "
        f"score {best['score']:.4f} at b = {best['b']} of {settings.b_max}, {best['label']}\n"
        f"→ {folder}: {', '.join(imagined.FILES)}{' (made before)' if found else ''}"
    )


def search(world: World, settings: RunSettings, pairs: Pairs, done: str, stop: StopRequest) -> zeroshot.SearchResult:
    """`zeroshot.search` with a progress bar that shows the best score so far; asked to stop, it raises Interrupted."""
    title = " ".join(sentence(pairs).split())
    title = title if len(title) <= 30 else f"{title[:29]}…"
    with tqdm(total=settings.b_max, desc=title, unit="img", disable=None, leave=False) as bar, one_line_warnings():

        def progress(drawn: int, best: float) -> None:
            bar.set_postfix(best=f"{best:.4f}", refresh=False)
            bar.update(drawn - bar.n)
            if stop():
                raise Interrupted(done)

        if stop():
            raise Interrupted(done)
        return zeroshot.search(
            world,
            pairs,
            generator=settings.generator,
            k=settings.k,
            b_max=settings.b_max,
            seed=settings.seed,
            batch_size=settings.batch_size,
            start=settings.start,
            refine=settings.refine,
            prices=settings.prices,
            progress=progress,
        )


def prompt_identity(settings: RunSettings, pairs: Pairs, weights: dict[str, str]) -> dict[str, Any]:
    """Everything that decides what a search finds."""
    unused = ("data", "features", "search", "captions")
    return {
        "settings": {key: value for key, value in settings.identity().items() if key not in unused},
        "prompts": pairs,
        "weights_sha256": weights,
        "version": zeroshot.__version__,
    }


def folder_name(pairs: Pairs, identity: dict[str, Any]) -> str:
    """The prompt's first words as a file system likes them, and 8 hex digits of everything that decides the result."""
    plain = unicodedata.normalize("NFKD", pairs[0][0]).encode("ascii", "ignore").decode().lower()
    words = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "prompt"
    return f"{words}-{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]}"


def without_photographs(settings: RunSettings) -> RunSettings:
    """The settings without what a search needs no download of."""
    return dataclasses.replace(
        settings, data=DataSettings(), features=dataclasses.replace(settings.features, weights="")
    )


@contextmanager
def one_line_warnings() -> Iterator[None]:
    """Warnings of the library as one line each, above the progress bar."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_: tqdm.write(f"warning: {message}", file=sys.stderr)
        yield


def main() -> None:
    """Take the prompts from the command line as they are, and leave the rest to Hydra."""
    typed: dict[str, str] = {}

    def take(stop: StopRequest) -> None:
        taken, left = take_prompts(sys.argv[1:])
        typed.update(taken)
        sys.argv[1:] = left

    @composed("imagine", Imagine)
    def with_config(config: DictConfig, stop: StopRequest) -> None:
        imagine(config, typed, stop)

    guarded(take)
    with_config()


if __name__ == "__main__":
    run_as_command(main)
