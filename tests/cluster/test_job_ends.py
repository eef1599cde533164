"""How jobs are ended: terminated, deleted, over their time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.model import ExecutionState, ProvisioningState

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.model import Job
    from tests.cluster.conftest import World

QUEUED, RUNNING, TERMINATING, SUCCEEDED, FAILED = ExecutionState


TERMINATED = "The specified job has been terminated by the user"


def test_terminating_a_queued_job_ends_it_at_that_moment(world: World) -> None:
    world.cluster(target=0)
    job = world.job()
    world.clock.advance(seconds=9)
    assert world.controller.terminate_job(job)
    ended = world.controller.get_job(job)
    assert ended is not None
    assert (ended.execution_state, ended.exit_code) == (FAILED, None)
    assert ended.started_at == ended.ended_at == world.clock.now()
    assert [(p.code, p.message) for p in ended.errors] == [("JobTerminated", TERMINATED)]


def test_terminating_a_running_job(world: World) -> None:
    world.cluster()
    job = world.job()
    task = world.started(job)
    seen: list[Job | None] = []
    stop = world.engine.stop

    def look(task_id: str, grace: float = 5.0) -> None:
        seen.append(world.controller.get_job(job))

    world.engine.stop = look  # type: ignore[method-assign]
    assert world.controller.terminate_job(job)
    world.until(lambda: seen)
    assert seen[0] is not None
    assert seen[0].execution_state is TERMINATING
    world.clock.advance(seconds=5)
    stop(task)
    world.engine.stop = stop  # type: ignore[method-assign]
    ended = world.job_in(job, FAILED)
    assert (ended.exit_code, ended.errors[0].code) == (None, "JobTerminated")
    assert ended.ended_at == world.clock.now()
    world.nothing_left()


def test_terminating_a_finished_job_changes_nothing(world: World) -> None:
    world.cluster()
    job = world.job()
    world.engine.end(world.started(job))
    done = world.job_in(job, SUCCEEDED)
    world.nothing_left()
    assert world.controller.terminate_job(job)
    assert world.controller.get_job(job) == done


def test_a_job_terminated_while_it_is_launched_never_goes_on(world: World) -> None:
    world.engine.gate = threading.Event()
    world.cluster()
    job = world.job()
    world.job_in(job, RUNNING)
    world.until(lambda: world.controller._records.jobs[job.id].tasks)
    world.controller.terminate_job(job)
    world.until(lambda: world.engine.stops)
    world.engine.gate.set()
    ended = world.job_in(job, FAILED)
    assert ended.errors[0].code == "JobTerminated"
    world.nothing_left()


def test_a_stop_that_came_too_early_is_said_again(world: World) -> None:
    """Stop was under way, and found nothing, when the launch ended."""
    world.engine.gate, stopping = threading.Event(), threading.Event()
    stop = world.engine.stop
    calls: list[str] = []

    def slow_stop(task_id: str, grace: float = 5.0) -> None:
        calls.append(task_id)
        if len(calls) == 1:
            assert stopping.wait(10)
        else:
            stop(task_id, grace)

    world.engine.stop = slow_stop  # type: ignore[method-assign]
    world.cluster()
    job = world.job()
    world.until(lambda: (found := world.controller._records.jobs.get(job.id)) and found.tasks)
    world.controller.terminate_job(job)
    world.until(lambda: calls)
    world.engine.gate.set()
    world.until(lambda: world.controller._records.jobs[job.id].launched)
    stopping.set()
    world.job_in(job, FAILED)
    world.nothing_left()


def test_unknown_jobs(world: World) -> None:
    key = world.job_in(world.job(), FAILED).key
    unknown = key.__class__(key.experiment, "no")
    assert world.controller.get_job(unknown) is None
    assert world.controller.terminate_job(unknown) is False
    assert world.controller.delete_job(unknown) is False
    assert world.controller.page_jobs([key.experiment.__class__(key.experiment.workspace, "no")]) == []


def test_deleting_a_running_job_ends_it_and_keeps_its_files(world: World) -> None:
    world.cluster()
    job = world.job()
    world.started(job)
    found = world.controller.get_job(job)
    assert found is not None
    folder = world.controller.file_folder(found, "stdouterr")
    assert folder is not None
    assert world.controller.delete_job(job)
    world.until(lambda: world.controller.get_job(job) is None)
    assert world.engine.tasks() == []
    assert (world.home.storage / folder[0] / folder[1] / folder[2] / "execution.log").exists()
    again = world.job()
    world.started(again)


def test_deleting_queued_and_finished_jobs(world: World) -> None:
    world.cluster()
    first, second = world.job("first"), world.job("second")
    task = world.started(first)
    assert world.controller.delete_job(second)
    world.until(lambda: world.controller.get_job(second) is None)
    world.engine.end(task)
    world.job_in(first, SUCCEEDED)
    world.controller.delete_job(first)
    world.until(lambda: world.controller.get_job(first) is None)


def test_creation_is_idempotent_k1(world: World) -> None:
    world.cluster(target=0)
    first = world.job_in(world.job(), QUEUED)
    world.clock.advance(seconds=1)
    assert world.job_in(world.job(nodeCount=7), QUEUED) == first
    assert first.provisioning_state is ProvisioningState.SUCCEEDED


def test_a_job_over_its_time_fails_without_an_exit_code(world: World) -> None:
    world.cluster()
    job = world.job(constraints={"maxWallClockTime": "PT1H30M"})
    world.started(job)
    world.clock.advance(minutes=89)
    world.job_in(job, RUNNING)
    world.clock.advance(minutes=1)
    ended = world.job_in(job, FAILED)
    assert (ended.exit_code, ended.errors[0].code) == (None, "JobTimedOut")
    assert "1:30:00" in ended.errors[0].message
    world.nothing_left()


def test_the_limit_counts_from_the_start_and_not_from_the_queue(world: World) -> None:
    key = world.cluster(target=0)
    job = world.job(constraints={"maxWallClockTime": "PT1H"})
    world.clock.advance(hours=5)
    world.scale(key, {"manual": {"targetNodeCount": 1}})
    world.started(job)
    world.clock.advance(minutes=59)
    world.engine.end(world.started(job))
    world.job_in(job, SUCCEEDED)
