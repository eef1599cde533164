"""Running with Ctrl-C heard: once to stop in order, twice to leave at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.scenarios.record.record import Run
    from batchai_scenario.scenarios.report.base import Reporter
    from batchai_scenario.scenarios.report.events import Finished
    from batchai_scenario.scenarios.run.waiting import Waiting


def listening(
    reporter: Reporter, work: Callable[[Waiting, Callable[[Run], None]], Finished], stopping: str
) -> int:
    """Run with Ctrl-C heard, and the terminal in order afterwards; gives the exit code.

    Args:
        reporter: Hears what happens; it is closed.
        work: Runs; it is told where to wait, and whom to give the record to.
        stopping: What is said at the first Ctrl-C.
    """
    from batchai_scenario.scenarios.report import events as e
    from batchai_scenario.scenarios.run.interrupts import Interrupts
    from batchai_scenario.scenarios.run.waiting import Waiting

    runs: list[Run] = []

    def second() -> None:
        reporter.handle(_left(runs[0] if runs else None))
        reporter.close()

    interrupts = Interrupts(lambda: reporter.handle(e.Note("warning", stopping)), second)
    try:
        with interrupts.heard():
            return work(Waiting(interrupts.stop), runs.append).exit_code
    finally:
        reporter.close()


def _left(run: Run | None) -> Finished:
    """Say what still runs, and how to get back to it."""
    from batchai_scenario.scenarios.report import events as e

    if run is None:
        return e.Finished("", "interrupted", 130, reasons=("left before anything was created",))
    record = run.record
    running = [
        f"job {name} ({job.state})" for name, job in record.jobs.items() if job.submitted and not job.final
    ]
    if record.cluster.requested and not record.cluster.deleted:
        running.append(f"cluster {record.cluster.name}")
    still = ", ".join(running)
    back = f"sweep --resume {record.id}" if record.sweep else f"logs {record.id} --follow"
    hint = (
        f"'scenario {back}' gets back to it, 'scenario runs {record.id} --stop' ends it"
        if running or record.sweep
        else f"'scenario runs {record.id}' shows what came of it"
    )
    reason = f"left; still there: {still}" if still else "left before anything was running"
    return e.Finished(record.id, "detached", 130, reasons=(reason,), hint=hint, folder=str(run.folder))
