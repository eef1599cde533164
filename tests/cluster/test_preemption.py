"""Nodes of low priority that are taken away."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from batchai_scenario.emulator.cluster.model import AllocationState, ExecutionState, NodeState
from batchai_scenario.emulator.errors import EngineError, NothingToTake, Problem
from tests.cluster.test_autoscale import auto

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath

    from batchai_scenario.emulator.cluster.model import Job, JobKey
    from tests.cluster.conftest import World


def again_on(world: World, job: JobKey, taken: str) -> Job:
    """Wait until a job runs on other nodes than one."""
    return world.job_when(
        job, lambda found: found.execution_state is ExecutionState.RUNNING and taken not in found.nodes
    )


def test_a_job_whose_node_is_taken_goes_back_to_the_queue_and_runs_again(world: World) -> None:
    key = world.cluster(vmPriority="lowpriority")
    job, behind = world.job(), world.job("behind")
    task = world.started(job)
    world.clock.advance(minutes=1)
    (before,) = world.cluster_when(key, lambda c: c.nodes).nodes
    assert world.controller.preempt(key.path.upper()) == before.id
    again = world.job_when(
        job, lambda j: j.execution_state is ExecutionState.RUNNING and j.nodes != (before.id,)
    )
    assert again.started_at is not None
    assert again.started_at.minute == 1
    assert world.started(job) == task
    world.cluster_when(key, lambda c: len(c.nodes) == 1 and c.allocation_state is AllocationState.STEADY)
    assert set(world.engine.nodes) == set(again.nodes)
    world.job_in(behind, ExecutionState.QUEUED)
    world.engine.end(task)
    assert world.job_in(job, ExecutionState.SUCCEEDED).exit_code == 0


@pytest.mark.parametrize("way", ["cleaned up", "terminated", "deleted"])
def test_nothing_overtakes_a_job_that_is_cleaned_up_not_even_after_a_restart(world: World, way: str) -> None:
    key = world.cluster(target=2, vmPriority="lowpriority")
    job, behind = world.job(), world.job("behind", nodeCount=2)
    task, remove = world.started(job), world.engine.remove
    left = EngineError(Problem("InternalError", "The container stays."))
    world.engine.remove = Mock(side_effect=left)  # type: ignore[method-assign]
    taken = world.controller.preempt(key.id)
    for _ in range(2):
        world.until(lambda: world.engine.remove.called)  # type: ignore[attr-defined]
        world.cluster_when(key, lambda c: sum(node.state is NodeState.IDLE for node in c.nodes) == 2)
        small = world.job("small")
        world.controller._loop.ask(lambda: None)
        assert world.job_in(small, ExecutionState.QUEUED).nodes == ()
        world.restart()
        world.engine.remove.reset_mock()
    urgent = world.job("urgent", schedulingPriority="high")
    world.engine.end(world.started(urgent))
    world.engine.remove = remove  # type: ignore[method-assign]
    if way != "cleaned up":
        ask = world.controller.terminate_job if way == "terminated" else world.controller.delete_job
        assert ask(job)
    world.clock.advance(seconds=6)
    if way == "cleaned up":
        again_on(world, job, taken)
        assert world.started(job) == task
        world.job_in(behind, ExecutionState.QUEUED)
        world.engine.end(task)
    assert len(world.job_in(behind, ExecutionState.RUNNING).nodes) == 2


def test_a_job_whose_node_is_taken_before_anything_of_it_was_started(world: World) -> None:
    key = world.cluster(vmPriority="lowpriority")
    world.cluster_when(key, lambda c: c.nodes and c.nodes[0].state is NodeState.IDLE)
    gate, mounting = threading.Event(), threading.Event()
    mount = world.shares.mount_source

    def slow(account: str, azure_file_url: str, account_key: str, target: PurePosixPath) -> Path:
        mounting.set()
        assert gate.wait(10)
        return mount(account, azure_file_url, account_key, target)

    world.shares.mount_source = slow  # type: ignore[method-assign]
    job = world.job()
    assert mounting.wait(10)
    taken = world.controller.preempt(key.id)
    gate.set()
    again_on(world, job, taken)
    world.engine.end(world.started(job))
    world.job_in(job, ExecutionState.SUCCEEDED)


def test_a_job_of_several_nodes_gives_back_the_others(world: World) -> None:
    key = world.cluster(target=2, vmPriority="lowpriority")
    job = world.job(nodeCount=2)
    first = world.job_in(job, ExecutionState.RUNNING).nodes
    world.until(lambda: (found := world.controller._records.jobs.get(job.id)) and found.launched)
    world.controller.preempt(key.name, first[1])
    again = again_on(world, job, first[1])
    assert first[0] in again.nodes
    assert len(again.nodes) == 2


def test_an_idle_node_comes_back_and_one_that_runs_goes_first(world: World) -> None:
    key = world.cluster(target=2, vmPriority="lowpriority")
    world.cluster_when(key, lambda c: [n.state for n in c.nodes] == [NodeState.IDLE] * 2)
    first = world.controller.preempt("c")
    world.cluster_when(
        key,
        lambda c: (
            len(c.nodes) == 2 and first not in [n.id for n in c.nodes] and c.nodes[1].state is NodeState.IDLE
        ),
    )
    busy = world.job_in(world.job(), ExecutionState.RUNNING).nodes
    assert world.controller.preempt("C") == busy[0]


def test_a_cluster_that_scales_by_itself_gets_the_node_back_while_it_is_needed(world: World) -> None:
    key = world.cluster(vmPriority="lowpriority", **auto(0, 1))
    job = world.job()
    world.started(job)
    taken = world.controller.preempt(key.id)
    again_on(world, job, taken)
    world.engine.end(world.started(job))
    world.job_in(job, ExecutionState.SUCCEEDED)
    world.clock.advance(seconds=4)
    world.cluster_when(key, lambda c: not c.nodes)


def test_a_job_that_is_cleaned_up_asks_for_its_nodes_once(world: World) -> None:
    key = world.cluster(vmPriority="lowpriority", **auto(0, 3))
    world.started(world.job())
    world.broken = True
    world.controller.preempt(key.id)
    world.controller._loop.ask(lambda: None)
    assert world.controller._records.queue(key.id).demand(3) == 1
    assert world.controller._records.clusters[key.id].target == 1


def test_it_goes_on_after_a_restart(world: World) -> None:
    key = world.cluster(vmPriority="lowpriority")
    job = world.job()
    world.started(job)
    world.broken = True
    taken = world.controller.preempt(key.id)
    world.restart()
    world.broken = False
    world.clock.advance(seconds=6)
    again_on(world, job, taken)


def test_what_there_is_not_to_take(world: World) -> None:
    world.cluster("dedicated")
    world.cluster("empty", target=0, vmPriority="lowpriority")
    for cluster, node, why in (
        ("none", "", "there is no cluster none"),
        ("dedicated", "", "not of low priority"),
        ("empty", "", "has no node to take"),
        ("empty", "tvm-1", "has no node tvm-1 to take"),
    ):
        with pytest.raises(NothingToTake, match=why):
            world.controller.preempt(cluster, node)


def test_a_job_does_not_run_again_while_what_stopped_it_is_still_at_it(world: World) -> None:
    """An engine knows tasks by their names, which are the same when the job runs again."""
    stop, order = world.engine.stop, list[str]()
    again = threading.Event()

    def slow_stop(task_id: str, grace: float = 5.0) -> None:
        order.append("begun")
        if len(order) > 1:
            again.set()
        stop(task_id, grace)
        again.wait(0.5)
        order.append("done")

    key = world.cluster(target=2, vmPriority="lowpriority")
    job = world.job()
    task = world.started(job)
    world.engine.stop = slow_stop  # type: ignore[method-assign]
    again_on(world, job, world.controller.preempt(key.id))
    assert world.started(job) == task
    assert order[:2] == ["begun", "done"]
