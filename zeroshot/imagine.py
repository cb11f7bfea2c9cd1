"""Algorithm 1 for one sentence that a person types."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image

from zeroshot.errors import UserError
from zeroshot.search import Task, run_tasks, winners
from zeroshot.settings import check_settings
from zeroshot.worlds import World


@dataclass(frozen=True)
class SearchResult:
    """The best image found, its cosine similarity to the prompt, its label, and the score of every image drawn."""

    image: Image.Image
    score: float
    label: str
    scores: np.ndarray  # float32 [b_max], in the order drawn
    b: int  # which draw won, counted from 1
    labels: list[str]  # the top k, most similar first


def search(
    world: World, prompt: str, *, generator: str = "biggan", k: int = 10, b_max: int = 100, seed: int = 42
) -> SearchResult:
    """Search for the image that fits a sentence best (Algorithm 1).

    Args:
        world: from `load_world`.
        prompt: any text; one longer than CLIP's context is cut, with a warning that says where.
        generator: one of `world.generator_names`.
        k: labels kept, 1 … 1,000.
        b_max: images drawn, at least 1.
        seed: at least 0; the same prompt and seed draw the same images.

    Raises:
        UserError: empty prompt, unknown generator, or a number out of range.

    Example:
        >>> result = search(load_world("miniature"), "a small blue bird", k=10, b_max=100, seed=42)  # doctest: +SKIP
    """
    if not prompt.strip():
        raise UserError(f"prompt = {prompt!r}, but a prompt needs at least one word")
    check_settings(k, b_max, seed, len(world.labels))
    cut = world.clip.tokenise([prompt])[1][0]
    if cut is not None:
        warnings.warn(
            f"the prompt is longer than CLIP's context of {world.clip.context_length} tokens: "
            f"cut before {prompt[cut : cut + 30]!r} "
            f"(character {cut + 1} of {len(prompt)})",
            stacklevel=2,
        )
    engine = world.engine(generator)
    text = world.clip.encode_text([prompt]).cpu().numpy()
    zeros = np.zeros(b_max, dtype=np.int64)
    task = Task(prompt, text, world.rank(text), zeros, zeros)
    scores = run_tasks(engine, [task], k, b_max, seed)
    picture = engine.pictures(winners(engine, [task], scores, k, seed))[0]
    b = int(scores.best_b[0])
    return SearchResult(
        image=Image.fromarray(picture),
        score=float(scores.score[0, b - 1]),
        label=world.labels[int(scores.class_index[0, b - 1])],
        scores=scores.score[0].astype(np.float32),
        b=b,
        labels=[world.labels[int(i)] for i in task.ranking[0, :k]],
    )
