"""Scores with their gradients along z and class weights, and augmented copies, in the engine's batches."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.models.devices import is_out_of_memory
from zeroshot.models.generators.guest import GuestFault
from zeroshot.models.generators.own import OwnGenerator, out_of_range
from zeroshot.models.precision import arithmetic
from zeroshot.searching.engine import Engine
from zeroshot.searching.strategies.base import Candidates, Gradients

# A power of two, so that nothing is rounded: in half precision gradients of cosines would be lost below 6e-8.
SCALE = 1024.0
UNIFORMS = 4  # of each augmented copy: scale, two shifts, mirror
SMALLEST, SHIFT = 0.75, 0.25  # side of a copy's window in the image, and how far it moves at most, in image sides


def scores_and_gradients(
    engine: Engine, candidates: Candidates, text: np.ndarray, copies: np.ndarray
) -> tuple[np.ndarray, Gradients]:
    """Cosine of each image with its text, and the gradients of the mean over the image and its augmented copies.

    Args:
        engine: neither its generator nor its CLIP is compiled for this.
        candidates: n of them.
        text: unit vectors [n, D].
        copies: uniforms in (0, 1) of each augmented copy, float64 [n, copies, UNIFORMS].

    Returns:
        the scores of the images as they are, float64 [n], and their gradients.

    Raises EnvironmentFailure where one is not finite, and UserError where a generator of the user's fails.
    """
    score, found = np.empty(len(candidates)), []
    start = 0
    while start < len(candidates):
        rows = slice(start, min(start + engine.batch_size, len(candidates)))
        try:
            with arithmetic(engine.clip.precision), torch.inference_mode(False), torch.enable_grad():
                score[rows], part = _batch(engine, candidates[rows], text[rows], copies[rows])
        except GuestFault:
            raise
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            engine.halve(error)
            continue
        found.append(part)
        start = rows.stop
    mixed = candidates.class_weights is not None
    gradients = Gradients(
        np.concatenate([part.z for part in found]),
        np.concatenate([part.class_weights for part in found]) if mixed else None,
    )
    if not all(np.isfinite(part).all() for part in (score, gradients.z, gradients.class_weights) if part is not None):
        raise EnvironmentFailure(
            f"a gradient of {engine.generator.called} is not finite: weights or precision are at fault; "
            "give a strategy without gradients, as in refine=evolution, or precision=fp32"
        )
    return score, gradients


def _batch(
    engine: Engine, candidates: Candidates, text: np.ndarray, copies: np.ndarray
) -> tuple[np.ndarray, Gradients]:
    """As `scores_and_gradients`, for no more than a batch, which is padded to the physical size."""
    n, generator = len(candidates), engine.generator
    more = engine.batch_size - n

    def padded(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.pad(array, ((0, more), *[(0, 0)] * (array.ndim - 1)), mode="edge"))

    z = padded(candidates.z).requires_grad_()  # float64, on the host as the generator's latent is
    classes = padded(candidates.class_index)
    if candidates.class_weights is not None:
        classes = padded(candidates.class_weights.astype(np.float32)).requires_grad_()
    own = generator.latent(torch.special.ndtr(z)).to(engine.device, generator.input_dtype)
    images = engine.generate_plainly(own, classes.to(engine.device))
    wanted = torch.from_numpy(np.pad(text, ((0, more), (0, 0)), mode="edge")).to(engine.device)  # [batch, D]
    plain = engine.clip.forward(images)  # [batch, D]
    climbed = (plain * wanted).sum(dim=1)  # [batch]
    for copy in padded(copies).to(engine.device).unbind(dim=1):  # [batch, UNIFORMS] each
        climbed = climbed + (engine.clip.forward(augmented(images, copy)) * wanted).sum(dim=1)
    climbed = climbed / (1 + copies.shape[1])
    inputs = [z, classes] if classes.is_floating_point() else [z]
    found = torch.autograd.grad(climbed.sum() * SCALE, inputs)
    if isinstance(generator, OwnGenerator) and (seen := out_of_range(*map(float, torch.aminmax(images.detach())))):
        raise GuestFault(generator.called, seen)
    parts = [part[:n].double().cpu().numpy() / SCALE for part in found]
    embeddings = plain[:n].detach().double().cpu().numpy()
    return np.einsum("nd,nd->n", embeddings, text.astype(np.float64)), Gradients(*parts)


def augmented(images: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """A window of each image, moved, enlarged and perhaps mirrored: [N, 3, S, S] and uniforms [N, UNIFORMS] ->
    [N, 3, S, S]. What lies beyond an edge is the edge."""
    side, right, down, mirror = uniforms.to(images.dtype).unbind(dim=1)
    side = SMALLEST + (1 - SMALLEST) * side
    flip = torch.where(mirror < 0.5, side, -side)
    nothing = torch.zeros_like(side)
    # grid_sample's coordinates run from -1 to 1, twice an image's side
    theta = torch.stack([flip, nothing, SHIFT * (2 * right - 1), nothing, side, SHIFT * (2 * down - 1)], dim=1)
    grid = F.affine_grid(theta.view(-1, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def check_differentiable(engine: Engine) -> None:
    """Raise UserError where PyTorch finds no gradient from a generator's images back to its z."""
    generator = engine.generator
    z = torch.full((1, generator.z_dim), 0.25, dtype=torch.float64)
    two = Candidates(torch.cat((z, -z)).numpy(), np.array([0, generator.num_classes - 1]))
    direction = np.ones((2, engine.clip.embed_dim)) / np.sqrt(engine.clip.embed_dim)
    reason = "its images do not change with z"
    try:
        gradients = scores_and_gradients(engine, two, direction, np.empty((2, 0, UNIFORMS)))[1]
        if gradients.z.any():
            return
    except (GuestFault, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
    raise UserError(
        f"refine = gradient, but PyTorch cannot differentiate {generator.called} by z ({reason}): give another "
        "strategy, as in refine=evolution"
    )
