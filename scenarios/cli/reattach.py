"""What the commands that look at runs share: opening a run's backend, and finishing detached runs."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.base import BackendOptions
from batchai_scenario.backends.errors import ScenarioError
from batchai_scenario.backends.registry import Registry
from batchai_scenario.scenarios.record.model import DETACHED
from batchai_scenario.scenarios.run.attach import settle
from batchai_scenario.scenarios.run.finish import nothing
from batchai_scenario.scenarios.run.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.scenarios.record.record import Run

LOOK_SECONDS = 20.0
"""Seconds for which one of several runs is looked at."""


@contextmanager
def opened(run: Run, shared: dict[str, Any]) -> Iterator[Backend]:
    """Open the backend that a run used, with the same options; closed at the end."""
    options = BackendOptions(shared["home"], run.record.options, shared["environment"])
    backend = Registry().open(run.record.backend, options)
    try:
        yield backend
    finally:
        backend.close()


def settle_detached(runs: Sequence[Run], shared: dict[str, Any]) -> None:
    """Complete the records of runs whose process is gone and whose job has ended.

    A backend that does not answer, a job that left more than can be looked at soon and a record that cannot
    be read or written are mentioned, and their runs stay as they are: none keeps the others waiting.
    """
    for run in runs:
        if run.state != DETACHED:
            continue
        check = Waiting().grace(LOOK_SECONDS) if len(runs) > 1 else nothing
        try:
            with opened(run, shared) as backend:
                settle(run, backend, lambda _: None, check)
        except (ScenarioError, OSError, ValueError) as error:
            sys.stderr.write(f"{run.record.id}: {error}\n")
