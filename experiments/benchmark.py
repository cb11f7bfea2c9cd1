"""What the experiment costs on this machine: python -m experiments.benchmark [only=[a,b]] [device=…].

Measures, writes outputs/benchmarks/<time>.json and .md after each part, and prints the second: a block for
docs/benchmarks.md, which says what each part measures and how.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from experiments.cli import StopRequest, run_as_command
from experiments.composed import composed
from zeroshot.benchmark.settings import PARTS, BenchmarkSettings, check
from zeroshot.errors import Interrupted

os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # torch's profiler is quiet, unless the user wants to hear it

ConfigStore.instance().store(name="benchmark_schema", node=BenchmarkSettings)


def measure(settings: BenchmarkSettings, stop: StopRequest) -> None:
    """Measure what the settings say, and print it."""
    check(settings)
    from zeroshot.benchmark.driver import benchmark
    from zeroshot.benchmark.report import history_row

    written: list[Path] = []

    def finished(part: str, path: Path) -> None:
        written.append(path)
        if sys.stderr.isatty():
            tqdm.write(f"{part}: {PARTS[part]}: done → {path}", file=sys.stderr)

    try:
        path = benchmark(settings, stop, finished)
    except Interrupted:  # times of two sittings do not mix, so there is nothing to go on with
        left = f"the parts that were finished are in {written[-1]}" if written else "no part was finished"
        print(f"stopped; {left}", file=sys.stderr)
        sys.exit(128 + (stop.signal or signal.SIGINT))
    document = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    print(f"{path.read_text(encoding='utf-8')}\nFor the history:\n\n{history_row(document)}\n\n→ {path} and .json")


@composed("benchmark", BenchmarkSettings)
def main(config: DictConfig, stop: StopRequest) -> None:
    """Hydra's entry point."""
    settings: Any = OmegaConf.to_object(config)
    measure(settings, stop)


if __name__ == "__main__":
    run_as_command(main)
