"""How a task on Slurm ended: as its supervisor recorded it, and where it did not, as Slurm says."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.base import NODE_TAKEN
from batchai_scenario.emulator.engines.control import (
    has_begun,
    is_noted,
    lost_end,
    note,
    noticed,
    read_noted,
    recorded_end,
)
from batchai_scenario.emulator.engines.nodes import read_note
from batchai_scenario.emulator.engines.slurm.launchers import LAUNCH, SETTLED
from batchai_scenario.emulator.engines.slurm.losing import taken_away
from batchai_scenario.emulator.engines.supervisors import LAST_WORDS, await_that
from batchai_scenario.emulator.errors import EngineUnavailable, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.emulator.engines.base import TaskEnd
    from batchai_scenario.emulator.engines.slurm.allocations import Allocations

_DECIDED, _BY_ITSELF = "lost", "recorded"
_FAILED = ("NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY")
_SIGNALLED = (128 + signal.SIGTERM, 128 + signal.SIGKILL)
"""Exit codes of commands that Slurm may have ended: it signals them as soon as their supervisor."""

_AGAIN = 1.0


def end_of(folder: Path, allocations: Allocations) -> TaskEnd:
    """Tell how a task ended whose ``srun`` has ended; the same each time.

    While Slurm does not answer nothing is decided: this waits for it.
    """
    if not is_noted(folder, _DECIDED):
        with suppress(OSError):
            os.listdir(folder)  # noqa: PTH208 - a network file system then forgets which files there were not
        end = recorded_end(folder)
        if end is not None and end.problem is None and end.exit_code not in _SIGNALLED:
            return end
        note(folder, _DECIDED, _decide(folder, allocations))
    code, _, text = read_noted(folder, _DECIDED).partition(": ")
    if code == _BY_ITSELF:
        return recorded_end(folder) or lost_end(folder, None, "What its supervisor recorded was deleted.")
    problem = Problem(code, text)
    return lost_end(folder, 128 + signal.SIGKILL, "", noticed(folder, "lost-at"), problem=problem)


def _decide(folder: Path, allocations: Allocations) -> str:
    """Find out why a step ended that its job did not end."""
    known = read_note(folder.parent.parent)
    job, host = str(known.get("job")), str(known.get("host"))
    while True:
        with suppress(EngineUnavailable):
            runs = folder.name in allocations.steps(job)
            state = allocations.state(job)
            if not runs and state != "COMPLETING":  # of what, is said when it is over
                taken = taken_away(job, state, host, allocations)
                break
        time.sleep(_AGAIN)
    if is_noted(folder, LAUNCH) and not is_noted(folder, SETTLED):
        # Its step was killed, and the container ends a little later.
        await_that(lambda: recorded_end(folder) is not None, time.monotonic() + LAST_WORDS)
    if taken and not is_noted(folder, "asked"):
        return f"{NODE_TAKEN}: {taken}"
    if recorded_end(folder) is not None and state not in _FAILED:
        return _BY_ITSELF
    begun = "was killed before it could record the end" if has_begun(folder) else "could not start"
    became = f"; Slurm's job {job}, which held it, is {state}" if state not in ("", "RUNNING") else ""
    return f"InternalError: The task's supervisor on node {host} {begun}{became}."
