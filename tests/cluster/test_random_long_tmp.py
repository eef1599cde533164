"""Whatever users, nodes and the machine do in whatever order: everything comes to its end, once."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from batchai_scenario.emulator.cluster.model import (
    ClusterKey,
    ExecutionState,
    ExperimentKey,
    JobKey,
    WorkspaceKey,
)
from batchai_scenario.emulator.errors import NothingToTake

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.conftest import World

EXPERIMENT = ExperimentKey(WorkspaceKey("5ab", "Group", "Ws"), "Exp")
NAMES = st.sampled_from(["a", "b", "c", "d"])
OPTIONS = st.sampled_from(["requeue", "terminate", "waitforjobcompletion"])
STEPS = st.one_of(
    st.tuples(st.just("create"), NAMES, st.integers(1, 2)),
    st.tuples(st.just("end"), st.integers(0, 3), st.sampled_from([0, 3])),
    st.tuples(st.just("terminate"), NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("scale"), st.integers(0, 3), OPTIONS),
    st.tuples(st.just("auto"), st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.just("preempt")),
    st.tuples(st.just("advance"), st.sampled_from([1, 6, 4000])),
    st.tuples(st.just("breathe")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("engine"), st.booleans()),
)


class Watch:
    """Remembers every state of every job that reached the disk."""

    def __init__(self, world: World) -> None:
        self.states: dict[str, list[str]] = {}
        write = world.store.put

        def put(kind: str, key: str, body: Any, **more: Any) -> None:
            write(kind, key, body, **more)
            if kind == "job":
                self.states.setdefault(body["guid"], []).append(body["execution"][0])

        world.store.put = put  # type: ignore[method-assign, assignment]

    def check(self) -> None:
        for states in self.states.values():
            finals = [state for state in states if state in ("succeeded", "failed")]
            if finals:
                assert len(set(finals)) == 1, "a job ends once"
                assert set(states[states.index(finals[0]) :]) == set(finals), "nothing comes after the end"


def one_job_a_node(world: World) -> None:
    with world.engine.changed:
        nodes = [task.node for task in world.engine.running.values()]
    assert len(nodes) == len(set(nodes)), "one job a node"


def do(world: World, cluster: ClusterKey, name: str, *values: Any) -> None:
    controller, key = world.controller, JobKey(EXPERIMENT, str(values[0]) if values else "")

    def create(job: str, nodes: int) -> None:
        world.job(job, cluster, nodeCount=nodes, constraints={"maxWallClockTime": "PT1H"})

    def end(which: int, code: int) -> None:
        running = sorted(world.engine.running)
        if running:
            world.engine.end(running[which % len(running)], code)

    def scale(target: int, option: str) -> None:
        manual = {"targetNodeCount": target, "nodeDeallocationOption": option}
        controller.update_cluster(cluster, {"scaleSettings": {"manual": manual}})

    def auto(minimum: int, maximum: int) -> None:
        bounds = {"minimumNodeCount": minimum, "maximumNodeCount": maximum}
        controller.update_cluster(cluster, {"scaleSettings": {"autoScale": bounds}})

    def preempt() -> None:
        with contextlib.suppress(NothingToTake):
            controller.preempt(cluster.id)

    def engine(up: bool) -> None:
        if up:
            world.engine.down = False
        else:
            world.engine.go_down()

    actions: dict[str, Callable[..., object]] = {
        "create": create,
        "end": end,
        "terminate": lambda _: controller.terminate_job(key),
        "delete": lambda _: controller.delete_job(key),
        "scale": scale,
        "auto": auto,
        "preempt": preempt,
        "advance": lambda seconds: world.clock.advance(seconds=seconds),
        "breathe": lambda: controller._loop.ask(lambda: None),
        "restart": world.restart,
        "engine": engine,
    }
    actions[name](*values)


def drain(world: World, cluster: ClusterKey, keys: list[JobKey]) -> None:
    """Let everything come to its end: an engine that answers, enough nodes, and time."""
    world.engine.down = False
    world.scale(cluster, {"manual": {"targetNodeCount": 3}})

    def over() -> bool:
        world.clock.advance(seconds=1)
        for task in list(world.engine.running):
            world.engine.end(task, 0)
        world.controller._loop.post(lambda: None)  # so that we look again
        jobs = [job for key in keys if (job := world.controller.get_job(key)) is not None]
        return all(job.execution_state.final for job in jobs)

    world.controller.wait_until(over, 20)
    for key in keys:
        job = world.controller.get_job(key)
        if job is not None and job.execution_state is ExecutionState.SUCCEEDED:
            assert job.exit_code == 0
    world.controller.delete_cluster(cluster)

    def gone() -> bool:
        world.clock.advance(seconds=1)
        world.controller._loop.post(lambda: None)
        return world.controller.get_cluster(cluster) is None

    world.controller.wait_until(gone, 20)
    assert world.engine.tasks() == []
    assert world.engine.nodes == {}


@settings(max_examples=150, deadline=None, print_blob=True)
@given(st.lists(STEPS, min_size=4, max_size=25))
def test_everything_comes_to_its_end(make_world: Callable[[Path], Any], steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, make_world(Path(folder)) as world:
        watch = Watch(world)
        cluster = world.cluster(target=2, vmPriority="lowpriority")
        keys = [JobKey(EXPERIMENT, name) for name in "abcd"]
        for step in steps:
            do(world, cluster, *step)
            one_job_a_node(world)
        drain(world, cluster, keys)
        watch.check()
