"""The amortised network of a world's generator: trained when it is first asked for, then read from its file."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from zeroshot.errors import EnvironmentFailure, UserError
from zeroshot.limits import CLASSES
from zeroshot.models.amortised import Amortised, train
from zeroshot.models.weights import state_sha256
from zeroshot.runs.bank import bank_of
from zeroshot.runs.plans import digest_of
from zeroshot.searching.strategies.base import Proposal
from zeroshot.settings import GeneratorSettings
from zeroshot.storage.files import set_aside, write_bytes
from zeroshot.storage.locks import locked
from zeroshot.storage.paths import resolve
from zeroshot.strategy_settings import AmortisedStart
from zeroshot.worlds.protocols import in_protocol
from zeroshot.worlds.world import World

NOT_OF_TRAINING = ("name", "weights", "spread")  # fields that a trained network does not depend on


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network, and what it cost: `bank_images`, `train_captions`, `steps` and `seconds`."""

    model: Amortised
    cost: dict[str, float]

    def propose(self, texts: np.ndarray) -> list[Proposal]:
        """For unit vectors float32 [n, D]; one at a time, so that none depends on its neighbours."""
        found = []
        for text in torch.from_numpy(texts):
            with torch.no_grad():
                logits, mean, log_sd = (part[0].double() for part in self.model(text[None]))
            found.append(Proposal(torch.softmax(logits, dim=0).numpy(), mean.numpy(), log_sd.exp().numpy()))
        return found


def amortised_network(
    world: World,
    generator: GeneratorSettings,
    settings: AmortisedStart,
    batch_size: int | str,
    should_stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """The network that `start.weights` names, or the one of these settings, which is made once.

    Raises UserError for one of another CLIP or generator, and EnvironmentFailure for a file that is damaged.
    """
    identity = _identity(world, generator, settings)
    if settings.weights:
        path = resolve(settings.weights)
        found = _read(path)
        if found is None:
            raise EnvironmentFailure(f"start.weights = {settings.weights!r:.80} is missing or damaged: restore it")
        _check_same(found[1], identity, settings.weights)
        return found[0]
    name = f"{generator.name}-{digest_of(identity)}.safetensors"
    if world.cache.directory is None:
        if name not in world.made:
            world.made[name] = _trained(world, generator, settings, batch_size, should_stop)
        return world.made[name]
    path = world.cache.directory / "amortised" / name
    with locked(path.with_suffix(".lock"), wait=True):
        found = _read(path)
        if found is not None:
            return found[0]
        if path.exists():
            set_aside(path)
        made = _trained(world, generator, settings, batch_size, should_stop)
        state = made.model.state_dict()
        metadata = {"identity": json.dumps(identity), "cost": json.dumps(made.cost), "sha256": state_sha256(state)}
        write_bytes(path, safetensors.torch.save(state, metadata))
    return made


def _trained(
    world: World, generator: GeneratorSettings, settings: AmortisedStart, batch_size: int | str,
    should_stop: Callable[[], bool],
) -> Trained:  # fmt: skip
    started = time.monotonic()
    bank = bank_of(world, generator, settings, batch_size, should_stop)
    texts = np.empty((0, world.clip.embed_dim), dtype=np.float32)
    if not settings.language_free:
        captions = [caption for own in world.train.captions for caption in own]
        texts = world.encode_texts("train-captions", captions)
    model = train(settings, bank.embeddings, bank.images.class_index, bank.images.z, texts, CLASSES)
    cost = {"bank_images": len(bank.images), "train_captions": len(texts), "steps": settings.steps}
    return Trained(model, cost | {"seconds": round(time.monotonic() - started, 1)})


def _identity(world: World, generator: GeneratorSettings, settings: AmortisedStart) -> dict[str, Any]:
    """Everything that a trained network depends on."""
    training = {key: value for key, value in dataclasses.asdict(settings).items() if key not in NOT_OF_TRAINING}
    texts = {} if settings.language_free else {"train": world.data_identity("train")}
    return {
        "clip": world.clip_identity,
        "clip_resize": world.settings.protocol.clip_resize,
        "clip_normalisation": world.settings.protocol.clip_normalisation,
        "generator": dataclasses.asdict(in_protocol(generator, world.settings.protocol)),
        "generator_sha256": world.generator_sha256(generator),
        "training": training,
    } | texts


def _check_same(theirs: dict[str, Any], ours: dict[str, Any], path: str) -> None:
    """Raise UserError for a network of another CLIP or generator; how it was trained is its own affair."""
    for key, what in (("clip", "CLIP"), ("generator_sha256", "generator")):
        if theirs.get(key) != ours[key]:
            own = theirs.get("generator", {}).get("name", "?") if key != "clip" else theirs.get(key, {}).get("model")
            asked = ours["generator"]["name"] if key != "clip" else ours[key]["model"]
            raise UserError(
                f"start.weights = {path!r:.80} was trained for another {what} ({own}) than this one ({asked}): leave "
                "start.weights out, and one is trained"
            )


def _read(path: Path) -> tuple[Trained, dict[str, Any]] | None:
    """A network and the identity it states; None where there is none, or a damaged one."""
    try:
        with safe_open(path, framework="pt") as file:
            stated = dict(file.metadata() or {})
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        if state_sha256(state) != stated["sha256"]:
            return None
        identity, cost = json.loads(stated["identity"]), json.loads(stated["cost"])
    except (SafetensorError, OSError, KeyError, ValueError):
        return None
    sizes = state["layers.4.bias"].shape[0]
    model = Amortised(state["layers.0.weight"].shape[1], CLASSES, (sizes - CLASSES) // 2)
    model.load_state_dict(state)
    return Trained(model.eval(), cost), identity
