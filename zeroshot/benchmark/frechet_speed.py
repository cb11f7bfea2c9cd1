"""Part e: what the Fréchet distance costs, features and distance apart, and what scipy's formula gives and costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import torch

from zeroshot.benchmark.settings import BenchmarkSettings
from zeroshot.benchmark.timing import StopAsked, interleaved, never, ratios, spread
from zeroshot.metrics.frechet import frechet_distance
from zeroshot.metrics.inception import InceptionFeatures
from zeroshot.models.devices import choose_device
from zeroshot.searching.engine import addresses
from zeroshot.worlds.by_name import load_world
from zeroshot.worlds.world import World

TARGET = 1e-6  # of the distance itself: how far the two formulas may lie apart
MIXED = 0.3  # how much neighbouring synthetic features have in common


def frechet_speed(settings: BenchmarkSettings, should_stop: StopAsked = never) -> dict[str, Any]:
    """Part e for the miniature's features of real pictures and for synthetic features of another dimension."""
    own, device = settings.frechet, choose_device(settings.device)
    world = load_world("miniature", device=settings.device, cache=Path(settings.output) / "cache")
    engine = world.engine("sagan", settings.batch_size)
    classes = np.arange(len(world.labels))
    pictures = engine.pictures(addresses(0, "benchmark", 1, own.images + 1, classes, engine.generator.z_dim))
    rng = np.random.default_rng(0)
    real, generated = synthetic(rng, own.samples, own.dim), synthetic(rng, own.samples, own.dim) * 1.1 + 0.05
    return {
        "target": TARGET,
        "extraction": [
            extraction("miniature", world, pictures, settings.repetitions, should_stop),
            inception_extraction(settings, should_stop),
        ],
        "results": [
            {"features": name} | distances(one, other, repetitions, device, f"e: {name}", should_stop)
            for name, one, other, repetitions in (
                ("miniature", world.test_features, world.extract(pictures), settings.repetitions),
                ("synthetic", real, generated, own.repetitions),
            )
        ],
    }


def inception_extraction(settings: BenchmarkSettings, should_stop: StopAsked) -> dict[str, Any]:
    """Inception with random weights, on few pictures where there is no GPU."""
    own, on_gpu = settings.frechet, choose_device(settings.device).type == "cuda"
    images = own.images if on_gpu else own.inception_images
    pictures = np.random.default_rng(0).integers(0, 256, (images, 256, 256, 3), dtype=np.uint8)
    return extraction("inception", inception_world(settings.device), pictures, own.repetitions, should_stop)


def inception_world(device: str) -> World:
    """A world that extracts Inception's features with random weights."""
    world = load_world("paper", device=device)
    world.models.features = InceptionFeatures().to(world.device).to(memory_format=torch.channels_last).eval()
    return world


def extraction(
    name: str, world: World, pictures: np.ndarray, repetitions: int, should_stop: StopAsked
) -> dict[str, Any]:
    """Seconds per 1,000 pictures into features, resizing included."""
    works = {"extraction": lambda: world.extract(pictures)}
    seconds = interleaved(works, repetitions, world.device, f"e: {name}, features", should_stop)["extraction"]
    return {
        "features": name,
        "dim": world.features.dim,
        "images": len(pictures),
        "seconds_per_1000": spread([1000 * s / len(pictures) for s in seconds]),
    }


def distances(
    real: np.ndarray, generated: np.ndarray, repetitions: int, device: torch.device, title: str, should_stop: StopAsked
) -> dict[str, Any]:
    """Seconds and values of our distance and of scipy's formula on the same features."""
    found: dict[str, float] = {}

    def ours() -> None:
        found["ours"] = frechet_distance(real, generated)

    def scipys() -> None:
        found["scipy"] = scipy_distance(real, generated)

    seconds = interleaved(
        {"ours": ours, "scipy": scipys}, repetitions, device, title, should_stop, warm=len(real) < 1000
    )
    difference = abs(found["ours"] - found["scipy"]) / abs(found["scipy"])
    return {
        "dim": real.shape[1],
        "samples": [len(real), len(generated)],
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "times_faster": ratios(seconds["scipy"], seconds["ours"]),
        "distance": found,
        "relative_difference": difference,
        "holds": difference <= TARGET,
    }


def scipy_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """The formula as it is written, with scipy's matrix square root: |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)."""
    apart = real.mean(axis=0) - generated.mean(axis=0)
    sigma1, sigma2 = np.cov(real, rowvar=False), np.cov(generated, rowvar=False)
    root = scipy.linalg.sqrtm(sigma1 @ sigma2)
    return float(apart @ apart + np.trace(sigma1) + np.trace(sigma2) - 2 * np.trace(root).real)


def synthetic(rng: np.random.Generator, samples: int, dim: int) -> np.ndarray:
    """Features float64 [samples, dim] whose neighbours are correlated and whose spread falls along the dimensions."""
    white = rng.normal(size=(samples, dim))
    return (white + MIXED * np.roll(white, 1, axis=1)) / np.sqrt(1 + np.arange(dim))
