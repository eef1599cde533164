"""What is built when it is first needed: once, and never in the way of the end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.lazy import Lazy

if TYPE_CHECKING:
    from pathlib import Path

SHORT_LIVED = """
import sys
from pathlib import Path
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
for pause in (0.0, 0.21, 0.25):
    with EmulatorServer(EmulatorSettings(Path(sys.argv[1]))) as server:
        server._closed.wait(pause)
"""


def test_it_is_made_once_whoever_asks() -> None:
    made: list[object] = []
    barrier = threading.Barrier(4)

    def make() -> object:
        made.append(object())
        return made[-1]

    later = Lazy(make)
    found: list[object] = []

    def ask() -> None:
        barrier.wait()
        found.append(later())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.append(asyncio.run(later.wait()))
    assert len(made) == 1
    assert found == made * 5


def test_what_cannot_be_made_is_tried_again() -> None:
    answers = iter([OSError("the disk is full"), "made"])

    def make() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    later = Lazy(make)
    with pytest.raises(OSError, match="full"):
        later()
    assert asyncio.run(later.wait()) == "made"


def test_an_emulator_that_ends_while_it_warms_up_ends_well(tmp_path: Path) -> None:
    """A thread that imports compiled code while the process ends would make it abort."""
    ended = subprocess.run(
        [sys.executable, "-c", SHORT_LIVED, str(tmp_path)], check=False, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
