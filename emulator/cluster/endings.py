"""How a job ends: from what its tasks gave, and what was asked meanwhile, to the job's final state.

Known from recorded traffic: an exit code that is not 0 gives ``JobFailed``; preparation that fails gives
``JobPreparationFailed`` with preparation's code; a job that was terminated has no exit code and the
error ``JobTerminated``; a queued job that is terminated starts and ends at that moment. Known from an
issue thread of 2021: a mount that fails gives exit code -1, as infrastructure failures did in 2017; so
every end that is the machine's fault and without an exit code of its own gives -1 (our decision).
Our decisions, because nothing is known: a job over its time limit fails with ``JobTimedOut`` and no
exit code; one whose cluster is deleted, with ``ClusterDeleted``; one whose node is deallocated under
``nodeDeallocationOption`` terminate, with ``JobTerminated`` and a text that says so.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.model import ExecutionState
from batchai_scenario.emulator.cluster.records import Ending
from batchai_scenario.emulator.cluster.transitions import JOB, JobEvent
from batchai_scenario.emulator.errors import Problem
from batchai_scenario.schema.durations import MAX_WALL_CLOCK, read_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from batchai_scenario.emulator.cluster.model import Job
    from batchai_scenario.emulator.cluster.records import JobRecord
    from batchai_scenario.emulator.engines.base import TaskEnd

NO_EXIT_CODE = -1
"""Exit code of a job that the machine failed (recorded for mounts)."""

_COARSE = timedelta(seconds=1)
"""How coarse the time of a task's end may be: a node's clock may tell whole seconds only."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A job's end: what moves it, and what then stands in its ``executionInfo``."""

    event: JobEvent
    ended_at: datetime
    exit_code: int | None = None
    errors: tuple[Problem, ...] = ()


def time_limit(job: Job) -> timedelta:
    """Read ``constraints.maxWallClockTime``; at most MAX_WALL_CLOCK, which is also what no limit means."""
    text = (job.definition.get("constraints") or {}).get("maxWallClockTime")
    try:
        return min(read_duration(text), MAX_WALL_CLOCK) if text else MAX_WALL_CLOCK
    except ValueError:  # the door lets none of these in
        return MAX_WALL_CLOCK


def deadline(job: Job) -> datetime | None:
    """Tell when a running job has run for too long; None while it is queued."""
    return None if job.started_at is None else job.started_at + time_limit(job)


def ask_to_end(record: JobRecord, ending: Ending, now: datetime) -> JobRecord:
    """Note why a job is to end; a queued one has ended at once. What was asked first stands.

    Only a return to the queue gives way to what comes later. A finished job is left as it was.
    """
    state = record.job.execution_state
    if state.final or record.ending not in (Ending.NONE, Ending.REQUEUED):
        return record
    if state is ExecutionState.QUEUED:
        verdict = Verdict(JobEvent.FAIL, now, errors=_asked_problems(record.job, ending))
        return finished(record.but(ending=ending, started_at=now), verdict)
    if state is ExecutionState.RUNNING and ending in (Ending.TERMINATED, Ending.DELETED):
        terminating = JOB.move(state, JobEvent.TERMINATE)
        return record.but(ending=ending, execution_state=terminating, execution_changed_at=now)
    return record.but(ending=ending)


def judge(record: JobRecord, ends: Sequence[TaskEnd], now: datetime) -> Verdict:
    """Decide how a job ended from the ends of all its tasks (the master's first) and what was asked.

    A command that ended by itself before its time limit did not run out of time, even if nobody looked
    until later. An end before the job began, or in the future, was told by a clock that was set since: it is
    now. A job that was asked to end is terminated, whatever its command made of the signal.
    """
    ended_at = _ended_at(record.job, ends, now)
    limit = deadline(record.job)
    in_time = bool(ends) and limit is not None and ended_at + _COARSE <= limit
    if record.ending is not Ending.NONE and not (record.ending is Ending.TIMED_OUT and in_time):
        return Verdict(JobEvent.FAIL, ended_at, errors=_asked_problems(record.job, record.ending))
    if not ends:
        return failure(Problem("InternalError", "The job ended without a task."), ended_at)
    # The master's end is the job's, unless another node failed before it and so ended the master's too.
    nodes = (*record.job.nodes, *[""] * len(ends))
    master, *others = zip(ends, nodes, strict=False)
    guilty = [pair for pair in others if _failed(pair[0]) and pair[0].ended_at < ends[0].ended_at]
    decisive, node = min(guilty, key=lambda pair: pair[0].ended_at, default=master)
    if not _failed(decisive):
        return Verdict(JobEvent.SUCCEED, ended_at, 0)
    return _blame(decisive, ended_at, record.job, node)


def _ended_at(job: Job, ends: Sequence[TaskEnd], now: datetime) -> datetime:
    begun = job.execution_changed_at
    ended_at = max((end.ended_at for end in ends), default=now)
    possible = begun - _COARSE <= ended_at <= now
    return max(ended_at if possible else now, begun)


def failure(problem: Problem, now: datetime) -> Verdict:
    """Decide how a job ends that could not be launched."""
    return Verdict(JobEvent.FAIL, now, NO_EXIT_CODE, (problem,))


def finished(record: JobRecord, verdict: Verdict) -> JobRecord:
    """Give the job its final state."""
    return record.but(
        execution_state=JOB.move(record.job.execution_state, verdict.event),
        execution_changed_at=verdict.ended_at,
        ended_at=verdict.ended_at,
        exit_code=verdict.exit_code,
        errors=verdict.errors,
    )


def _failed(end: TaskEnd) -> bool:
    return end.problem is not None or end.exit_code != 0


def _blame(end: TaskEnd, ended_at: datetime, job: Job, node: str) -> Verdict:
    code = NO_EXIT_CODE if end.exit_code is None else end.exit_code
    if end.problem is not None:
        problem = end.problem
    elif end.phase == "preparation":
        problem = Problem("JobPreparationFailed", "Job preparation task failed with non-zero exit code")
    else:
        problem = Problem("JobFailed", "Job failed with non-zero exit code")
    problem = dataclasses.replace(problem, details=(*problem.details, *end.details))
    return Verdict(JobEvent.FAIL, ended_at, code, (of_node(problem, node, job),))


def of_node(problem: Problem, node: str, job: Job) -> Problem:
    """Say which node failed a job that has several (our decision: in ``details``, as ``Node``)."""
    if len(job.nodes) <= 1:
        return problem
    return dataclasses.replace(problem, details=(*problem.details, ("Node", node)))


def _asked_problems(job: Job, ending: Ending) -> tuple[Problem, ...]:
    cluster = job.cluster.rsplit("/", 1)[-1]
    problems = {
        Ending.TERMINATED: Problem("JobTerminated", "The specified job has been terminated by the user"),
        Ending.DELETED: Problem("JobTerminated", "The specified job has been terminated by the user"),
        Ending.TIMED_OUT: Problem(
            "JobTimedOut", f"The specified job has run longer than its maxWallClockTime, {time_limit(job)}"
        ),
        Ending.DEALLOCATED: Problem(
            "JobTerminated", "The specified job has been terminated because its node was deallocated"
        ),
        Ending.CLUSTER_DELETED: Problem(
            "ClusterDeleted", f"The cluster {cluster} of the specified job was deleted before the job ended"
        ),
    }
    return (problems[ending],)
