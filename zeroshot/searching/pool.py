"""A shared pool of images: image i of class c is a fixed address, generated and embedded once for all captions and k.

Only embeddings are kept, in blocks with checksums that are memory-mapped; a block that is missing or damaged is made
(again), so a pool can be killed and grows on demand. Several processes may fill one pool: each takes a block that
nobody holds.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from zeroshot.errors import EnvironmentFailure, Interrupted
from zeroshot.searching.draws import draw
from zeroshot.searching.engine import Addresses, Engine
from zeroshot.searching.faults import FaultAt
from zeroshot.storage.files import Damaged, sealed, set_aside, unsealed, write_bytes, write_text
from zeroshot.storage.locks import locked
from zeroshot.storage.shard import WHOLE, Shard

BLOCK = 2048  # images: what a kill can cost
_CLASSES = 1 << 32  # beyond any number of images of a class


def pool_addresses(seed: int, class_index: np.ndarray, image_index: np.ndarray, z_dim: int) -> Addresses:
    """Addresses of images `image_index` of classes `class_index`, int64 [n] each; the same whatever the captions."""
    latent = np.empty((len(class_index), z_dim))
    order = np.lexsort((image_index, class_index))
    runs = np.flatnonzero(
        (np.diff(class_index[order], prepend=-1) != 0) | (np.diff(image_index[order], prepend=-2) != 1)
    )
    for rows in np.split(order, runs[1:]):  # images that follow one another are drawn together
        if len(rows):
            first = int(image_index[rows[0]]) + 1
            latent[rows] = draw(seed, f"class {class_index[rows[0]]}", first, first + len(rows), z_dim).latent
    return Addresses(latent, class_index)


class Broken(Exception):
    """An image whose embedding is not finite, or with a generator's fault; nothing of its block is kept."""

    def __init__(self, class_index: int, image_index: int, fault: FaultAt | None = None) -> None:
        super().__init__(f"image {image_index} of class {class_index}")
        self.class_index, self.image_index, self.fault = class_index, image_index, fault


class Pool:
    """The pool of one engine and seed, in a folder of its own.

    Args:
        folder: where it lies; made when needed.
        identity: all that decides an embedding but its address (weights, truncation, precision, batch size, …).

    Raises EnvironmentFailure where the folder holds another pool.
    """

    def __init__(self, folder: Path, engine: Engine, seed: int, identity: dict[str, Any]) -> None:
        self.folder, self.engine, self.seed = folder, engine, seed
        self._checked: dict[Path, tuple[int, int]] = {}  # blocks whose checksum has been seen to be right
        path = folder / "identity.json"
        ours = json.loads(json.dumps(identity | {"seed": seed, "block": BLOCK}))
        with locked(folder / ".lock", wait=True):
            theirs = _read_json(path)
            if theirs is None:
                write_text(path, json.dumps(ours, indent=2) + "\n")
            elif theirs != ours:
                raise EnvironmentFailure(
                    f"{folder} holds another pool: give another folder with output=…, or delete this one"
                )

    def fill(
        self,
        class_index: np.ndarray,
        image_index: np.ndarray,
        should_stop: Callable[[], bool] = lambda: False,
        shard: Shard = WHOLE,
    ) -> int:
        """Make what is missing of the given images, or of a shard's part of their blocks; returns how many this
        process made.

        Raises Interrupted after the block in hand where `should_stop` says so, Broken for a broken image.
        """
        self._extend(_keys(class_index, image_index))
        missing = self._missing(class_index, image_index, shard)
        made = 0
        with tqdm(
            total=len(missing) * BLOCK, desc=f"pool seed={self.seed}", unit="img", disable=None, leave=False
        ) as bar:
            while missing:
                held = []
                for block in missing:
                    if should_stop():
                        raise Interrupted(str(self.folder))
                    count = self._make(*block)
                    made += count or 0
                    held += [block] if count is None else []
                    bar.update(BLOCK if count is not None else 0)
                if held:
                    time.sleep(0.5)  # another process is at these
                missing = held
        return made

    def filled(self, class_index: np.ndarray, image_index: np.ndarray) -> bool:
        """Whether all of the given images are there, once `fill` has listed them."""
        return not self._missing(class_index, image_index, WHOLE)

    def embeddings(self, class_index: np.ndarray, image_index: np.ndarray) -> np.ndarray:
        """CLIP embeddings of images that `fill` has made: float32 unit vectors [n, D] for int64 indices [n]."""
        keys, found = _keys(class_index, image_index), None
        for extension, known in self._extensions().items():
            order = np.argsort(known)
            place = np.searchsorted(known[order], keys).clip(max=len(known) - 1)
            row = order[place]  # where in the extension
            here = known[row] == keys
            for number in np.unique(row[here] // BLOCK).tolist():
                block = self._open(extension, number)
                if block is None:
                    raise EnvironmentFailure(f"{self._block(extension, number)} is missing or damaged: start again")
                mine = here & (row // BLOCK == number)
                found = np.full((len(keys), block.shape[1]), np.nan, dtype=np.float32) if found is None else found
                found[mine] = block[row[mine] % BLOCK]
        if found is None:
            raise EnvironmentFailure(f"{self.folder} holds none of the images asked for: start again")
        return found

    def _missing(self, class_index: np.ndarray, image_index: np.ndarray, shard: Shard) -> list[tuple[str, int]]:
        """Blocks (extension, number) of the given images that are a shard's and not there."""
        wanted = set(_keys(class_index, image_index).tolist())
        blocks = [
            (extension, number)
            for extension, keys in self._extensions().items()
            for number in range(-(-len(keys) // BLOCK))
            if not wanted.isdisjoint(keys[number * BLOCK : (number + 1) * BLOCK].tolist())
        ]
        own = [block for place, block in enumerate(blocks) if shard.takes(place)]
        return [block for block in own if self._open(*block) is None]

    def _extend(self, keys: np.ndarray) -> None:
        """List the images that no earlier call has listed, under the pool's lock."""
        with locked(self.folder / ".lock", wait=True):
            extensions = self._extensions()
            known = np.concatenate([*extensions.values(), np.empty(0, dtype=np.int64)])
            new = np.setdiff1d(keys, known)
            if len(new):
                number = 1 + max((int(name.partition("-")[2]) for name in extensions), default=-1)
                write_bytes(self.folder / f"extension-{number:03d}" / "images.npy", sealed(_as_npy(new)))

    def _extensions(self) -> dict[str, np.ndarray]:
        """Keys of the images of each extension, sorted, by its name. One whose list is damaged is set aside whole."""
        found = {}
        for path in sorted(self.folder.glob("extension-*[0-9]/images.npy")):
            try:
                found[path.parent.name] = np.load(io.BytesIO(unsealed(path)), allow_pickle=False)
            except Damaged:
                set_aside(path.parent)
        return found

    def _block(self, extension: str, number: int) -> Path:
        return self.folder / extension / f"{number:05d}.npy"

    def _open(self, extension: str, number: int) -> np.ndarray | None:
        """A block's embeddings, memory-mapped; None where it is missing. A damaged one is set aside first."""
        path = self._block(extension, number)
        stated = path.with_suffix(".sha256")
        if not (path.exists() and stated.exists()):
            return None
        status = path.stat()
        seen = (status.st_mtime_ns, status.st_size)
        if self._checked.get(path) != seen:
            digest = stated.read_text(encoding="utf-8").partition(" ")[0].strip()
            if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                set_aside(path)
                return None
            self._checked[path] = seen
        return np.load(path, mmap_mode="r", allow_pickle=False)

    def _make(self, extension: str, number: int) -> int | None:
        """Make a block; returns the number of its images, 0 where it is there by now, None where another holds it."""
        path = self._block(extension, number)
        with locked(path.with_suffix(".lock"), wait=False) as mine:
            if not mine:
                return None
            if self._open(extension, number) is not None:
                return 0
            keys = self._extensions()[extension][number * BLOCK : (number + 1) * BLOCK]
            class_index, image_index = np.divmod(keys, _CLASSES)
            where = pool_addresses(self.seed, class_index, image_index, self.engine.generator.z_dim)
            try:
                embeddings = self.engine.embed(where)  # [n, D]
            except FaultAt as fault:
                raise Broken(fault.class_index, int(image_index[fault.row]), fault) from None
            broken = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
            if len(broken):
                raise Broken(int(class_index[broken[0]]), int(image_index[broken[0]]))
            content = _as_npy(embeddings)
            write_bytes(path, content)
            # Another batch than the pool's identity says, where memory ended while the block was made.
            line = f"{hashlib.sha256(content).hexdigest()}  {path.name}, batch of {self.engine.batch_size}\n"
            write_text(path.with_suffix(".sha256"), line)
            for partial in path.parent.glob(f".{path.stem}.*.partial"):  # of a process that was killed here
                partial.unlink(missing_ok=True)
        return len(keys)


def _keys(class_index: np.ndarray, image_index: np.ndarray) -> np.ndarray:
    return class_index.astype(np.int64) * _CLASSES + image_index


def _as_npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _read_json(path: Path) -> Any:
    """The content of a JSON file; None where it is missing. A damaged one is set aside first."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        set_aside(path)  # harmless: the folder's name, too, says whose pool it is
        return None
