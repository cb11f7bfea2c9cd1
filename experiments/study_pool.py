"""What sharing images costs: python -m experiments.study_pool [generator=…]; prints the tables of docs/pool.md.

zeroshot/benchmark/pool_study.py says how. The deep pool lies under outputs/miniature/pools and is made only once.

  python -m experiments.study_pool
  python -m experiments.study_pool generator=biggan

  generator=sagan|biggan    one of them; both where none is given
"""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.cli import StopRequest, guarded, run_as_command
from zeroshot.errors import UserError
from zeroshot.progress import doing
from zeroshot.storage.files import check_writable
from zeroshot.worlds.parts import default_run


def options(arguments: list[str]) -> list[str]:
    """The generators named. Raises UserError for anything else among the arguments."""
    for argument in arguments:
        if not argument.startswith("generator="):
            raise UserError(f"{argument} is unknown: give generator=sagan, generator=biggan, or nothing for both")
    named = [argument.partition("=")[2] for argument in arguments]
    for name in named:
        default_run("miniature", name)
    return named


def main(stop: StopRequest) -> None:
    """Study the generators named on the command line as generator=…, both where none is."""
    named, output = options(sys.argv[1:]), Path("outputs")
    check_writable(output)
    with doing("loading PyTorch and open_clip"):
        from zeroshot.benchmark.pool_study import study
        from zeroshot.worlds.by_name import load_world

    world = load_world("miniature", cache=output / "cache")
    for generator in named or world.generator_names:
        print(study(world, generator, output, captions=200, b_max=100, should_stop=stop))


if __name__ == "__main__":
    run_as_command(lambda: guarded(main), __doc__)
