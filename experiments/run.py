"""One run: python -m experiments.run generator=sagan k=10 seed=42 (sweeps: -m generator=sagan,biggan k=1,10 …)."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from experiments.cli import StopRequest, run_as_command
from experiments.composed import composed
from experiments.config import Experiment, register, run_settings
from zeroshot.metrics.bias import bias_note
from zeroshot.report.titles import strategy_of
from zeroshot.runs.run import run_path, run_shard
from zeroshot.storage.shard import Shard
from zeroshot.worlds.world import World

register()


@composed("config", Experiment)
def main(config: DictConfig, stop: StopRequest) -> None:
    """Compute what is missing of the run, or of the shard of it, that the configuration names; say where it lies."""
    settings, output, shard = run_settings(config), Path(config.output), Shard.parse(config.shard)
    world = World(settings, config.device, cache=output / "cache")
    path = run_path(output, settings)
    before = finished_at(path)
    metrics = run_shard(world, settings, output, shard, should_stop=stop)
    if metrics is None:
        print(f"{path}: shard {shard} is done, others are missing; the last puts the run together")
        return
    passed, distinct = metrics["images_to_threshold"], metrics["distinct_selected"]
    notes = [f"{distinct} distinct images"] if distinct < metrics["captions"] else []
    notes += filter(None, [bias_note(metrics["frechet_images"], metrics["feature_dim"])])
    noted = f" ({', '.join(notes)})" if notes else ""
    again = " was finished" if before is not None and finished_at(path) == before else ""
    print(
        f"{path}{again}: world {metrics['world']}, {settings.search.in_words}{strategy_of(settings)}, "
        f"best CLIP score {metrics['best_clip_score']:.4f}, "
        f"Fréchet distance {metrics['frechet_distance']:.2f}{noted}, "
        f"threshold {metrics['threshold']:.4f} {f'passed after {passed} images' if passed else 'not passed'}"
    )


def finished_at(run: Path) -> int | None:
    """When the run's last file was written, in nanoseconds; None before that."""
    try:
        return (run / "metrics.json").stat().st_mtime_ns
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    run_as_command(main)
