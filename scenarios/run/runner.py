"""The runner: one scenario, on one backend, told to one reporter, kept in one record.

It knows these roles and nothing of how a backend works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.base import JobSpec, JobState
from batchai_scenario.backends.errors import JobFailed
from batchai_scenario.scenarios.definition.schema import ExpectSection
from batchai_scenario.scenarios.record.model import FAILED, SUCCEEDED
from batchai_scenario.scenarios.run.finish import collect, files_of
from batchai_scenario.scenarios.run.follow import Follower
from batchai_scenario.scenarios.run.stage import Stage
from batchai_scenario.scenarios.run.waiting import PollInterval, Waiting
from batchai_scenario.scenarios.run.watching import Watch

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.scenarios.definition.scenario import Resolved
    from batchai_scenario.scenarios.record.model import JobPart
    from batchai_scenario.scenarios.record.record import Run
    from batchai_scenario.scenarios.report.base import Reporter
    from batchai_scenario.scenarios.run.stage import RunOptions


class Runner(Stage):
    """Runs a scenario's jobs one after the other, each after the one before it met its expectations.

    Args:
        backend: The world.
        reporter: Hears what happens.
        run: The record, owned by this process; saved at every step.
        scenario: What to run.
        options: How.
        waiting: Waits, and hears whether to stop.
        important: Patterns of log lines that matter, by job.
    """

    def __init__(
        self,
        backend: Backend,
        reporter: Reporter,
        run: Run,
        scenario: Resolved,
        options: RunOptions,
        *,
        waiting: Waiting | None = None,
        important: Mapping[str, Sequence[re.Pattern[str]]] | None = None,
    ) -> None:
        super().__init__(backend, reporter, run, scenario, options, waiting=waiting)
        self._important = important or {}

    def _work(self) -> None:
        for name in self._scenario.jobs:
            self._run_job(name)

    def _run_job(self, name: str) -> None:
        record = self._run.record
        job = record.jobs[name]
        spec = JobSpec(record.place.place, name, record.cluster.name, self._scenario.jobs[name])
        with self._journal.step("submit", f"Submit job {name}"):
            self._waiting.check()
            job.state = "submitting"
            self._run.save()
            status = self._patience(lambda: self._backend.submit(spec))
            self._journal.saw(name, job, status)
        with self._journal.step("job", f"Run job {name}") as step:
            try:
                self._follow(name, job)
            finally:
                step.text = job.state if job.exit_code is None else f"{job.state}, exit code {job.exit_code}"
                step.ok = job.state == SUCCEEDED
        reasons = collect(self._backend, self._run, name, self._journal.tell, self._waiting.check)
        if reasons:
            raise JobFailed(reasons[0], tuple(reasons))

    def _follow(self, name: str, job: JobPart) -> None:
        """Pass on the logs until the job has ended and all of them were read."""
        expected = self._run.record.expect.get(name) or ExpectSection()
        watch = Watch(name, expected.metrics, self._journal.tell, self._journal.keeper(name))
        follower = Follower(name, files_of(self._backend, job), watch, self._important.get(name, ()))
        rhythm = PollInterval(self._waiting, self._backend.wait_hint())
        while not self._look(name, job, follower):
            if self._waiting.now() > self._deadline:
                self._give_up(name, job, follower)
            rhythm.pause()
        if job.state == FAILED != expected.execution_state:
            watch.tell_last_words()

    def _look(self, name: str, job: JobPart, follower: Follower) -> bool:
        """Look at a job once; True if it has ended and all its logs were read."""
        # The state first: whatever was written before the job ended is read after it.
        state = self._patience(lambda: self._backend.get_job(job.id))
        self._journal.note_faults()
        self._journal.saw(name, job, state)
        if state.state is not JobState.QUEUED:
            self._patience(lambda: follower.look(last=state.state.final))
            job.notices = follower.notices
        return state.state.final

    def _give_up(self, name: str, job: JobPart, follower: Follower) -> None:
        """End a job that takes too long."""
        text = f"job {name} did not end within {self._limit()}; it was terminated"
        self._journal.note("error", text)
        self._terminate(name, job)
        follower.look(last=True)
        raise JobFailed(text, (text,))
