"""Nodes that somebody else takes away: they leave, and their jobs go where the cluster says."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.cluster.model import AllocationState, ExecutionState, NodeState
from batchai_scenario.emulator.engines.base import NODE_TAKEN, Lost
from batchai_scenario.emulator.errors import NodeTaken, Problem

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.model import ClusterKey
    from batchai_scenario.emulator.launch.plan import NodeTask
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

    def lost_nodes(cluster: str) -> Lost:
        if silent and not gone:
            raise OSError
        return Lost(tuple(gone))

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


def _told(world: World, lost: Lost) -> None:
    """Have the engine say this when it is asked again."""
    world.engine.lost_nodes = lambda _: lost  # type: ignore[attr-defined]


def _leaves(world: World, key: ClusterKey, node: str) -> bool:
    """Let time pass; tell whether a node is on its way out."""
    world.clock.advance(seconds=6)
    found = world.controller.get_cluster(key)
    return found is not None and (node, NodeState.LEAVING) in {(n.id, n.state) for n in found.nodes}


def _left(world: World, key: ClusterKey, node: str) -> bool:
    world.clock.advance(seconds=6)  # whenever the engine is asked again, that is due
    found = world.controller.get_cluster(key)
    return found is not None and node not in {each.id for each in found.nodes}


def _take_before_start(world: World, node: str) -> None:
    """Have the engine say of a node that it was taken away, to whoever starts a task there."""

    def refuse(task: NodeTask) -> None:
        if task.node == node:
            world.engine.end(task.id)
            world.engine.remove(task.id)
            raise NodeTaken(TAKEN, node)

    world.engine.on_start = refuse


@pytest.mark.parametrize("option", ["requeue", "terminate", "waitforjobcompletion"])
def test_a_node_that_is_wanted_leaves_and_its_job_goes_where_the_cluster_says(
    world: World, option: str
) -> None:
    _told(world, Lost())
    key = world.cluster(option=option)
    job = world.job()
    task = world.started(job)
    world.job("next")
    (node,) = world.cluster_when(key, lambda c: c.nodes).nodes
    asked: list[str] = []

    def wanted(cluster: str) -> Lost:
        asked.append(cluster)
        return Lost(wanted=(node.id,))

    world.engine.lost_nodes = wanted  # type: ignore[attr-defined]
    if option == "waitforjobcompletion":

        def asked_again() -> bool:
            world.clock.advance(seconds=6)
            return len(asked) > 2

        world.until(asked_again)
        assert not _left(world, key, node.id)
        world.engine.end(task)
        assert world.job_in(job, ExecutionState.SUCCEEDED).nodes == (node.id,)
    elif option == "terminate":
        world.until(lambda: _left(world, key, node.id))
        assert [found.code for found in world.job_in(job, ExecutionState.FAILED).errors] == ["JobTerminated"]
    else:
        world.until(lambda: _left(world, key, node.id))
        assert node.id not in world.job_in(job, ExecutionState.RUNNING).nodes
        return
    following = world.job_when(
        type(job)(job.experiment, "next"), lambda found: found.execution_state is ExecutionState.RUNNING
    )
    assert node.id not in following.nodes


def test_a_node_that_fails_leaves_and_its_job_is_left_to_fail(world: World) -> None:
    _told(world, Lost())
    key = world.cluster()
    job = world.job()
    task = world.started(job)
    (node,) = world.cluster_when(key, lambda c: c.nodes).nodes
    _told(world, Lost(failed=(node.id,)))
    world.until(lambda: _leaves(world, key, node.id))
    assert world.job_in(job, ExecutionState.RUNNING).nodes == (node.id,)
    failed = Problem("InternalError", "The task's supervisor on node n1 was killed.")
    world.engine.end(task, 137, problem=failed)
    assert world.job_in(job, ExecutionState.FAILED).errors == (failed,)
    world.until(lambda: _left(world, key, node.id))


def test_a_job_whose_node_was_taken_before_it_began_goes_back_to_the_queue(world: World) -> None:
    key = world.cluster()
    (node,) = world.cluster_when(key, lambda c: c.nodes).nodes
    _take_before_start(world, node.id)
    job = world.job()
    world.until(lambda: _left(world, key, node.id))
    again = world.job_when(
        job, lambda found: found.execution_state is ExecutionState.RUNNING and node.id not in found.nodes
    )
    world.engine.end(world.started(job))
    assert world.job_in(job, ExecutionState.SUCCEEDED).nodes == again.nodes


def test_a_job_that_was_to_begin_on_a_node_that_fails_goes_back_to_the_queue(world: World) -> None:
    _told(world, Lost())
    key = world.cluster()
    (node,) = world.cluster_when(key, lambda c: c.nodes).nodes
    gate = world.engine.gate = threading.Event()
    job = world.job()
    world.job_in(job, ExecutionState.RUNNING)
    _told(world, Lost(failed=(node.id,)))
    world.until(lambda: _leaves(world, key, node.id))
    _take_before_start(world, node.id)
    gate.set()
    world.until(lambda: _left(world, key, node.id))
    world.job_when(
        job, lambda found: found.execution_state is ExecutionState.RUNNING and node.id not in found.nodes
    )
