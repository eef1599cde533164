"""The sweeper: a job for each point, several at a time on one cluster, each looked at until it has ended."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import JobSpec, JobState
from batchai_scenario.backends.errors import Interrupted, InvalidScenario, JobFailed, NotFound
from batchai_scenario.scenarios.definition.schema import ExpectSection
from batchai_scenario.scenarios.record.model import FAILED, RUNNING, JobPart
from batchai_scenario.scenarios.record.ranking import value_of
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.run.finish import collect, error_of, files_of, finished, is_transient
from batchai_scenario.scenarios.run.follow import Follower
from batchai_scenario.scenarios.run.stage import Stage
from batchai_scenario.scenarios.run.waiting import PollInterval
from batchai_scenario.scenarios.run.watching import Watch
from batchai_scenario.scenarios.sweep.ranking import ranking
from batchai_scenario.schema.secrets import redacted

if TYPE_CHECKING:
    from batchai_scenario.backends.base import Backend
    from batchai_scenario.scenarios.record.record import Run
    from batchai_scenario.scenarios.report.base import Reporter
    from batchai_scenario.scenarios.run.stage import RunOptions
    from batchai_scenario.scenarios.run.waiting import Waiting
    from batchai_scenario.scenarios.sweep.over import Point
    from batchai_scenario.scenarios.sweep.plan import SweepPlan


class Sweeper(Stage):
    """Runs a sweep, or goes on with one whose record has a part of its jobs.

    A job stands in the record before it is asked for, and its name is that of its point: one that was cut off
    is found again by its name, and none is made twice.

    Args:
        backend: The world.
        reporter: Hears what happens.
        run: The record, owned by this process.
        plan: The sweep.
        options: How.
        waiting: Waits, and hears whether to stop; the jobs then go on.
    """

    def __init__(
        self,
        backend: Backend,
        reporter: Reporter,
        run: Run,
        plan: SweepPlan,
        options: RunOptions,
        *,
        waiting: Waiting | None = None,
    ) -> None:
        super().__init__(backend, reporter, run, plan.base, options, waiting=waiting)
        self._plan = plan
        self._part = plan.part  # the record has the same
        self._watched: dict[str, Follower] = {}

    # --- the steps -------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Do all that comes before the first job, unless all have ended and only cleaning up was cut off."""
        jobs = self._run.record.jobs.values()
        if not (self._part.planned and all(job.reasons is not None for job in jobs)):
            super()._prepare()

    def _work(self) -> None:
        record = self._run.record
        number = 0
        rounds = self._plan.search.rounds(self._value)
        for count, points in enumerate(rounds, 1):
            numbered = {self._plan.name(number + index): point for index, point in enumerate(points, 1)}
            number += len(points)
            self._write_down(numbered)
            with self._journal.step("sweep", _title(len(points), count)) as step:
                self._run_jobs(deque(name for name in numbered if record.jobs[name].reasons is None))
                unmet = sum(bool(record.jobs[name].reasons) for name in numbered)
                step.text = f"{len(points) - unmet} as expected" + (f", {unmet} not" if unmet else "")
                step.ok = not unmet
        self._part.planned = True
        self._run.save()
        self._journal.tell(ranking(record))
        reasons = [reason for job in record.jobs.values() for reason in job.reasons or ()]
        if reasons:
            raise JobFailed(reasons[0], tuple(reasons))

    def _value(self, number: int) -> float | None:
        """Give the value of a point that was tried, the smaller the better."""
        record = self._run.record
        found = value_of(record, record.jobs[self._plan.name(number)])
        return -found if found is not None and self._part.goal == "max" else found

    def _write_down(self, numbered: dict[str, Point]) -> None:
        """Write a round's jobs into the record, unless they are there; tell them."""
        record = self._run.record
        bodies = {name: self._plan.body(point) for name, point in numbered.items()}
        for name, (body, _) in bodies.items():
            known = record.jobs.get(name)
            if known is not None and known.properties != redacted(body):
                raise InvalidScenario(
                    f"the job {name} is not what it was when the sweep began",
                    str(self._plan.scenario.file),
                    "undo what was changed in the scenario, or begin a new sweep",
                )
        record.expect.update({name: expected for name, (_, expected) in bodies.items() if expected})
        self._run.save()
        for name, point in numbered.items():
            if name not in record.jobs:
                record.jobs[name] = JobPart(properties=redacted(bodies[name][0]), parameters=dict(point))
                self._run.save(name)
            self._journal.tell(e.PointPlanned(name, dict(point)))
            if record.jobs[name].reasons is not None:
                self._tell_end(name)

    def _run_jobs(self, waiting: deque[str]) -> None:
        """Run jobs, as many at a time as the sweep allows."""
        active: list[str] = []
        rhythm = PollInterval(self._waiting, self._backend.wait_hint())
        while waiting or active:
            while waiting and len(active) < self._part.at_once:
                name = waiting.popleft()
                self._submit(name)
                active.append(name)
            ended = [name for name in active if self._look(name)]
            active = [name for name in active if name not in ended]
            if self._waiting.now() > self._deadline:
                raise JobFailed(f"the sweep did not end within {self._limit()}; what ran was terminated")
            if not ended:
                rhythm.pause()
            self._waiting.check()

    def _submit(self, name: str) -> None:
        """Ask for a job, unless the service knows it; one that it knows by this name is not made again."""
        record = self._run.record
        job = record.jobs[name]
        if job.id:
            return
        self._waiting.check()
        body, _ = self._plan.body(job.parameters)
        job.state = "submitting"
        self._run.save(name)
        spec = JobSpec(record.place.place, name, record.cluster.name, body)
        self._journal.saw(name, job, self._patience(lambda: self._backend.submit(spec)))

    def _look(self, name: str) -> bool:
        """Look at a job once; True if it has ended and what it left was looked at."""
        job = self._run.record.jobs[name]
        try:
            state = self._patience(lambda: self._backend.get_job(job.id))
        except NotFound:
            job.state, job.reasons = FAILED, [f"job {name} is not there any more"]
            self._run.save(name)
            self._tell_end(name)
            return True
        self._journal.note_faults()
        self._journal.saw(name, job, state)
        if state.state is not JobState.QUEUED:
            self._watch(name, job, last=state.state.final)
        if not state.state.final:
            return False
        self._watched.pop(name, None)
        self._patience(lambda: collect(self._backend, self._run, name, lambda _: None, self._waiting.check))
        self._tell_end(name)
        return True

    def _watch(self, name: str, job: JobPart, *, last: bool) -> None:
        """Tell the metrics that a job has printed since the last look; ``last``: it has ended."""
        metrics = (self._run.record.expect.get(name) or ExpectSection()).metrics
        printed = sorted({section.from_ for section in metrics.values() if "/" not in section.from_})
        if not printed:
            return
        if name not in self._watched:
            watch = Watch(name, metrics, self._tell_metric, self._journal.keeper(name))
            self._watched[name] = Follower(name, files_of(self._backend, job), watch, only=printed)
        self._patience(lambda: self._watched[name].look(last=last))

    def _tell_metric(self, event: e.Event) -> None:
        if isinstance(event, e.MetricSeen):
            self._journal.tell(event)

    def _tell_end(self, name: str) -> None:
        job = self._run.record.jobs[name]
        self._journal.tell(
            e.PointEnded(
                name,
                dict(job.parameters),
                job.state,
                job.exit_code,
                dict(job.metrics),
                tuple(job.reasons or ()),
            )
        )

    # --- the end ---------------------------------------------------------------------------------------

    def _goes_on(self, failure: BaseException) -> bool:
        """Tell whether to leave all to be resumed: after Ctrl-C or where nobody answers."""
        interrupted = error_of(failure)[0] == Interrupted.exit_code
        return self._run.record.place.requested and (interrupted or is_transient(failure))

    def _let_go(self, failure: BaseException) -> e.Finished:
        record = self._run.record
        record.state = RUNNING
        self._run.save()
        code, reasons = error_of(failure)
        hint = (
            f"its jobs and its cluster are left; 'scenario sweep --resume {record.id}' goes on, "
            f"'scenario runs {record.id} --stop' ends it"
        )
        return finished(self._run, "detached", code, reasons, hint)


def _title(points: int, count: int) -> str:
    jobs = "1 job" if points == 1 else f"{points} jobs"
    return f"Run {jobs}" if count == 1 else f"Run {jobs}, round {count}"
