"""Algorithm 1 for one sentence that a person types, or for several with weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from zeroshot.data.text import cleaned
from zeroshot.limits import check_batch_size, check_settings
from zeroshot.runs.strategies import StrategySearch
from zeroshot.searching.algorithm1 import Task, draw_in_words, run_tasks
from zeroshot.searching.driver import How
from zeroshot.searching.engine import Addresses, Engine
from zeroshot.searching.faults import addressed
from zeroshot.searching.prompts import Pairs, Prompt, address, combined, weighted
from zeroshot.searching.strategies.softmax import drawn_by
from zeroshot.searching.trace import Trace
from zeroshot.settings import GeneratorSettings
from zeroshot.strategy_checks import check_strategy
from zeroshot.strategy_settings import (
    PriceSettings,
    RefineSettings,
    StartSettings,
    draws_are_known,
    refinement_named,
    start_named,
    strategy_name,
)
from zeroshot.worlds.world import World


class Step(NamedTuple):
    """The best image of a search's beginning: the draw that it is (counted from 1), its score, label and pixels."""

    b: int
    score: float
    label: str
    image: Image.Image


@dataclass(frozen=True)
class SearchResult:
    """The best image found, its cosine similarity to the prompt, its label, and the score of every image drawn."""

    image: Image.Image
    score: float
    label: str
    scores: np.ndarray  # float32 [evaluations], in their order; [b_max] of Algorithm 1
    paid: np.ndarray  # the price up to each, int64; 1, 2, 3 … of Algorithm 1
    b: int  # the winner's, counted from 1
    labels: list[str]  # the top k, most similar first
    similarities: np.ndarray  # theirs to the prompt, float32 [k]
    label_indices: np.ndarray  # and their ImageNet class indices, int64 [k]
    steps: list[Step]  # the best after 1, 2, 5, 10, 20, 50 … images, each once; the last is the winner
    prompts: Pairs  # what was searched for
    strategy: str  # `random`, which is Algorithm 1, or `<start>+<refine>`


def search(
    world: World,
    prompt: Prompt,
    *,
    generator: str | GeneratorSettings = "biggan",
    k: int = 10,
    b_max: int = 100,
    seed: int = 42,
    batch_size: int | str = 64,
    start: str | StartSettings = "random",
    refine: str | RefineSettings = "none",
    prices: PriceSettings | None = None,
    progress: Callable[[int, float], None] = lambda drawn, best: None,
) -> SearchResult:
    """Search for the image that fits a sentence best: Algorithm 1, or another strategy (docs/search.md).

    Args:
        world: from `load_world`.
        prompt: any text; one longer than CLIP's context is cut, with a warning that says where. What no reader sees in
            it (`zeroshot.data.text`) is left out, and CLIP's own markers are read as letters, with a warning too. Or a
            list of (text, weight) pairs: labels and images are then compared with the normalised weighted sum of the
            texts' vectors, and every score and similarity is the cosine with it (`zeroshot.searching.prompts`).
        generator: one of `world.generator_names`, or a generator's settings.
        k: labels kept, 1 … 1,000.
        b_max: images drawn, at least 1; of another strategy, the price of its evaluations.
        seed: at least 0; the same texts and seed draw the same z's, whatever their weights.
        batch_size: images at a time, or auto; changes the last bits of a score on CPUs.
        start, refine: what draws first and what the rest of b_max goes to, by name or with settings of its own
            (`zeroshot.strategy_settings`). random and none are Algorithm 1.
        prices: what an evaluation that is more than an image counts; None: the usual ones.
        progress: told after each batch what is paid, which is how many images are drawn, and the best score so far;
            what it raises ends the search.

    Raises:
        UserError: empty prompt, weights that cancel or are no numbers, unknown generator or strategy, one that this
            generator cannot do, or a number out of range.

    Example:
        >>> world = load_world("miniature")  # doctest: +SKIP
        >>> search(world, "a small blue bird", k=10, b_max=100, seed=42).label  # doctest: +SKIP
        >>> search(world, [("a blue bird", 1), ("a car", -0.5)]).image.save("bird.png")  # doctest: +SKIP
    """
    pairs = weighted(prompt)
    check_settings(k, b_max, seed)
    check_batch_size(batch_size)
    how = How(start_named(start), refinement_named(refine), prices or PriceSettings())
    check_strategy(how.start, how.refine, how.prices, k, b_max)
    generator = world.generator_settings(generator) if isinstance(generator, str) else generator
    for line in (line for text, _ in pairs for line in changes(world, text)):
        warnings.warn(line, stacklevel=2)
    pairs = tuple((cleaned(text), weight) for text, weight in pairs)
    engine = world.engine(generator, batch_size)
    vectors = world.clip.encode_text([text for text, _ in pairs]).cpu().numpy()
    text = combined(vectors, [weight for _, weight in pairs])  # [1, D]
    zeros = np.zeros(b_max, dtype=np.int64)
    task = Task(address(pairs), text, world.rank(text), zeros, zeros)

    where: Addresses
    if draws_are_known(how.start, how.refine):
        (task,) = drawn_by([task], how.start, world.label_embeddings)
        trace = _drawn(engine, task, k, b_max, seed, progress)
        bests = best_evaluations(trace, b_max)
        z_dim = engine.generator.z_dim
        where = Addresses.join([task.draws(seed, k, row + 1, row + 2, z_dim) for row in bests])
    else:
        strategy = StrategySearch(world, generator, how, engine.batch_size)
        small = world.engine(generator, min(engine.batch_size, how.at_once))  # a batch is padded to its size
        trace = strategy.run(small, [task], k, b_max, seed, lambda t: progress(t[0].paid, t[0].best_score))[0]
        bests = best_evaluations(trace, b_max)
        where = trace.points(bests)
    with addressed(lambda row: f"{draw_in_words(task, trace.b[bests[row]], seed)}, k = {k}"):
        pictures = engine.pictures(where)
    steps = [
        Step(trace.b[row], trace.score[row], world.labels[trace.class_index[row]], Image.fromarray(picture))
        for row, picture in zip(bests, pictures, strict=True)
    ]
    kept = task.ranking[0, :k]
    return SearchResult(
        image=steps[-1].image,
        score=steps[-1].score,
        label=steps[-1].label,
        scores=np.array(trace.score, dtype=np.float32),
        paid=np.array(trace.b),
        b=steps[-1].b,
        labels=[world.labels[int(i)] for i in kept],
        similarities=(world.label_embeddings[kept].astype(np.float64) @ text[0].astype(np.float64)).astype(np.float32),
        label_indices=kept,
        steps=steps,
        prompts=pairs,
        strategy=strategy_name(how.start, how.refine),
    )


def checkpoints(b_max: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, 100 … up to b_max, which closes the list."""
    marks = [digit * 10**power for power in range(len(str(b_max))) for digit in (1, 2, 5)]
    return [*(mark for mark in marks if mark < b_max), b_max]


def best_evaluations(trace: Trace, b_max: int) -> list[int]:
    """The evaluations (counted from 0) that are best after 1, 2, 5, 10 … b_max, each once.

    Ties go to the earlier one, as in Algorithm 1.
    """
    score = np.array(trace.score)
    counts = [int(np.searchsorted(trace.b, mark, side="right")) for mark in checkpoints(b_max)]
    return list(dict.fromkeys(int(score[:count].argmax()) for count in counts if count))


def _drawn(engine: Engine, task: Task, k: int, b_max: int, seed: int, progress: Callable[[int, float], None]) -> Trace:
    """Algorithm 1, a batch at a time; its images are told by their addresses."""
    trace = Trace()
    for b_start in range(1, b_max + 1, engine.batch_size):
        b_stop = min(b_start + engine.batch_size, b_max + 1)
        scores = run_tasks(engine, [task], k, b_stop - 1, seed, b_start=b_start)
        trace.b += range(b_start, b_stop)
        trace.class_index += scores.class_index[0].tolist()
        trace.score += scores.score[0].tolist()
        progress(b_stop - 1, trace.best_score)
    return trace


def changes(world: World, text: str) -> list[str]:
    """In what CLIP's reading of a prompt is not the text that was given, a line for each; empty where it is."""
    clip, said = world.clip, []
    if cleaned(text) != text:
        said.append(f"the prompt holds characters that no reader sees: read as {cleaned(text)[:80]!r}")
    if marker := clip.reader.marker(text):
        said.append(f"the prompt holds {marker}, a marker of CLIP's own: read as {clip.reader.reading(text)[:80]!r}")
    place = clip.tokenise([text])[1][0]
    if place is not None:
        said.append(
            f"the prompt is longer than CLIP's context of {clip.context_length} tokens: "
            f"cut before {text[place : place + 30]!r} (character {place + 1} of {len(text)})"
        )
    return said
