"""States last until a client has seen them, and for a second if none looks."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from batchai_scenario.emulator.cluster.model import AllocationState, ExecutionState
from batchai_scenario.emulator.errors import EngineError, Problem
from tests.cluster.test_autoscale import auto

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.model import ClusterKey, JobKey
    from tests.cluster.conftest import World

STEADY, RESIZING = AllocationState.STEADY, AllocationState.RESIZING


@pytest.fixture
def slow(world: World) -> World:
    """A world in which states last a second."""
    world.lasting = timedelta(seconds=1)
    world.restart()
    return world


def rest(world: World) -> None:
    """Let everything that is due be done."""
    for _ in range(4):
        world.controller._loop.ask(lambda: None)


def cluster_state(world: World, key: ClusterKey) -> tuple[AllocationState, int]:
    cluster = world.controller.get_cluster(key)
    assert cluster is not None
    return cluster.allocation_state, len(cluster.nodes)


def job_state(world: World, key: JobKey) -> ExecutionState:
    job = world.controller.get_job(key)
    assert job is not None
    return job.execution_state


def test_a_cluster_resizes_until_it_was_seen(slow: World) -> None:
    key = slow.cluster(target=2)
    rest(slow)
    assert cluster_state(slow, key) == (RESIZING, 0)
    slow.controller.seen([key.id])
    slow.cluster_when(key, lambda c: c.allocation_state is STEADY and len(c.nodes) == 2)
    slow.scale(key, {"manual": {"targetNodeCount": 1}})
    rest(slow)
    assert cluster_state(slow, key) == (RESIZING, 2)
    slow.controller.seen([key.id])
    slow.cluster_when(key, lambda c: c.allocation_state is STEADY and len(c.nodes) == 1)


def test_a_job_is_queued_until_it_was_seen(slow: World) -> None:
    key = slow.cluster()
    slow.controller.seen([key.id])
    job, other = slow.job(), slow.job("other")
    rest(slow)
    assert job_state(slow, job) is ExecutionState.QUEUED
    slow.controller.seen([job.id])
    slow.job_in(job, ExecutionState.RUNNING)
    assert job_state(slow, other) is ExecutionState.QUEUED


def test_nobody_who_does_not_look_waits_for_longer_than_a_second(slow: World) -> None:
    key, job = slow.cluster(), slow.job()
    slow.clock.advance(seconds=1.1)
    slow.job_in(job, ExecutionState.RUNNING)
    assert cluster_state(slow, key) == (STEADY, 1)


def test_a_job_that_nobody_has_seen_is_terminated_deleted_and_counted_when_seen(slow: World) -> None:
    key = slow.cluster(**auto(0, 2))
    jobs = [slow.job(name) for name in "abc"]
    slow.controller.terminate_job(jobs[0])
    assert slow.job_in(jobs[0], ExecutionState.FAILED).errors[0].code == "JobTerminated"
    slow.controller.delete_job(jobs[1])
    slow.until(lambda: slow.controller.get_job(jobs[1]) is None)
    rest(slow)
    assert cluster_state(slow, key) == (STEADY, 0)
    slow.controller.seen([jobs[2].id])
    slow.job_in(jobs[2], ExecutionState.RUNNING)


def test_a_job_that_is_seen_while_the_disk_is_full_goes_on_when_there_is_room(slow: World) -> None:
    place, put = slow.engine.place_node, slow.store.put
    slow.engine.place_node = Mock(side_effect=EngineError(Problem("InternalError", "no room")))  # type: ignore[method-assign]
    key = slow.cluster()
    slow.controller.seen([key.id])
    slow.cluster_when(key, lambda cluster: cluster.errors)
    slow.engine.place_node = place  # type: ignore[method-assign]
    job = slow.job()
    full = Mock(side_effect=sqlite3.OperationalError("database or disk is full"))
    slow.store.put = full  # type: ignore[method-assign]
    slow.controller.seen([job.id])
    slow.until(lambda: full.called)
    rest(slow)
    slow.store.put = put  # type: ignore[method-assign]
    slow.clock.advance(seconds=6)
    slow.job_in(job, ExecutionState.RUNNING)


def test_a_cluster_that_nobody_has_seen_is_deleted_with_its_jobs(slow: World) -> None:
    key = slow.cluster()
    job = slow.job()
    slow.controller.delete_cluster(key)
    assert slow.job_in(job, ExecutionState.FAILED).errors[0].code == "ClusterDeleted"
    slow.until(lambda: slow.controller.get_cluster(key) is None)


def test_what_nobody_has_seen_goes_on_after_a_restart(slow: World) -> None:
    slow.cluster()
    job = slow.job()
    slow.restart()
    slow.job_in(job, ExecutionState.RUNNING)
