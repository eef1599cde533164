"""A controller takes over from one that stopped: everything is found on disk."""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.cluster.loop import LoopClosed
from batchai_scenario.emulator.cluster.model import ExecutionState, NodeState

if TYPE_CHECKING:
    from batchai_scenario.emulator.engines.base import NodePlace
    from batchai_scenario.emulator.engines.gpunodes import GpuWish
    from tests.cluster.conftest import World

QUEUED, RUNNING, TERMINATING, SUCCEEDED, FAILED = ExecutionState


def test_a_running_job_is_found_again_and_not_started_twice(world: World) -> None:
    world.cluster()
    job = world.job()
    task = world.started(job)
    world.restart()
    world.engine.end(task, 5)
    assert world.job_in(job, FAILED).exit_code == 5
    assert world.engine.starts == [task]


def test_a_job_that_ended_meanwhile_ends_with_its_own_time_and_code(world: World) -> None:
    world.cluster()
    job = world.job()
    task = world.started(job)
    world.controller.close()
    world.clock.advance(seconds=30)
    world.engine.end(task)
    ended_at = world.clock.now()
    world.clock.advance(days=1)
    world.restart()
    done = world.job_in(job, SUCCEEDED)
    assert (done.ended_at, done.exit_code) == (ended_at, 0)
    world.nothing_left()


def test_a_job_that_was_picked_but_never_started_is_started(world: World) -> None:
    world.engine.gate = threading.Event()
    world.cluster()
    job = world.job()
    world.job_in(job, RUNNING)
    world.restart()
    world.engine.gate.set()
    task = world.started(job)
    assert world.engine.starts == [task]
    world.engine.end(task)
    world.job_in(job, SUCCEEDED)


def test_terminating_goes_on_after_a_restart(world: World) -> None:
    world.cluster()
    job = world.job()
    world.started(job)
    stop = world.engine.stop
    world.engine.stop = lambda task_id, grace=5.0: None  # type: ignore[method-assign]
    world.controller.terminate_job(job)
    world.job_in(job, TERMINATING)
    world.controller.close()
    world.engine.stop = stop  # type: ignore[method-assign]
    world.restart()
    assert world.job_in(job, FAILED).errors[0].code == "JobTerminated"
    world.nothing_left()


def test_a_job_terminated_before_its_launch_was_known_is_cleaned_up(world: World) -> None:
    """The old emulator started the task and died before it noted that; the user had terminated the job."""
    world.engine.gate = threading.Event()
    world.cluster()
    job = world.job()
    world.job_in(job, RUNNING)
    world.until(lambda: world.controller._records.jobs[job.id].tasks)
    world.controller.terminate_job(job)
    world.controller.close()
    world.engine.gate.set()  # the thread of the old one goes on: its task runs now
    with world.engine.changed:
        assert world.engine.changed.wait_for(lambda: world.engine.running, 10)
    world.restart()
    assert world.job_in(job, FAILED).errors[0].code == "JobTerminated"
    world.nothing_left()


def test_deleting_goes_on_after_a_restart(world: World) -> None:
    cluster = world.cluster()
    job = world.job()
    world.started(job)
    world.broken = True
    world.controller.delete_cluster(cluster)
    world.controller.delete_job(job)
    world.restart()
    world.broken = False
    world.clock.advance(seconds=6)
    world.until(lambda: world.controller.get_cluster(cluster) is None)
    assert world.controller.get_job(job) is None
    assert not world.engine.nodes
    assert world.engine.tasks() == []


def test_allocation_goes_on_after_a_restart(world: World) -> None:
    world.broken = True
    key = world.cluster()
    world.cluster_when(key, lambda c: c.errors)
    world.broken = False
    world.restart()
    cluster = world.cluster_when(key, lambda c: c.nodes and c.nodes[0].state is NodeState.IDLE)
    assert cluster.errors == ()


def test_nodes_that_may_have_been_placed_are_not_forgotten(world: World) -> None:
    """The old emulator placed a node and died before it noted that; then the engine was away a while."""
    place, placed = world.engine.place_node, threading.Event()

    def place_and_die(cluster: str, node: str, gpus: GpuWish | None = None) -> NodePlace:
        place(cluster, node, gpus)
        placed.set()
        world.controller._loop._open = False  # nothing that comes after this is written
        raise LoopClosed

    world.engine.place_node = place_and_die  # type: ignore[method-assign]
    key = world.cluster()
    assert placed.wait(10)
    world.controller.close()
    world.engine.place_node = place  # type: ignore[method-assign]
    world.engine.down = True
    world.restart()
    world.cluster_when(key, lambda c: c.errors and not c.nodes)
    assert len(world.engine.nodes) == 1
    world.engine.down = False
    world.controller.delete_cluster(key)
    world.until(lambda: world.controller.get_cluster(key) is None)
    assert not world.engine.nodes


def test_a_requeue_goes_on_after_a_restart(world: World) -> None:
    key = world.cluster()
    job = world.job()
    world.started(job)
    remove = world.engine.remove
    failing = threading.Event()

    def refuse(task_id: str) -> None:
        failing.set()
        raise RuntimeError

    world.engine.remove = refuse  # type: ignore[method-assign]
    world.scale(key, {"manual": {"targetNodeCount": 0}})
    world.until(failing.is_set)
    world.controller.close()
    world.engine.remove = remove  # type: ignore[method-assign]
    world.restart()
    world.job_in(job, QUEUED)
    world.cluster_when(key, lambda c: not c.nodes)


def test_the_time_limit_counts_across_restarts(world: World) -> None:
    world.cluster()
    job = world.job(constraints={"maxWallClockTime": "PT1H"})
    world.started(job)
    world.clock.advance(minutes=40)
    world.restart()
    world.clock.advance(minutes=21)
    assert world.job_in(job, FAILED).errors[0].code == "JobTimedOut"


def test_a_job_that_ended_in_time_did_not_run_out_of_it(world: World) -> None:
    world.cluster()
    job = world.job(constraints={"maxWallClockTime": "PT1H"})
    task = world.started(job)
    world.controller.close()
    world.clock.advance(minutes=40)
    world.engine.end(task)
    world.clock.advance(hours=10)
    world.restart()
    assert world.job_in(job, SUCCEEDED).exit_code == 0


def test_a_job_is_never_given_up_while_the_engine_does_not_answer(world: World) -> None:
    world.cluster()
    job = world.job()
    task = world.started(job)
    world.broken = True
    world.restart()
    world.until(lambda: world.controller._settler.jobs._resting)
    world.job_in(job, RUNNING)
    world.broken = False
    world.clock.advance(seconds=6)
    world.engine.end(task)
    world.job_in(job, SUCCEEDED)


def test_a_task_whose_launch_may_have_worked_is_not_failed_while_nobody_can_tell(world: World) -> None:
    world.engine.gate = threading.Event()
    world.cluster()
    job = world.job()
    world.until(lambda: (found := world.controller._records.jobs.get(job.id)) and found.tasks)
    world.controller.close()
    world.engine.gate.set()
    with world.engine.changed:
        assert world.engine.changed.wait_for(lambda: world.engine.running, 10)
    world.broken = True
    world.restart()
    world.until(lambda: world.controller._settler.jobs._resting)
    world.broken = False
    world.clock.advance(seconds=6)
    world.engine.end(world.started(job))
    world.job_in(job, SUCCEEDED)
    assert len(world.engine.starts) == 1


def test_closing_waits_for_no_job_and_jobs_run_on(world: World) -> None:
    world.cluster()
    task = world.started(world.job())
    world.controller.close()
    assert list(world.engine.running) == [task]
    with pytest.raises(LoopClosed):
        world.job("late")


def test_a_full_disk_delays_what_happened_and_loses_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.cluster()
    job = world.job()
    task = world.started(job)
    put, refused = world.store.put, threading.Event()

    def full(*_: object, **__: object) -> None:
        refused.set()
        raise sqlite3.OperationalError("database or disk is full")

    world.store.put = full  # type: ignore[method-assign]
    with caplog.at_level(logging.CRITICAL, "emulator"):
        world.engine.end(task, 4)
        world.until(refused.is_set)
        with pytest.raises(sqlite3.OperationalError):
            world.job("other")
    world.store.put = put  # type: ignore[method-assign]
    world.job_in(job, RUNNING)
    world.clock.advance(seconds=6)
    assert world.job_in(job, FAILED).exit_code == 4
