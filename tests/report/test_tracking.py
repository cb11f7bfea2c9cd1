"""docs/tracking.md: its callback writes what TensorBoard reads."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from experiments.run import main as run_main
from tests.conftest import ROOT, Call
from tests.report.conftest import Made
from zeroshot.report.collect import curve

PAGE = (ROOT / "docs" / "tracking.md").read_text(encoding="utf-8")


def test_the_callback_of_the_page_writes_each_run_once(
    call: Call, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed"
    )
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (target,) = re.findall(r"\+hydra\.callbacks\.\S+", PAGE)
    (tmp_path / "tracking.py").write_text(block, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    output = made.folder.parents[1]
    for _ in range(2):
        same = ("generator=sagan", "k=10", "device=cpu", "captions=5", "b_max=6", f"output={output}")
        code, told, errors = call(run_main, *same, target)
        assert code == 0 and "was finished" in told, errors
    for run in made.runs["path"]:
        (log,) = (output / "tensorboard" / run.relative_to(output)).iterdir()
        scalars = events.EventAccumulator(str(log)).Reload().Scalars("best CLIP score")
        assert [scalar.step for scalar in scalars] == [1, 2, 3, 4, 5, 6]
        np.testing.assert_allclose([scalar.value for scalar in scalars], curve(run), atol=1e-6)
