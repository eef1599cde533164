"""Clusters that scale by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.cluster.model import AllocationState, ExecutionState, NodeState

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.model import Cluster, ClusterKey
    from batchai_scenario.emulator.engines.gpunodes import GpuWish
    from tests.cluster.conftest import World

STEADY, RESIZING = AllocationState.STEADY, AllocationState.RESIZING


def auto(minimum: int, maximum: int, initial: int = 0) -> dict[str, Any]:
    bounds = {"minimumNodeCount": minimum, "maximumNodeCount": maximum, "initialNodeCount": initial}
    return {"scaleSettings": {"autoScale": bounds}}


def sized(world: World, key: ClusterKey, nodes: int) -> Cluster:
    def whole(cluster: Cluster) -> bool:
        ready = all(node.state in (NodeState.IDLE, NodeState.RUNNING) for node in cluster.nodes)
        return len(cluster.nodes) == nodes and cluster.allocation_state is STEADY and ready

    return world.cluster_when(key, whole)


def asked(world: World) -> None:
    """Let everything that is due be done."""
    for _ in range(3):
        world.controller._loop.ask(lambda: None)


def test_a_cluster_grows_for_its_queue_and_returns_to_nothing_when_idle(world: World) -> None:
    key = world.cluster(**auto(0, 2))
    assert sized(world, key, 0).allocation_state is STEADY
    jobs = [world.job(name) for name in "abc"]
    tasks = [world.started(job) for job in jobs[:2]]
    assert sized(world, key, 2)
    world.job_in(jobs[2], ExecutionState.QUEUED)
    world.engine.end(tasks[0])
    last = world.started(jobs[2])
    world.engine.end(tasks[1])
    world.job_in(jobs[1], ExecutionState.SUCCEEDED)
    world.clock.advance(seconds=4)
    assert sized(world, key, 1).nodes[0].state is NodeState.RUNNING, "what is needed stays"
    world.engine.end(last)
    world.job_in(jobs[2], ExecutionState.SUCCEEDED)
    world.clock.advance(seconds=2)
    asked(world)
    assert sized(world, key, 1), "it waits a little"
    world.clock.advance(seconds=2)
    assert sized(world, key, 0)
    assert world.engine.nodes == {}


def test_growing_is_seen_and_a_gang_gets_all_its_nodes(world: World) -> None:
    key = world.cluster(**auto(1, 3))
    sized(world, key, 1)
    seen = []
    place = world.engine.place_node

    def look(cluster: str, node: str, gpus: GpuWish | None = None) -> Any:
        seen.append(world.controller.get_cluster(key))
        return place(cluster, node, gpus)

    world.engine.place_node = look  # type: ignore[method-assign]
    job = world.job(nodeCount=3)
    small = world.job("small")
    running = world.job_in(job, ExecutionState.RUNNING)
    assert len(running.nodes) == 3
    growing = seen[:2]  # a job's launch asks for its nodes too, which are there then
    assert [one.allocation_state for one in growing if one] == [RESIZING] * 2
    world.job_in(small, ExecutionState.QUEUED)


def test_a_new_cluster_begins_with_its_initial_count(world: World) -> None:
    key = world.cluster(**auto(1, 4, initial=3))
    sized(world, key, 3)
    world.clock.advance(seconds=4)
    sized(world, key, 1)
    low = world.cluster("low", **auto(2, 4))
    sized(world, low, 2)


def test_a_job_that_asks_for_more_than_the_maximum_does_not_count_and_holds_back_nobody(world: World) -> None:
    key = world.cluster(**auto(0, 2))
    huge, small = world.job("huge", nodeCount=3), world.job("small")
    world.started(small)
    sized(world, key, 1)
    world.job_in(huge, ExecutionState.QUEUED)
    world.scale(key, auto(0, 4)["scaleSettings"])
    world.job_in(huge, ExecutionState.RUNNING)


def test_a_lower_maximum_waits_for_running_jobs(world: World) -> None:
    key = world.cluster(**auto(0, 2))
    tasks = [world.started(world.job(name)) for name in "ab"]
    world.scale(key, auto(0, 1)["scaleSettings"])
    world.cluster_when(key, lambda c: c.allocation_state is RESIZING)
    asked(world)
    assert len(world.engine.running) == 2
    world.engine.end(tasks[0])
    sized(world, key, 1)
    assert list(world.engine.running) == [tasks[1]]


def test_from_manual_to_automatic_and_back(world: World) -> None:
    key = world.cluster(target=2)
    sized(world, key, 2)
    world.scale(key, auto(0, 4)["scaleSettings"])
    asked(world)
    sized(world, key, 2)
    world.clock.advance(seconds=4)
    sized(world, key, 0)
    world.scale(key, {"manual": {"targetNodeCount": 1}})
    sized(world, key, 1)
    world.clock.advance(seconds=60)
    asked(world)
    sized(world, key, 1)


def test_scaling_goes_on_after_a_restart(world: World) -> None:
    key = world.cluster(**auto(0, 2))
    job = world.job()
    task = world.started(job)
    world.restart()
    world.engine.end(task)
    world.job_in(job, ExecutionState.SUCCEEDED)
    world.restart()
    sized(world, key, 1)
    asked(world)
    world.clock.advance(seconds=4)
    sized(world, key, 0)


def test_a_cluster_made_again_under_its_name_waits_anew(world: World) -> None:
    key = world.cluster(**auto(0, 2, initial=2))
    sized(world, key, 2)
    world.controller.delete_cluster(key)
    world.until(lambda: world.controller.get_cluster(key) is None)
    world.cluster(**auto(0, 2, initial=1))
    sized(world, key, 1)
    world.clock.advance(seconds=2)
    asked(world)
    sized(world, key, 1)


def test_an_engine_without_room_leaves_the_job_queued_and_the_reason_in_the_cluster(world: World) -> None:
    world.broken = True
    key = world.cluster(**auto(0, 1))
    job = world.job()
    world.cluster_when(key, lambda c: c.errors and c.allocation_state is STEADY)
    world.job_in(job, ExecutionState.QUEUED)
    world.broken = False
    world.clock.advance(seconds=6)
    world.job_in(job, ExecutionState.RUNNING)
