"""Jobs of several nodes: they start together, end together, and say which node failed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.model import ExecutionState, NodeState
from batchai_scenario.emulator.errors import EngineError, Problem
from tests.cluster.test_jobs import log_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.emulator.launch.plan import NodeTask
    from tests.cluster.conftest import World

QUEUED, RUNNING, TERMINATING, SUCCEEDED, FAILED = ExecutionState


def test_a_job_on_two_nodes_starts_on_both_and_ends_with_the_master(world: World) -> None:
    cluster = world.cluster(target=2)
    job = world.job(nodeCount=2)
    task = world.started(job)
    assert len(world.engine.running) == 2
    world.engine.end(task, 0)
    done = world.job_in(job, SUCCEEDED)  # the other was stopped with 143, after the master's end
    assert done.exit_code == 0
    world.cluster_when(cluster, lambda c: [node.state for node in c.nodes] == [NodeState.IDLE] * 2)
    world.nothing_left()


def test_a_job_on_two_nodes_fails_with_the_node_that_failed_first(world: World) -> None:
    world.cluster(target=2)
    job = world.job(nodeCount=2)
    master = world.started(job)
    stop = world.engine.stop

    def stop_later(task_id: str, grace: float = 5.0) -> None:
        world.clock.advance(seconds=1)
        stop(task_id)

    world.engine.stop = stop_later  # type: ignore[method-assign]
    world.engine.end(f"{master[:-2]}-1", 9, "preparation")
    failed = world.job_in(job, FAILED)
    assert (failed.exit_code, failed.errors[0].code) == (9, "JobPreparationFailed")
    assert failed.errors[0].details == (("Node", failed.nodes[1]),)


def test_a_job_that_only_one_of_its_two_nodes_can_start_fails_with_the_other_and_leaves_nothing(
    world: World,
) -> None:
    world.cluster(target=2)
    begin = world.engine.start

    def start(task: NodeTask, announce: Callable[[str], None]) -> None:
        if task.id.endswith("-1"):
            raise EngineError(Problem("AZFMountError", "Azure file share cannot be mounted."))
        begin(task, announce)

    world.engine.start = start  # type: ignore[method-assign]
    failed = world.job_in(world.job(nodeCount=2), FAILED)
    (error,) = failed.errors
    assert (failed.exit_code, error.code) == (-1, "AZFMountError")
    assert dict(error.details)["Node"] == failed.nodes[1]
    world.nothing_left()


def test_a_job_on_two_nodes_has_a_log_for_each(world: World) -> None:
    world.cluster(target=2)
    job = world.job(nodeCount=2)
    world.engine.end(world.started(job), 0)
    nodes = world.job_in(job, SUCCEEDED).nodes
    world.nothing_left()
    texts = [log_of(world, job, f"execution-{node}.log") for node in nodes]
    assert all("the job succeeded with exit code 0" in text for text in texts)
    assert [text.count("image: none for") for text in texts] == [1, 1]
    assert [text.count("main ended with exit code") for text in texts] == [1, 1]
