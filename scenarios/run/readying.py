"""Readying this machine for a run's jobs: what it lacks is got, or told, before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from batchai_scenario.scenarios.report import events as e

if TYPE_CHECKING:
    from batchai_scenario.backends.base import Backend
    from batchai_scenario.backends.powers import ReadiesMachine
    from batchai_scenario.scenarios.definition.scenario import Resolved
    from batchai_scenario.scenarios.run.journal import Journal
    from batchai_scenario.scenarios.run.waiting import Waiting


def ready_machine(backend: Backend, scenario: Resolved, journal: Journal, waiting: Waiting) -> None:
    """Have a backend that runs jobs on this machine get what they need; a step, unless nothing is lacking.

    Jobs that are meant to fail are left out: an image that nobody has may be what they are about.

    Raises:
        MachineError: the machine cannot run them; the remedy says what would help.
        Interrupted: the user wants to stop.
    """
    if not backend.capabilities().readies:
        return
    machine = cast("ReadiesMachine", backend)
    jobs = [job for name, job in scenario.jobs.items() if not _meant_to_fail(scenario, name)]
    lacking = machine.lacks(jobs)
    if not lacking:
        return

    def tell(text: str) -> None:
        waiting.check()
        journal.tell(e.Notice("", text))

    def progress(what: str, done: int, total: int) -> None:
        waiting.check()
        journal.tell(e.Progress("machine", what, done, total, unit=""))  # bytes or steps

    with journal.step("machine", f"Get {', '.join(lacking)}"):
        machine.ready(jobs, tell, progress)


def _meant_to_fail(scenario: Resolved, job: str) -> bool:
    expected = scenario.expect.get(job)
    return expected is not None and expected.execution_state == "failed"
