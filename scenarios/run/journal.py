"""The journal of a run: every step is written into its record and told to its reporter."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from batchai_scenario.scenarios.record.model import StepRecord
from batchai_scenario.scenarios.record.record import now
from batchai_scenario.scenarios.record.series import SeriesWriter
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.run.finish import note_status
from batchai_scenario.scenarios.run.injection import note_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchai_scenario.backends.base import Backend, ClusterStatus, JobStatus
    from batchai_scenario.scenarios.record.model import JobPart
    from batchai_scenario.scenarios.record.record import Run
    from batchai_scenario.scenarios.report.base import Reporter
    from batchai_scenario.scenarios.run.waiting import Waiting


class JournalStep:
    """A step under way; ``text`` is what came of it, ``ok`` False if that is bad though nothing raised."""

    def __init__(self) -> None:
        self.text = ""
        self.ok = True


class Journal:
    """Writes down and tells what happens in a run.

    Args:
        run: The record, owned by this process.
        backend: Knows of the faults that it made on purpose.
        reporter: Hears what happens.
        waiting: Has the clock.
    """

    def __init__(self, run: Run, backend: Backend, reporter: Reporter, waiting: Waiting) -> None:
        self._run = run
        self._backend = backend
        self._waiting = waiting
        self._series = SeriesWriter(run.folder)
        self.tell = reporter.handle

    def keeper(self, job: str) -> Callable[[str, float, str], None]:
        """Give what keeps a job's metrics over time; its logs are read from their beginning."""
        self._series.begin(job)
        return partial(self._series.add, job)

    @contextmanager
    def step(self, name: str, text: str) -> Iterator[JournalStep]:
        """Tell and write down a step; one that raises has failed."""
        entry = StepRecord(step=name, text=text, started_at=now())
        self._run.record.timeline.append(entry)
        self._run.save()
        self.tell(e.StepStarted(name, text))
        begin = self._waiting.now()
        step = JournalStep()
        ok = False
        try:
            yield step
            ok = step.ok
        finally:
            self.note_faults()
            entry.ended_at, entry.ok = now(), ok
            self._run.save()
            self.tell(e.StepEnded(name, step.text, self._waiting.now() - begin, ok))

    def saw(self, name: str, job: JobPart, status: JobStatus) -> None:
        """Write a job's status down; tell it if its state changed."""
        before = job.state
        note_status(self._run.record, job, status)
        if job.state != before:
            self._run.save(name)
            self.tell(e.JobChanged(name, job.state, job.id, job.exit_code))

    def tell_cluster(self, name: str, status: ClusterStatus) -> None:
        """Tell of a cluster's nodes."""
        nodes: dict[str, Any] = {state: count for state, count in status.nodes.items() if count}
        self.tell(e.ClusterChanged(name, status.allocation, status.target, status.current, nodes))

    def note_faults(self) -> None:
        """Write down and tell the faults that were made on purpose since the last look."""
        note_faults(self._run.record, self._backend, lambda text: self.note("warning", text))

    def note(self, level: Literal["info", "warning", "error"], text: str) -> None:
        """Tell something that a person should know."""
        self.tell(e.Note(level, text))
