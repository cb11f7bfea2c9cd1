"""The search as the authors' released code does it, so far as its avoidable work is known.

Written from a description of that work, not from the code. 16 captions at a time, one image of each per turn, fp32.
Every turn encodes the captions again; loads, crops and resizes their photographs without using them; builds one-hot
classes from an identity matrix; joins its results with torch.cat; and asks the device for each score by itself. An
image that beats its forerunners is written as a PNG of CLIP's size. For each caption all labels are encoded, in tens.

Draws are the engine's (same z, same y), so both find the same scores.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as TF

from zeroshot.models.generators.base import Generator
from zeroshot.searching.draws import choose_rank, draw
from zeroshot.searching.engine import to_uint8
from zeroshot.worlds.protocols import Searched, label_prompts
from zeroshot.worlds.world import World

CAPTIONS_AT_ONCE = 16
PROMPTS_AT_ONCE = 10


class ReleasedLoop:
    """The loop over one world's captions with one generator.

    `seconds` counts where the host's time goes (labels, photographs, captions, generator, clip, scores, pngs). On a GPU
    work is still running when it is handed over, so there the time appears where a score is asked for.
    """

    def __init__(self, world: World, generator: Generator, folder: Path) -> None:
        self.world, self.generator, self.clip, self.folder = world, generator, world.clip, folder
        self.rows = {image_id: row for row, image_id in enumerate(world.test.image_ids)}
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @torch.inference_mode()
    def search(self, images: list[Searched], k: int, b_max: int, seed: int) -> np.ndarray:
        """Scores of all draws, float64 [captions, b_max]; the best images lie in `folder`."""
        parts = []
        for start in range(0, len(images), CAPTIONS_AT_ONCE):
            parts.append(self._batch(images[start : start + CAPTIONS_AT_ONCE], k, b_max, seed))
        return np.concatenate(parts)

    def _batch(self, images: list[Searched], k: int, b_max: int, seed: int) -> np.ndarray:
        tops = [self._rank(image)[:k] for image in images]
        draws = [draw(seed, image.image_id, 1, b_max + 1, self.generator.z_dim) for image in images]
        best = [-float("inf")] * len(images)
        scores = torch.empty(0, len(images))
        for b in range(b_max):
            with self._timed("photographs"):
                self._photographs(images)
            with self._timed("captions"):
                text = self.clip.encode_text([image.captions[0] for image in images])  # [n, D]
            with self._timed("generator"):
                z = torch.cat([self.generator.latent(torch.from_numpy(d.latent[b : b + 1])) for d in draws])
                drawn = [int(top[choose_rank(d.label[b : b + 1], k)[0]]) for top, d in zip(tops, draws, strict=True)]
                one_hot = torch.eye(self.generator.num_classes)[drawn].to(self.world.device)
                pictures = self.generator(z.to(self.world.device), one_hot.argmax(dim=1))
            with self._timed("clip"):
                score = (self.clip.encode_images(pictures) * text).sum(dim=1)  # [n]
            for row in range(len(images)):
                with self._timed("scores"):
                    value = score[row].item()
                if value > best[row]:
                    best[row] = value
                    with self._timed("pngs"):
                        self._write(images[row], pictures[row])
            scores = torch.cat([scores, score.cpu()[None]])
        return scores.T.double().numpy()

    def _rank(self, image: Searched) -> np.ndarray:
        """Class indices by similarity to an image's caption, with every label encoded for it alone."""
        with self._timed("labels"):
            prompts = label_prompts(self.world.settings.protocol)
            parts = [
                self.clip.encode_text(prompts[start : start + PROMPTS_AT_ONCE])
                for start in range(0, len(prompts), PROMPTS_AT_ONCE)
            ]
            similarity = torch.cat(parts) @ self.clip.encode_text(image.captions[:1])[0]
            return similarity.argsort(descending=True, stable=True).cpu().numpy()

    def _photographs(self, images: list[Searched]) -> torch.Tensor:
        """The photographs as a square batch that nobody looks at."""
        side = self.clip.image_size
        squares = []
        for image in images:
            photograph = self.world.test.image(self.rows[image.image_id])
            photograph = TF.resize(TF.center_crop(photograph, [min(photograph.size)] * 2), [side, side])
            squares.append(TF.pil_to_tensor(photograph).float() / 255)
        return torch.stack(squares).to(self.world.device)  # [n, 3, S, S]

    def _write(self, image: Searched, picture: torch.Tensor) -> None:
        side = self.clip.image_size
        name = image.image_id.replace("/", "_")
        Image.fromarray(to_uint8(picture[None])[0]).resize((side, side)).save(self.folder / f"{name}.png")

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - started
