"""Nodes that somebody else takes away: they leave, and their jobs go where the cluster says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.cluster.model import AllocationState, ExecutionState
from batchai_scenario.emulator.engines.base import NODE_TAKEN
from batchai_scenario.emulator.errors import Problem

if TYPE_CHECKING:
    from tests.cluster.conftest import World

TAKEN = Problem(NODE_TAKEN, "Slurm took node n1 away: its job 7 is TIMEOUT.")


def test_a_job_whose_node_was_taken_goes_back_to_the_queue_and_runs_on_another(world: World) -> None:
    key = world.cluster()
    job = world.job()
    task = world.started(job)
    (before,) = world.cluster_when(key, lambda c: c.nodes).nodes
    world.engine.end(task, 137, problem=TAKEN)
    again = world.job_when(
        job, lambda found: found.execution_state is ExecutionState.RUNNING and before.id not in found.nodes
    )
    world.cluster_when(key, lambda c: len(c.nodes) == 1 and c.allocation_state is AllocationState.STEADY)
    assert set(world.engine.nodes) == set(again.nodes)
    world.engine.end(world.started(job))
    assert world.job_in(job, ExecutionState.SUCCEEDED).exit_code == 0


def test_a_job_whose_node_was_taken_ends_where_the_cluster_says_so(world: World) -> None:
    world.cluster(option="terminate")
    job = world.job()
    world.engine.end(world.started(job), 137, problem=TAKEN)
    found = world.job_in(job, ExecutionState.FAILED)
    assert [problem.code for problem in found.errors] == ["JobTerminated"]


@pytest.mark.parametrize("silent", [False, True])
def test_an_idle_node_that_is_gone_is_missed_and_replaced(world: World, silent: bool) -> None:
    gone: list[str] = []

    def lost_nodes(cluster: str) -> list[str]:
        if silent and not gone:
            raise OSError
        return gone

    world.engine.lost_nodes = lost_nodes  # type: ignore[attr-defined]
    key = world.cluster(target=2)
    first, second = world.cluster_when(
        key, lambda c: len(c.nodes) == 2 and c.allocation_state is AllocationState.STEADY
    ).nodes
    gone.append(first.id)

    def nodes() -> set[str]:
        world.clock.advance(seconds=6)  # whenever it is asked again, that is due
        found = world.controller.get_cluster(key)
        return set() if found is None else {node.id for node in found.nodes}

    world.until(lambda: len(found := nodes()) == 2 and first.id not in found and second.id in found)
