"""What a machine has too little of for a moment is no reason to fail a job."""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.cluster.loop import RETRY, Loop, Workers
from batchai_scenario.emulator.cluster.model import ExecutionState
from batchai_scenario.emulator.cluster.room import problem_of, shortage
from batchai_scenario.emulator.engines.gpunodes import GPUS_TAKEN, GpuWish
from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.state.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.conftest import World

_, RUNNING, _, SUCCEEDED, FAILED = ExecutionState


def refusal(number: int, text: str = "The task could not be started.") -> EngineError:
    """An engine's refusal that comes from a system call's."""
    error = EngineError(Problem("InternalError", text))
    error.__cause__ = OSError(number, "as the kernel says")
    return error


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN])
def test_a_job_waits_for_what_the_machine_is_short_of(world: World, number: int) -> None:
    world.engine.refuse_start = refusal(number)
    world.cluster()
    job = world.job()
    for _ in range(3):
        world.until(lambda: world.controller._settler.jobs._resting)
        assert world.job_in(job, RUNNING).errors == ()
        world.clock.advance(seconds=RETRY.seconds)
        world.until(lambda: not world.controller._settler.jobs._resting or len(world.engine.seen) > 1)
    world.engine.refuse_start = None
    world.clock.advance(seconds=RETRY.seconds)
    task = world.started(job)
    assert world.engine.starts == [task]
    world.engine.end(task)
    done = world.job_in(job, SUCCEEDED)
    assert (done.exit_code, done.errors) == (0, ())
    log = next(world.shares.root.rglob("execution.log")).read_text()
    assert log.count("the job waits, and is tried again every 5 seconds") == 1


def test_a_job_that_waits_is_ended_and_times_out_as_any_other(world: World) -> None:
    world.engine.refuse_start = refusal(errno.EMFILE)
    world.cluster(target=2)
    job, other = world.job(), world.job("other", constraints={"maxWallClockTime": "PT1M"})
    world.until(lambda: len(world.controller._settler.jobs._resting) == 2)
    world.controller.terminate_job(job)
    for _ in range(14):
        world.clock.advance(seconds=RETRY.seconds)
    assert [problem.code for problem in world.job_in(job, FAILED).errors] == ["JobTerminated"]
    assert [problem.code for problem in world.job_in(other, FAILED).errors] == ["JobTimedOut"]
    assert world.engine.starts == []


def test_what_is_no_shortage_fails_the_job_as_ever(world: World) -> None:
    world.engine.refuse_start = refusal(errno.EACCES)
    world.cluster()
    assert world.job_in(world.job(), FAILED).exit_code == -1


def test_a_shortage_is_found_wherever_it_hides() -> None:
    inner = OSError(errno.EMFILE, "too many")
    wrapped = ConnectionError("aborted", inner)
    assert shortage(EngineError(Problem("InternalError", "x"))) == ""
    assert shortage(MemoryError()) == "Cannot allocate memory"
    assert shortage(RuntimeError(wrapped)) == "Too many open files"
    assert "container engine" in shortage(EngineError(Problem("X", "pipe2: too many open files")))
    wrapped.__context__ = RuntimeError(wrapped)  # chains may go in a circle
    assert shortage(wrapped) == "Too many open files"
    assert "short of" in problem_of(wrapped, "trying").message


def test_a_thread_that_cannot_be_had_is_a_call_that_may_be_tried_again() -> None:
    class Refused(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    refuse = [True]

    def make(run: Callable[[], None], name: str) -> threading.Thread:
        return (Refused if refuse.pop() else threading.Thread)(target=run, name=name, daemon=True)

    loop = Loop(ManualClock())
    workers = Workers(loop, make)
    ends: list[object] = []
    loop.start()
    loop.ask(lambda: workers.begin("key", lambda: "worked", ends.append))
    loop.wait_until(lambda: ends, 10)
    assert isinstance(ends[0], OSError)
    assert shortage(ends[0])
    assert not workers.busy("key")
    refuse.append(False)
    loop.ask(lambda: workers.begin("key", lambda: "worked", ends.append))
    loop.wait_until(lambda: len(ends) > 1, 10)
    assert ends[1] == "worked"
    workers.join("nothing", 1)
    loop.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOSPC])
def test_nodes_that_were_placed_before_room_ran_out_are_the_clusters(world: World, number: int) -> None:
    place = world.engine.place_node

    def short(cluster: str, node: str, _gpus: object = None) -> object:
        if len(world.engine.nodes) == 2:
            raise OSError(number, "as the kernel says")
        return place(cluster, node)

    world.engine.place_node = short  # type: ignore[method-assign,assignment]
    key = world.cluster(target=3)
    found = world.cluster_when(key, lambda cluster: cluster.errors)
    assert [node.id for node in found.nodes] == list(world.engine.nodes)
    assert len(found.nodes) == 2
    world.controller.delete_cluster(key)
    world.until(lambda: world.controller.get_cluster(key) is None)
    assert world.engine.nodes == {}


def test_nodes_are_placed_again_when_there_is_room(world: World) -> None:
    place, refuse = world.engine.place_node, [True]

    def short(cluster: str, node: str, _gpus: object = None) -> object:
        if refuse:
            refuse.pop()
            raise OSError(errno.EMFILE, "too many")
        return place(cluster, node)

    world.engine.place_node = short  # type: ignore[method-assign,assignment]
    key = world.cluster()
    found = world.cluster_when(key, lambda cluster: cluster.errors)
    assert "Too many open files" in found.errors[0].message
    world.clock.advance(seconds=RETRY.seconds)
    found = world.cluster_when(key, lambda cluster: cluster.nodes and not cluster.errors)
    assert len(found.nodes) == 1


def test_a_cluster_without_gpus_gets_its_node_when_another_gives_them_back(world: World) -> None:
    place = world.engine.place_node
    wishes = []

    def one_gpu(cluster: str, node: str, gpus: object = None) -> object:
        wishes.append(gpus)
        if world.engine.nodes and node not in world.engine.nodes:
            raise EngineError(Problem(GPUS_TAKEN, "this machine has 1 GPU"))
        return place(cluster, node)

    world.engine.place_node = one_gpu  # type: ignore[method-assign,assignment]
    first = world.cluster("first")
    world.cluster_when(first, lambda cluster: cluster.nodes)
    assert wishes == [GpuWish("auto", "STANDARD_NC6")]
    second = world.cluster("second")
    waits = world.cluster_when(second, lambda cluster: cluster.errors)
    assert (waits.errors[0].code, waits.nodes) == (GPUS_TAKEN, ())
    world.controller.delete_cluster(first)
    world.until(lambda: world.controller.get_cluster(first) is None)
    world.clock.advance(seconds=RETRY.seconds)
    found = world.cluster_when(second, lambda cluster: cluster.nodes and not cluster.errors)
    assert len(found.nodes) == 1
