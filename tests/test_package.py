"""The package as users import it: what is public is there, loads when used, and no module takes its place."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

PROGRAM = """
import sys
import zeroshot
assert not {"torch", "pandas", "hydra"} & set(sys.modules), "import zeroshot loads a library"
assert {"search", "evaluate", "check", "load_world"} <= set(dir(zeroshot))
world = zeroshot.load_world("miniature", device="cpu")
first = zeroshot.search(world, "a small blue bird", k=2, b_max=2)
again = zeroshot.search(world, "a small blue bird", k=2, b_max=2)  # the second call meets what the first imported
assert callable(zeroshot.check) and callable(zeroshot.evaluate) and first.score == again.score
try:
    zeroshot.nothing
except AttributeError as error:
    print(error)
"""


def test_what_is_public_is_found_again_in_a_fresh_process() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "module 'zeroshot' has no attribute 'nothing'"
