"""Batched generate -> embed -> score over any list of addresses.

On CPUs the batch size changes the last bits of an embedding, the place in a batch and the neighbours do not. So every
batch has one physical size, the last one padded, and that size belongs to a run's identity.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch

from zeroshot.errors import EnvironmentFailure
from zeroshot.models.clip import Clip
from zeroshot.models.devices import device_name, is_out_of_memory
from zeroshot.models.generators.base import Generator
from zeroshot.models.generators.guest import ARITHMETIC, EVERYTHING, GuestFault, named, put_back
from zeroshot.models.generators.own import OwnGenerator
from zeroshot.models.precision import arithmetic
from zeroshot.searching.draws import choose_rank, draw
from zeroshot.searching.faults import FaultAt, Watch

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Addresses:
    """What to draw: per image its latent uniforms float64 [n, z_dim] and its class index int64 [n]."""

    latent: np.ndarray
    class_index: np.ndarray

    def __len__(self) -> int:
        return len(self.class_index)

    def __getitem__(self, rows: slice | np.ndarray) -> Self:
        return self._each(lambda column: column[rows])

    def padded(self, size: int) -> Self:
        """As many as a batch's physical size, the last one repeated."""
        more = size - len(self)
        return self._each(lambda column: np.pad(column, ((0, more), (0, 0))[: column.ndim], mode="edge"))

    def _each(self, change: Callable[[np.ndarray], np.ndarray]) -> Self:
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        changed: dict[str, Any] = {name: None if column is None else change(column) for name, column in columns.items()}
        return type(self)(**changed)

    def z(self, generator: Generator) -> torch.Tensor:
        """The generator's own z, float32 [n, z_dim] on the host."""
        return generator.latent(torch.from_numpy(self.latent))

    @property
    def classes(self) -> torch.Tensor:
        """What the generator takes beside z: class indices int64 [n], or weights float32 [n, classes] of mixtures."""
        return torch.from_numpy(self.class_index)

    @staticmethod
    def join(parts: list[Addresses]) -> Addresses:
        """Put lists of addresses behind one another."""
        return Addresses(
            np.concatenate([part.latent for part in parts]), np.concatenate([part.class_index for part in parts])
        )


@dataclass(frozen=True)
class Points(Addresses):
    """Images by the generator's own z, `latent` float32 [n, z_dim], and maybe by weights of a mixture of classes,
    float32 [n, classes]; `class_index` is then the largest."""

    class_weights: np.ndarray | None = None

    def z(self, generator: Generator) -> torch.Tensor:
        return torch.from_numpy(self.latent)

    @property
    def classes(self) -> torch.Tensor:
        return super().classes if self.class_weights is None else torch.from_numpy(self.class_weights)


def addresses(seed: int, image_id: str, b_start: int, b_stop: int, top_k: np.ndarray, z_dim: int) -> Addresses:
    """Addresses of draws b_start … b_stop - 1 of one image.

    `top_k` holds its top k class indices: int64 [k], or [b_stop - b_start, k] where they are others at every b.
    """
    draws = draw(seed, image_id, b_start, b_stop, z_dim)
    rank = choose_rank(draws.label, top_k.shape[-1])
    return Addresses(draws.latent, top_k[rank] if top_k.ndim == 1 else top_k[np.arange(len(rank)), rank])


class Engine:
    """A generator and a CLIP, run in batches of one physical size on one device.

    While a batch runs, a thread makes the next one's z; nothing waits for the device until a call's end. Where memory
    ends, the batch is halved for good, with a warning, and the batch in hand is done again.

    What a generator of the user's does wrong ends a call with FaultAt: it raises, returns something else than images,
    or leaves [-1, 1], which is seen at the call's end. What it changes of the process is put back.

    Args:
        generator, clip: in evaluation mode on one device, in the number type of clip's precision.
        batch_size: the physical batch.
        compiled: let torch.compile fuse the generator's and the image tower's element-wise work.
    """

    def __init__(self, generator: Generator, clip: Clip, batch_size: int = 64, compiled: bool = False) -> None:
        self.generator, self.clip, self.batch_size = generator, clip, batch_size
        self.device = clip.device  # a generator need not have parameters
        self.own = isinstance(generator, OwnGenerator)
        self.generate_plainly = self._as_guest(generator) if self.own else generator  # for gradients, too
        compiling = torch.compile(generator, dynamic=False) if compiled else generator
        self.generate = self._as_guest(compiling) if self.own else compiling
        self._encode = torch.compile(clip.forward, dynamic=False) if compiled else clip.forward
        self.compiled = compiled

    def embed(self, where: Addresses) -> np.ndarray:
        """CLIP embeddings of the images, float32 unit vectors [n, D]."""
        return self._each(where, self._encode) if len(where) else np.empty((0, self.clip.embed_dim), dtype=np.float32)

    def scores(self, where: Addresses, text: np.ndarray) -> np.ndarray:
        """Cosine of each image with its text: `text` holds unit vectors [n, D]; float64 [n]."""
        return np.einsum("nd,nd->n", self.embed(where).astype(np.float64), text.astype(np.float64))

    def pictures(self, where: Addresses, finish: Callable[[torch.Tensor], torch.Tensor] | None = None) -> np.ndarray:
        """The images themselves, uint8 [n, S, S, 3], by `finish` where it is given, else by `to_bytes`."""
        size = self.generator.image_size
        return self._each(where, finish or to_bytes) if len(where) else np.empty((0, size, size, 3), dtype=np.uint8)

    def _each(self, where: Addresses, finish: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
        """finish(images) of every address, in one array on the host."""
        found: torch.Tensor | None = None
        start = 0
        watch = Watch() if self.own else None
        while start < len(where):
            try:
                with self.computing():
                    for rows, z, classes in self._inputs(where, start):
                        images = self.generate(z, classes)
                        if watch:
                            watch.add(images)
                        part = finish(images)[: rows.stop - rows.start]
                        if found is None:
                            pinned = self.device.type == "cuda"
                            found = torch.empty((len(where), *part.shape[1:]), dtype=part.dtype, pin_memory=pinned)
                        found[rows].copy_(part, non_blocking=True)
                        start = rows.stop
            except GuestFault as fault:
                raise self._located(where, fault.what) from fault
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self.halve(error)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        seen = watch.fault() if watch else None
        if seen:
            raise self._located(where, seen)
        assert found is not None  # whoever calls has at least one address
        return found.numpy()

    def _as_guest(self, generate: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        """A generator's call with GuestFault for whatever it raises; nothing of how CLIP computes stays changed."""

        def ours(error: BaseException) -> bool:
            return is_out_of_memory(error) or (
                self.compiled and isinstance(error, torch._dynamo.exc.TorchDynamoException)
            )

        def call(z: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
            with named(self.generator.called, "failed", ours), put_back(ARITHMETIC):
                return generate(z, classes)

        return call

    def _located(self, where: Addresses, what: str) -> FaultAt:
        """A call's fault with its image: each batch is made again, and of the first that has one each half."""
        rows = slice(0, len(where))
        batches = [slice(at, at + self.batch_size) for at in range(0, len(where), self.batch_size)]
        halves = batches
        while halves:
            for part in halves:
                fault = self._fault(where[part])
                if fault:
                    rows, what = slice(part.start, min(part.stop, len(where))), fault
                    break
            else:
                break  # it shows in all of them together only, or not again
            middle = (rows.start + rows.stop) // 2
            halves = [slice(rows.start, middle), slice(middle, rows.stop)] if rows.start < middle else []
        others = rows.stop - rows.start - 1
        return FaultAt(self.generator.called, what, rows.start, int(where.class_index[rows.start]), others)

    def _fault(self, where: Addresses) -> str | None:
        """What is wrong with the images of no more than a batch, in words; None where nothing is."""
        watch = Watch()
        try:
            with self.computing():
                for _, z, classes in self._inputs(where, 0):
                    watch.add(self.generate(z, classes))
        except GuestFault as fault:
            return fault.what
        return watch.fault()

    def _inputs(self, where: Addresses, start: int) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
        """Yield (rows, z [batch, z_dim], classes) on the device, each made while the one before is used.

        A user's own z is made in between instead: what its code changes meanwhile must not meet a batch.
        """
        slices = [slice(at, min(at + self.batch_size, len(where))) for at in range(start, len(where), self.batch_size)]
        between = isinstance(self.generator, OwnGenerator) and self.generator.has_latent
        made = (self._input(where, rows) for rows in slices) if between else self._ahead(where, slices)
        for rows, (z, classes) in zip(slices, made, strict=True):
            yield rows, z.to(self.device, non_blocking=True), classes.to(self.device, non_blocking=True)

    def _ahead(self, where: Addresses, slices: list[slice]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """`_input` of each batch, by a thread that is one batch ahead."""
        with ThreadPoolExecutor(1, "z") as ahead:
            waiting = [ahead.submit(self._input, where, rows) for rows in slices[:1]]
            for following in range(1, len(slices) + 1):
                made = waiting.pop().result()
                waiting += [ahead.submit(self._input, where, rows) for rows in slices[following : following + 1]]
                yield made

    @torch.no_grad()
    def _input(self, where: Addresses, rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """z and classes of a batch on the host, padded to its physical size; pinned for a GPU."""
        batch = where[rows].padded(self.batch_size)
        z, classes = batch.z(self.generator).to(self.generator.input_dtype), batch.classes
        return (z.pin_memory(), classes.pin_memory()) if self.device.type == "cuda" else (z, classes)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """The precision's arithmetic, without gradients; where torch.compile fails, one line instead of its pages."""
        without_gradients = torch.no_grad() if self.compiled else torch.inference_mode()  # it cannot trace the latter
        kept = put_back(EVERYTHING) if self.own else nullcontext()
        with arithmetic(self.clip.precision), without_gradients, kept:
            if not self.compiled:
                yield
                return
            try:
                yield
            except torch._dynamo.exc.TorchDynamoException as error:
                lines = str(getattr(error, "inner_exception", error)).strip().splitlines() or [type(error).__name__]
                raise EnvironmentFailure(
                    f"compile = true, but torch.compile failed ({lines[0]}): give compile=false"
                ) from error

    def halve(self, error: Exception) -> None:
        """Go on with half the batch, with a warning. Raises EnvironmentFailure where that is no image."""
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        name = self.generator.called
        if self.batch_size == 1:
            raise EnvironmentFailure(
                f"out of memory: not even one image of {name} fits into the memory of {device_name(self.device)} "
                f"({reason}): free memory, or give another device=… or precision=bf16"
            )
        logger.warning(
            "out of memory at a batch of %d images of %s (%s): going on with %d; scores agree to 1e-5, not bit for bit",
            *(self.batch_size, name, reason, self.batch_size // 2),
        )
        self.batch_size //= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def to_bytes(images: torch.Tensor) -> torch.Tensor:
    """[-1, 1] float [n, 3, S, S] -> uint8 [n, S, S, 3] on the same device, rounded to nearest."""
    scaled = (images.float() + 1) * 127.5
    return scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def to_uint8(images: torch.Tensor) -> np.ndarray:
    """`to_bytes` as an array on the host."""
    return to_bytes(images).cpu().numpy()
