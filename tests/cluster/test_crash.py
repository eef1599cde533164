"""Whenever the emulator is killed, its heir loses no job, ends none twice, and invents no success."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.endurance)])
def test_kill_at_every_step(tmp_path: Path, stride: int) -> None:
    root = Path(__file__).parents[2] / "src"
    driver = Path(__file__).with_name("crash_driver.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(driver), str(tmp_path), str(stride)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = re.search(r"(\d+) steps", done.stdout)
    assert steps is not None
    assert int(steps[1]) > 60
