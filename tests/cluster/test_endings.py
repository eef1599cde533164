"""From the ends of a job's tasks to the job's end."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchai_scenario.emulator.cluster.endings import ask_to_end, finished, judge, time_limit
from batchai_scenario.emulator.cluster.model import (
    ExecutionState,
    ExperimentKey,
    Job,
    JobKey,
    ProvisioningState,
    WorkspaceKey,
)
from batchai_scenario.emulator.cluster.records import Ending, JobRecord
from batchai_scenario.emulator.engines.base import TaskEnd
from batchai_scenario.emulator.errors import Problem
from batchai_scenario.schema.durations import MAX_WALL_CLOCK

NOW = datetime(2018, 6, 6, 12, tzinfo=timezone.utc)


def job(limit: str | None = None, state: ExecutionState = ExecutionState.RUNNING) -> JobRecord:
    constraints = {} if limit is None else {"constraints": {"maxWallClockTime": limit}}
    return JobRecord(
        Job(
            key=JobKey(ExperimentKey(WorkspaceKey("s", "g", "w"), "e"), "j"),
            guid="guid",
            definition=constraints,
            cluster="/c/name",
            segment="",
            created_at=NOW,
            changed_at=NOW,
            provisioning_state=ProvisioningState.SUCCEEDED,
            provisioning_changed_at=NOW,
            execution_state=state,
            execution_changed_at=NOW,
            started_at=None if state is ExecutionState.QUEUED else NOW,
        )
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, MAX_WALL_CLOCK),
        ("P7D", MAX_WALL_CLOCK),
        ("PT1H", timedelta(hours=1)),
        ("P1DT2H3M4.5S", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("P1W", MAX_WALL_CLOCK),
        ("P400D", MAX_WALL_CLOCK),
        ("P99999999999999999999D", MAX_WALL_CLOCK),
        ("PT0S", MAX_WALL_CLOCK),
    ],
)
def test_time_limits(text: str | None, expected: timedelta) -> None:
    assert time_limit(job(text).job) == expected


ends = st.builds(
    TaskEnd,
    phase=st.sampled_from(["start", "preparation", "main"]),
    exit_code=st.one_of(st.none(), st.integers(0, 255)),
    started_at=st.just(NOW),
    ended_at=st.integers(0, 100).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    problem=st.one_of(st.none(), st.just(Problem("Lost", "lost"))),
)


@given(st.lists(ends, max_size=3), st.sampled_from([e for e in Ending if e is not Ending.REQUEUED]))
def test_nothing_but_a_command_that_ended_with_0_succeeds(found: list[TaskEnd], ending: Ending) -> None:
    record = job("PT50S").but(ending=ending)
    verdict = judge(record, found, NOW + timedelta(seconds=200))
    after = finished(record, verdict).job
    assert after.execution_state.final
    assert after.ended_at is not None
    assert after.ended_at >= NOW
    if after.execution_state is ExecutionState.SUCCEEDED:
        assert found[0].exit_code == 0
        assert found[0].problem is None
        assert ending in (Ending.NONE, Ending.TIMED_OUT)
        assert after.exit_code == 0
    else:
        assert after.errors
        assert after.exit_code != 0 or after.errors[0].code == "Lost"


def test_what_was_asked_first_stands_but_for_a_requeue() -> None:
    record = ask_to_end(job(), Ending.REQUEUED, NOW)
    record = ask_to_end(record, Ending.TERMINATED, NOW)
    assert record.job.execution_state is ExecutionState.TERMINATING
    assert ask_to_end(record, Ending.CLUSTER_DELETED, NOW) == record
    over = finished(record, judge(record, [], NOW))
    assert ask_to_end(over, Ending.TERMINATED, NOW + timedelta(1)) == over


def test_an_end_is_never_before_its_start() -> None:
    end = TaskEnd("main", 0, NOW, NOW - timedelta(seconds=1))
    assert judge(job(), [end], NOW).ended_at == NOW


def test_a_limit_that_was_enforced_shows_also_if_the_end_is_told_in_whole_seconds() -> None:
    record = job("PT10.9S").but(ending=Ending.TIMED_OUT)
    end = TaskEnd("main", 143, NOW, NOW + timedelta(seconds=10))
    assert judge(record, [end], end.ended_at).errors[0].code == "JobTimedOut"
    early = dataclasses.replace(end, ended_at=NOW + timedelta(seconds=9))
    assert judge(record, [early], NOW).errors[0].code == "JobFailed"


@pytest.mark.parametrize(("phase", "code"), [("main", "JobFailed"), ("preparation", "JobPreparationFailed")])
def test_what_else_is_known_of_a_failure_stands_beside_the_services_own_words(phase: str, code: str) -> None:
    end = TaskEnd(phase, 137, NOW, NOW, details=(("OOMKilled", "why"),))  # type: ignore[arg-type]
    verdict = judge(job(), [end], NOW)
    assert verdict.exit_code == 137
    (problem,) = verdict.errors
    assert (problem.code, problem.details) == (code, (("OOMKilled", "why"),))
