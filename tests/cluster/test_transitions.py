"""The state machines, as tables."""

from __future__ import annotations

import itertools

import pytest

from batchai_scenario.emulator.cluster.model import ExecutionState, NodeState
from batchai_scenario.emulator.cluster.transitions import (
    ALLOCATION,
    JOB,
    NODE,
    ForbiddenTransition,
    JobEvent,
    NodeEvent,
)

ORDER = list(ExecutionState)


def test_jobs_only_move_forward_but_for_the_requeue() -> None:
    for (state, event), after in JOB.table.items():
        if event is not JobEvent.REQUEUE:
            assert ORDER.index(after) > ORDER.index(state)


def test_nothing_comes_after_the_end() -> None:
    assert not [state for state, _ in JOB.table if state.final]


def test_only_a_running_job_succeeds() -> None:
    assert [state for (state, _), after in JOB.table.items() if after is ExecutionState.SUCCEEDED] == [
        ExecutionState.RUNNING
    ]


def test_every_state_is_reached_and_left() -> None:
    machines = ((JOB, ExecutionState.QUEUED), (NODE, NodeState.PREPARING), (ALLOCATION, None))
    for machine, first in machines:
        reached = set(machine.table.values()) | {first}
        assert {state for state, _ in machine.table} <= reached


def test_what_is_not_in_the_table_cannot_happen() -> None:
    for state, event in itertools.product(ExecutionState, JobEvent):
        if (state, event) not in JOB.table:
            with pytest.raises(ForbiddenTransition) as caught:
                JOB.move(state, event)
            assert (caught.value.state, caught.value.event) == (state, event)
    with pytest.raises(ForbiddenTransition, match="node: 'assign' cannot happen in state 'leaving'"):
        NODE.move(NodeState.LEAVING, NodeEvent.ASSIGN)
