"""The scheduler: order, gangs, and who holds back whom."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from batchai_scenario.emulator.cluster.lines import Line
from batchai_scenario.emulator.cluster.queue import Queue, QueuedJob
from batchai_scenario.emulator.cluster.scheduler import Assignment, next_start


def schedule(jobs: list[QueuedJob], nodes: list[str], capacity: int) -> list[Assignment]:
    """Start what can be started, one after another; jobs are given oldest first."""
    queue, idle, started = Queue(), Line[int](), []
    for age, job in enumerate(jobs):
        queue.wait(replace(job, age=age))
    for number, node in enumerate(nodes):
        idle.add(node, number)
    while (start := next_start(queue, idle, capacity)) is not None:
        started.append(start)
        queue.work(start.job, running=len(start.nodes))
        for node in start.nodes:
            idle.discard(node)
    return started


def chosen(jobs: list[QueuedJob], idle: int, capacity: int | None = None) -> list[str]:
    nodes = [f"n{number}" for number in range(idle)]
    return [item.job for item in schedule(jobs, nodes, idle if capacity is None else capacity)]


def test_priority_then_age() -> None:
    queue = [QueuedJob("a", 1, -1000), QueuedJob("b", 1), QueuedJob("c", 1, 1000), QueuedJob("d", 1)]
    assert chosen(queue, 3) == ["c", "b", "d"]


def test_all_nodes_of_a_job_start_at_once() -> None:
    assert schedule([QueuedJob("a", 2), QueuedJob("b", 1)], ["x", "y", "z"], 3) == [
        Assignment("a", ("x", "y")),
        Assignment("b", ("z",)),
    ]


def test_a_big_job_at_the_head_is_not_starved_by_small_ones() -> None:
    assert chosen([QueuedJob("big", 3), QueuedJob("small", 1)], 2, capacity=3) == []


def test_a_job_that_can_never_run_here_holds_back_nobody() -> None:
    assert chosen([QueuedJob("huge", 9), QueuedJob("small", 1)], 2, capacity=3) == ["small"]


def test_a_job_that_comes_back_is_not_overtaken_while_it_is_cleaned_up() -> None:
    queue, idle = Queue(), Line[int]()
    idle.add("n", 0)
    first, behind = QueuedJob("first", 1, age=0), QueuedJob("behind", 1, age=1)
    queue.wait(behind)
    queue.work("first", running=1, held=("old",), returns=first)
    assert next_start(queue, idle, 1) is None
    queue.wait(QueuedJob("urgent", 1, 1000, age=2))
    assert next_start(queue, idle, 1) == Assignment("urgent", ("n",))
    queue.forget("urgent")
    queue.wait(first)
    assert next_start(queue, idle, 1) == Assignment("first", ("n",))
    queue.work("first", running=1, returns=first)
    queue.work("first", running=1)  # it was ended meanwhile
    assert next_start(queue, idle, 1) == Assignment("behind", ("n",))


def test_a_job_too_big_to_come_back_here_holds_back_nobody() -> None:
    queue, idle = Queue(), Line[int]()
    idle.add("n", 0)
    queue.wait(QueuedJob("small", 1, age=1))
    queue.work("big", running=2, returns=QueuedJob("big", 2, age=0))
    assert next_start(queue, idle, 1) == Assignment("small", ("n",))


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(-1000, 1000)), max_size=12),
    st.integers(0, 6),
    st.integers(0, 6),
)
def test_what_always_holds(jobs: list[tuple[int, int]], idle: int, busy: int) -> None:
    queue = [QueuedJob(str(number), nodes, rank) for number, (nodes, rank) in enumerate(jobs)]
    nodes = [f"n{number}" for number in range(idle)]
    capacity = idle + busy
    result = schedule(queue, nodes, capacity)
    used = [node for assignment in result for node in assignment.nodes]
    assert len(used) == len(set(used)), "one job a node"
    assert set(used) <= set(nodes)
    by_id = {item.job: item for item in queue}
    assert all(len(item.nodes) == by_id[item.job].nodes for item in result), "gangs"
    # Those that start are exactly the head of the line of those that could ever run.
    line = sorted((w for w in queue if w.nodes <= capacity), key=lambda w: (-w.priority, int(w.job)))
    assert [item.job for item in result] == [item.job for item in line[: len(result)]]
    if len(result) < len(line):
        assert line[len(result)].nodes > idle - len(used), "nobody waits without need"
