"""What a job costs does not depend on how many there are: counted in calls and rows, never in seconds."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import partial, total_ordering
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.cluster.lines import Line
from batchai_scenario.emulator.cluster.model import ClusterKey, JobKey
from batchai_scenario.emulator.cluster.queue import Queue, QueuedJob
from tests.cluster.conftest import EXPERIMENT, WORKSPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.cluster.conftest import World

NODES = 4


class Count:
    """Counts what a world's controller does: rows read and written, and looks at jobs."""

    def __init__(self, world: World) -> None:
        self.counts: Counter[str] = Counter()
        self.world = world
        store, jobs = world.store, world.controller._settler.jobs
        self._count(store, "put", lambda _: 1)
        self._count(store, "get", lambda _: 1)
        self._count(store, "list", len)
        self._count(jobs, "reconcile", lambda _: 1)

    def _count(self, owner: Any, name: str, weigh: Callable[[Any], int]) -> None:
        inner = getattr(owner, name)

        def counted(*args: Any, **more: Any) -> Any:
            result = inner(*args, **more)
            self.counts[name] += weigh(result)
            return result

        setattr(owner, name, counted)

    def since(self, action: Callable[[], object]) -> Counter[str]:
        """Count what one action takes."""
        before = Counter(self.counts)
        action()
        self.world.controller._loop.ask(lambda: None)
        self.world.controller._loop.ask(lambda: None)
        return self.counts - before


def run(world: World, count: int) -> dict[str, float]:
    """Run jobs on four nodes; gives what each of them took."""
    cluster = world.cluster(target=0)
    for number in range(count):
        world.job(f"j{number}", cluster)
    world.engine.on_start = lambda task: world.engine.end(task.id)
    counting = Count(world)
    world.scale(cluster, {"manual": {"targetNodeCount": NODES}})
    world.until(lambda: world.controller._records.queue(cluster.id).empty)
    assert len(world.engine.starts) == count
    return {name: total / count for name, total in counting.counts.items()}


@pytest.fixture
def worlds(
    make_world: Callable[[Path], AbstractContextManager[World]], tmp_path: Path
) -> Iterator[tuple[World, World]]:
    with make_world(tmp_path / "few") as few, make_world(tmp_path / "many") as many:
        yield few, many


def test_a_job_takes_as_much_among_many_as_among_few(worlds: tuple[World, World]) -> None:
    few, many = run(worlds[0], 15), run(worlds[1], 120)
    for name, each in many.items():
        assert each <= 1.2 * few[name] + 1, (name, few, many)
    assert many["reconcile"] < 15


def test_submitting_reading_and_a_page_read_no_more_among_many(worlds: tuple[World, World]) -> None:
    seen = []
    for world, count in zip(worlds, (10, 300), strict=True):
        cluster = world.cluster(target=0)
        for number in range(count):
            world.job(f"j{number}", cluster)
        counting, key, controller = Count(world), JobKey(EXPERIMENT, "j3"), world.controller
        actions: list[Callable[[], object]] = [
            partial(world.job, "another"),
            partial(controller.get_job, key),
            partial(controller.page_jobs, [EXPERIMENT], 0, 5),
            partial(controller.terminate_job, key),
            partial(controller.delete_job, key),
        ]
        seen.append([counting.since(action) for action in actions])
    assert seen[0] == seen[1]
    assert seen[0][2] == {"list": 5}


def test_a_page_goes_on_where_the_last_one_ended(world: World) -> None:
    cluster = world.cluster(target=0)
    for number in range(7):
        world.job(f"j{number}", cluster)
    first = world.controller.page_jobs([EXPERIMENT], 0, 3)
    world.controller.delete_job(JobKey(EXPERIMENT, "j1"))
    world.until(lambda: world.controller.get_job(JobKey(EXPERIMENT, "j1")) is None)
    second = world.controller.page_jobs([EXPERIMENT], first[-1][0], 3)
    third = world.controller.page_jobs([EXPERIMENT], second[-1][0], 3)
    names = [[job.key.name for _, job in page] for page in (first, second, third)]
    assert names == [["j0", "j1", "j2"], ["j3", "j4", "j5"], ["j6"]]


def test_pages_of_several_places_are_in_order_of_age(world: World) -> None:
    other = type(EXPERIMENT)(WORKSPACE, "Other")
    cluster = world.cluster(target=0)
    for name in ("a", "b"):
        world.job(name, cluster)
        world.controller.create_job(
            JobKey(other, name), cluster, {"nodeCount": 1, "schedulingPriority": "low"}, {}
        )
    found = world.controller.page_jobs([other, EXPERIMENT], 0, 3)
    assert [(job.key.experiment.name, job.key.name) for _, job in found] == [
        ("Exp", "a"),
        ("Other", "a"),
        ("Exp", "b"),
    ]


def test_a_start_reads_only_what_is_not_over(world: World) -> None:
    cluster = world.cluster(target=1)
    world.engine.on_start = lambda task: world.engine.end(task.id)
    for number in range(12):
        world.job(f"j{number}", cluster)
    world.until(lambda: world.controller._records.queue(cluster.id).empty)
    world.scale(cluster, {"manual": {"targetNodeCount": 0}})
    world.job("waits", cluster)
    world.controller.close()
    world.controller = world.fresh()
    counting = Count(world)
    world.controller.start()
    world.controller._loop.ask(lambda: None)
    assert counting.counts["list"] <= 4  # the cluster, its node that may still leave, the job
    assert counting.counts["reconcile"] == 0


def test_all_jobs_of_an_experiment_are_deleted_once_however_often_that_is_asked(world: World) -> None:
    cluster = world.cluster()
    running = world.started(world.job("runs", cluster))
    for number in range(130):
        world.job(f"j{number}", cluster)
    stop = world.engine.stop
    world.engine.stop = lambda task_id, grace=5.0: None  # type: ignore[method-assign]
    assert not world.controller.delete_jobs(EXPERIMENT)
    counting = Count(world)
    seen = counting.since(lambda: world.controller.delete_jobs(EXPERIMENT))
    assert seen["put"] == 0
    assert seen["list"] <= 1
    world.until(lambda: len(world.controller.page_jobs([EXPERIMENT])) == 1)
    world.engine.stop = stop  # type: ignore[method-assign]
    stop(running)
    world.until(lambda: world.controller.delete_jobs(EXPERIMENT))
    assert world.engine.tasks() == []
    world.job("again", cluster)
    assert not world.controller.delete_jobs(EXPERIMENT)
    world.until(lambda: world.controller.delete_jobs(EXPERIMENT))


def test_the_benchmark_of_the_queue_runs() -> None:
    program = Path(__file__).parents[2] / "benchmarks" / "queued.py"
    small = ("--sizes", "6", "--nodes", "2", "--large", "3", "12")
    done = subprocess.run([sys.executable, program, *small], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5


def test_events_of_one_node_touch_no_other(world: World) -> None:
    cluster = world.cluster(target=40)
    world.cluster_when(cluster, lambda c: len(c.nodes) == 40 and all(n.state == "idle" for n in c.nodes))
    counting = Count(world)
    job = world.job()
    task = world.started(job)
    world.engine.end(task)
    world.until(lambda: world.controller._records.queue(cluster.id).empty)
    assert counting.counts["put"] < 15
    assert ClusterKey(WORKSPACE, "c") == cluster


@total_ordering
class Weighed:
    """A rank that counts how often it is compared."""

    compared = 0

    def __init__(self, value: int) -> None:
        self.value = value

    def __lt__(self, other: Weighed) -> bool:
        Weighed.compared += 1
        return self.value < other.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Weighed) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


def test_a_line_compares_little() -> None:
    line = Line[Weighed]()
    for number in range(4000):
        line.add(str(number), Weighed(-number))
    for number in range(3999, 0, -2):
        line.discard(str(number))
    order = []
    while (head := line.first()) is not None:
        order.append(int(head[1]))
        line.discard(head[1])
    assert order == list(range(3998, -1, -2))
    assert Weighed.compared < 4000 * 40


def test_a_name_that_comes_back_stands_in_line_once() -> None:
    line = Line[int]()
    for _ in range(100):
        line.add("a", 1)
        line.discard("a")
    line.add("b", 2)
    line.add("a", 1)
    assert (line.firsts(5), len(line)) == (["a", "b"], 2)
    assert len(line._heap) < 30


def test_a_queue_counts_what_is_asked_for() -> None:
    queue = Queue()
    queue.wait(QueuedJob("a", 2, age=1))
    queue.wait(QueuedJob("b", 5, age=2))
    queue.work("c", running=3, held=("n1", "n2", "n3", "n3"))
    assert (queue.demand(4), queue.demand(5)) == (5, 10)
    assert (queue.held("n2"), queue.held("n9")) == (True, False)
    queue.work("c", held=("n1",))
    assert (queue.demand(4), queue.held("n2"), queue.held("n1")) == (2, False, True)
    queue.forget("a")
    queue.forget("c")
    assert (queue.demand(9), queue.first(4), queue.held("n1")) == (5, None, False)
    queue.forget("b")
    assert queue.empty
