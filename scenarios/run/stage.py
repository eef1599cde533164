"""What runs of every kind do: make the place, bring files, have a cluster, and end in order.

Every step is written down before it takes effect, so whoever finds the record later can go on from there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import ClusterSpec
from batchai_scenario.backends.errors import BackendError, Interrupted, NotFound, ScenarioError
from batchai_scenario.scenarios.definition.bodies import own_shares, with_user_account
from batchai_scenario.scenarios.definition.uploads import uploads_of
from batchai_scenario.scenarios.record.model import FAILED, INTERRUPTED, RUNNING, SUCCEEDED
from batchai_scenario.scenarios.record.record import now
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.text import duration, size
from batchai_scenario.scenarios.run.finish import (
    clean_up,
    collect,
    download,
    error_of,
    find_job,
    finished,
    is_transient,
    nothing,
)
from batchai_scenario.scenarios.run.journal import Journal
from batchai_scenario.scenarios.run.preparing import check_scenario, make_data
from batchai_scenario.scenarios.run.readying import ready_machine
from batchai_scenario.scenarios.run.waiting import PollInterval, Retrying, Waiting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path

    from batchai_scenario.backends.base import Backend, ClusterStatus
    from batchai_scenario.scenarios.definition.datasets import DataOptions
    from batchai_scenario.scenarios.definition.scenario import Resolved
    from batchai_scenario.scenarios.record.model import JobPart
    from batchai_scenario.scenarios.record.record import Run
    from batchai_scenario.scenarios.report.base import Reporter


SETTLE_SECONDS = 30.0
"""Seconds for which a run that is ended looks at what a job left."""

MOST_NAMED = 20
"""Files that could not be saved and are named on the screen; the record names all."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run.

    ``keep``: leave job, cluster and workspace. ``timeout``: from the cluster's creation to the last job's
    end. ``download``: save the outputs there. ``data``: where data sets are kept and come from.
    """

    data: DataOptions
    keep: bool = False
    timeout: timedelta | None = None
    download: Path | None = None


class Stage:
    """A scenario on a backend, from the first upload to the last deletion; what its jobs do is a subclass's.

    Args:
        backend: The world.
        reporter: Hears what happens.
        run: The record, owned by this process; saved at every step.
        scenario: What to run.
        options: How.
        waiting: Waits, and hears whether to stop.
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
    ) -> None:
        self._backend = backend
        self._run = run
        self._scenario = scenario
        self._options = options
        self._waiting = waiting or Waiting()
        self._journal = Journal(run, backend, reporter, self._waiting)
        self._patience = Retrying(self._waiting, lambda text: self._journal.note("warning", text))
        self._deadline = math.inf

    def run(self) -> e.Finished:
        """Run; gives the last event, after telling it. Only a bug of ours raises, after cleaning up."""
        failure: BaseException | None = None
        try:
            self._prepare()
            self._work()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - told, written down, and raised if it is a bug
            failure = error
        if isinstance(failure, KeyboardInterrupt):
            failure = Interrupted("interrupted")
        event = self._let_go(failure) if failure and self._goes_on(failure) else self._end(failure)
        self._journal.tell(event)
        if failure is not None and not isinstance(failure, ScenarioError):
            raise failure
        return event

    def _work(self) -> None:
        """Run the jobs."""
        raise NotImplementedError

    def _goes_on(self, failure: BaseException) -> bool:
        """Tell whether to leave all as it is, to be found again: nobody answers, and a job may still run."""
        return is_transient(failure) and any(
            job.submitted and not job.final for job in self._run.record.jobs.values()
        )

    # --- the steps -------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Do all that comes before the first job; what a record says was made is made no second time."""
        record = self._run.record
        check_scenario(self._scenario, self._backend)
        ready_machine(self._backend, self._scenario, self._journal, self._waiting)
        made = make_data(self._scenario, self._options.data, self._journal, self._waiting)
        with self._journal.step("place", "Create resource group, workspace and share") as step:
            self._make_place()
            step.text = f"{record.place.group} in {record.place.location}"
        self._upload(made)
        if self._options.timeout is not None:
            self._deadline = self._waiting.now() + self._options.timeout.total_seconds()
        self._create_cluster()

    def _make_place(self) -> None:
        place = self._run.record.place
        place.requested = True
        self._run.save()
        try:
            self._patience(lambda: self._backend.ensure_place(place.place))
        except NotFound:  # another run deleted the group, which was empty, between our two requests
            self._patience(lambda: self._backend.ensure_place(place.place))
        shares = [item.share for item in self._scenario.uploads]
        shares += own_shares(self._scenario.cluster, *self._scenario.jobs.values())
        for share in dict.fromkeys(shares):
            self._waiting.check()
            self._patience(lambda share=share: self._backend.ensure_share(share))  # type: ignore[misc]

    def _upload(self, made: Mapping[str, Sequence[Path]]) -> None:
        files = uploads_of(self._scenario.uploads, made)
        if not files:
            return

        def progress(path: str, done: int, total: int) -> None:
            self._journal.tell(e.Progress("upload", path, done, total))
            self._waiting.check()

        with self._journal.step("upload", "Upload what changed") as step:
            report = self._patience(lambda: self._backend.upload(files, progress))
            step.text = f"{report.sent} sent ({size(report.sent_bytes)}), {report.unchanged} unchanged"
            self._run.record.uploads = {
                "sent": report.sent,
                "sentBytes": report.sent_bytes,
                "unchanged": report.unchanged,
            }

    def _create_cluster(self) -> None:
        record = self._run.record
        spec = ClusterSpec(record.place.place, record.cluster.name, with_user_account(self._scenario.cluster))
        with self._journal.step("cluster", "Create cluster") as step:
            record.cluster.requested = True
            self._run.save()
            status = self._patience(lambda: self._backend.create_cluster(spec))
            self._journal.tell_cluster(spec.name, status)
            vm_size = self._scenario.cluster.get("vmSize", "")
            step.text = f"{status.target} x {vm_size}" if vm_size else ""
        wanted = min(self._scenario.nodes, status.target)
        if wanted == 0:  # an automatic scale grows when a job is queued
            return
        text = "Wait for a node" if wanted == 1 else f"Wait for {wanted} nodes"
        with self._journal.step("nodes", text) as step:
            status = self._wait_for_nodes(spec, status, wanted)
            step.text = _nodes(status)

    def _wait_for_nodes(self, spec: ClusterSpec, status: ClusterStatus, wanted: int) -> ClusterStatus:
        rhythm = PollInterval(self._waiting, self._backend.wait_hint())
        shown = status
        while status.nodes.get("idle", 0) + status.nodes.get("running", 0) < wanted:
            if status.errors and status.allocation == "steady" and status.nodes.get("preparing", 0) == 0:
                first, *others = status.errors
                problems = "; ".join([first.message, *(f"{it.code}: {it.message}" for it in others)])
                got = f"{status.current} of {wanted} nodes" if status.current else "no node"
                raise BackendError(f"the cluster got {got}: {problems}", code=first.code)
            self._check_deadline("the cluster had no node")
            rhythm.pause()
            status = self._patience(lambda: self._backend.get_cluster(spec.place, spec.name))
            if (status.allocation, status.nodes) != (shown.allocation, shown.nodes):
                self._journal.tell_cluster(spec.name, status)
                shown = status
        for problem in status.errors:
            self._journal.note("warning", f"cluster: {problem.code}: {problem.message}")
        return status

    # --- the end ---------------------------------------------------------------------------------------

    def _end(self, failure: BaseException | None) -> e.Finished:
        """Stop what runs, save outputs, clean up, and write the end down."""
        record = self._run.record
        exit_code, reasons = (0, []) if failure is None else error_of(failure)
        if failure is not None:
            reasons += self._settle_jobs()
        if self._options.download is not None and any(job.outputs for job in record.jobs.values()):
            problems = self._download(self._options.download)
            reasons += problems
            if problems:
                stopped = self._waiting.stop.is_set()
                exit_code = exit_code or (Interrupted.exit_code if stopped else BackendError.exit_code)
        hint = getattr(failure, "remedy", "") or getattr(failure, "hint", "")
        if self._options.keep:
            hint = hint or f"the cluster was kept; 'scenario runs {record.id} --stop' deletes it"
        elif record.place.requested:
            problems = self._clean_up()
            reasons += problems
            exit_code = exit_code or (4 if problems else 0)
            if problems:
                hint = f"'scenario runs {record.id} --stop' tries again to delete it"
        record.state = (
            SUCCEEDED if exit_code == 0 else INTERRUPTED if exit_code == Interrupted.exit_code else FAILED
        )
        record.exit_code, record.reasons, record.ended_at = exit_code, reasons, now()
        self._run.save()
        return finished(self._run, record.state, exit_code, reasons, hint)

    def _settle_jobs(self) -> list[str]:
        """End jobs that still run, and write down how each ended and what it left."""
        problems = []
        for name, job in self._run.record.jobs.items():
            if not job.submitted or job.reasons is not None:
                continue
            try:
                self._terminate(name, job)
                collect(self._backend, self._run, name, lambda _: None, self._waiting.grace(SETTLE_SECONDS))
            except Exception as error:  # noqa: BLE001 - the first failure counts, and cleaning up goes on
                problems.append(f"job {name}: {error}")
        return problems

    def _terminate(self, name: str, job: JobPart) -> None:
        if job.final:
            return
        status = find_job(self._backend, self._run.record, name, job)
        if status is None:
            job.state = "planned"  # the request never arrived
            return
        if not status.state.final:
            with self._journal.step("terminate", f"Terminate job {name}"):
                self._backend.terminate(status.id)
            status = self._backend.get_job(status.id)
        self._journal.saw(name, job, status)

    def _download(self, folder: Path) -> list[str]:
        """Save the outputs; gives why that ended too early. What cannot be saved is only named."""
        record = self._run.record
        check = nothing if self._waiting.stop.is_set() else self._waiting.check
        try:
            with self._journal.step("download", f"Download outputs to {folder}") as step:
                record.unsaved = download(self._backend, record, folder, self._journal.tell, check)
                step.ok = not record.unsaved
                step.text = _shortly(record.unsaved)
        except (ScenarioError, OSError) as error:
            return [f"outputs could not be downloaded: {error}"]
        for problem in record.unsaved[:MOST_NAMED]:
            self._journal.note("warning", problem)
        return []

    def _clean_up(self) -> list[str]:
        record = self._run.record
        with self._journal.step(
            "cleanup", "Delete job, cluster and workspace" if record.place.ours else "Delete job and cluster"
        ):
            return clean_up(self._backend, self._run)

    def _let_go(self, failure: BaseException) -> e.Finished:
        """Leave a job that runs where nobody answers: the record stays open, so that it is found again."""
        self._run.record.state = RUNNING
        self._run.save()
        hint = f"the job may still run; 'scenario logs {self._run.record.id} --follow' gets back to it"
        return finished(self._run, "detached", BackendError.exit_code, [str(failure)], hint)

    # --- helpers ---------------------------------------------------------------------------------------

    def _check_deadline(self, what: str) -> None:
        if self._waiting.now() > self._deadline:
            raise BackendError(f"{what} within {self._limit()}")

    def _limit(self) -> str:
        return (
            duration(self._options.timeout.total_seconds()) if self._options.timeout else "the time allowed"
        )


def _nodes(status: ClusterStatus) -> str:
    return ", ".join(f"{count} {state}" for state, count in status.nodes.items() if count)


def _shortly(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    return f"{len(problems)} file{'' if len(problems) == 1 else 's'} could not be saved"
