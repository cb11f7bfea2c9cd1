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
from zeroshot.searching.algorithm1 import Scores, Task, draw_in_words, run_tasks
from zeroshot.searching.engine import Addresses, addresses
from zeroshot.searching.faults import addressed
from zeroshot.searching.prompts import Pairs, Prompt, address, combined, weighted
from zeroshot.settings import GeneratorSettings
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
    scores: np.ndarray  # float32 [b_max], in the order drawn
    b: int  # which draw won, counted from 1
    labels: list[str]  # the top k, most similar first
    similarities: np.ndarray  # theirs to the prompt, float32 [k]
    label_indices: np.ndarray  # and their ImageNet class indices, int64 [k]
    steps: list[Step]  # the best after 1, 2, 5, 10, 20, 50 … images, each once; the last is the winner
    prompts: Pairs  # what was searched for


def search(
    world: World,
    prompt: Prompt,
    *,
    generator: str | GeneratorSettings = "biggan",
    k: int = 10,
    b_max: int = 100,
    seed: int = 42,
    batch_size: int | str = 64,
    progress: Callable[[int, float], None] = lambda drawn, best: None,
) -> SearchResult:
    """Search for the image that fits a sentence best (Algorithm 1).

    Args:
        world: from `load_world`.
        prompt: any text; one longer than CLIP's context is cut, with a warning that says where. What no reader sees in
            it (`zeroshot.data.text`) is left out, and CLIP's own markers are read as letters, with a warning too. Or a
            list of (text, weight) pairs: labels and images are then compared with the normalised weighted sum of the
            texts' vectors, and every score and similarity is the cosine with it (`zeroshot.searching.prompts`).
        generator: one of `world.generator_names`, or a generator's settings.
        k: labels kept, 1 … 1,000.
        b_max: images drawn, at least 1.
        seed: at least 0; the same texts and seed draw the same z's, whatever their weights.
        batch_size: images at a time, or auto; changes the last bits of a score on CPUs.
        progress: told after each batch how many images are drawn and the best score so far; what it raises ends the
            search.

    Raises:
        UserError: empty prompt, weights that cancel or are no numbers, unknown generator, or a number out of range.

    Example:
        >>> world = load_world("miniature")  # doctest: +SKIP
        >>> search(world, "a small blue bird", k=10, b_max=100, seed=42).label  # doctest: +SKIP
        >>> search(world, [("a blue bird", 1), ("a car", -0.5)]).image.save("bird.png")  # doctest: +SKIP
    """
    pairs = weighted(prompt)
    check_settings(k, b_max, seed)
    check_batch_size(batch_size)
    for line in (line for text, _ in pairs for line in changes(world, text)):
        warnings.warn(line, stacklevel=2)
    pairs = tuple((cleaned(text), weight) for text, weight in pairs)
    engine = world.engine(generator, batch_size)
    vectors = world.clip.encode_text([text for text, _ in pairs]).cpu().numpy()
    text = combined(vectors, [weight for _, weight in pairs])  # [1, D]
    zeros = np.zeros(b_max, dtype=np.int64)
    task = Task(address(pairs), text, world.rank(text), zeros, zeros)

    blocks: list[Scores] = []
    best = -np.inf
    at_once = engine.batch_size
    for b_start in range(1, b_max + 1, at_once):
        b_stop = min(b_start + at_once, b_max + 1)
        blocks.append(run_tasks(engine, [task], k, b_stop - 1, seed, b_start=b_start))
        best = max(best, float(blocks[-1].score.max()))
        progress(b_stop - 1, best)
    score = np.concatenate([block.score[0] for block in blocks])  # [b_max]
    class_index = np.concatenate([block.class_index[0] for block in blocks])  # [b_max]

    bests = best_draws(score)
    latents = [addresses(seed, task.image_id, b, b + 1, task.top(k, b, b + 1), engine.generator.z_dim) for b in bests]
    with addressed(lambda row: f"{draw_in_words(task, bests[row], seed)}, k = {k}"):
        pictures = engine.pictures(Addresses.join(latents))
    steps = [
        Step(b, float(score[b - 1]), world.labels[int(class_index[b - 1])], Image.fromarray(picture))
        for b, picture in zip(bests, pictures, strict=True)
    ]
    kept = task.ranking[0, :k]
    return SearchResult(
        image=steps[-1].image,
        score=steps[-1].score,
        label=steps[-1].label,
        scores=score.astype(np.float32),
        b=steps[-1].b,
        labels=[world.labels[int(i)] for i in kept],
        similarities=(world.label_embeddings[kept].astype(np.float64) @ text[0].astype(np.float64)).astype(np.float32),
        label_indices=kept,
        steps=steps,
        prompts=pairs,
    )


def checkpoints(b_max: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, 100 … up to b_max, which closes the list."""
    marks = [digit * 10**power for power in range(len(str(b_max))) for digit in (1, 2, 5)]
    return [*(mark for mark in marks if mark < b_max), b_max]


def best_draws(score: np.ndarray) -> list[int]:
    """The draws (counted from 1) that are best after 1, 2, 5, 10 … images, each once; `score` is float [b_max].

    Ties go to the lower b, as in Algorithm 1.
    """
    return list(dict.fromkeys(int(score[:mark].argmax()) + 1 for mark in checkpoints(len(score))))


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
