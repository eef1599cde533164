"""The queue: what a job costs among a hundred, a thousand and ten thousand.

    python benchmarks/queued.py [--sizes 100 1000 10000] [--nodes 4] [--large 1000 100000]

Everything is real but the engine, which runs nothing, and the time, which is virtual: a job takes a minute of
it. Jobs go through the resource provider, without HTTP. For each size, with that many in the queue: the
processor's time to submit one more job, to get one, and to read the first page (100) of the list (what else
the machine does is no part of it); seconds to start on the home; memory for each queued job; and the
processor's time that a job costs from queue to end, all of them run. The last line is a cluster of 1,000
nodes with 100,000 jobs (``--large 0 0``: none).

Targets: at 10,000 within 1.5 times of 100; start under 2 s; the large cluster within 2 times.
"""

from __future__ import annotations

import argparse
import heapq
import logging
import statistics
import tempfile
import threading
import time
import tracemalloc
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from common import load

from batchai_scenario.emulator.arm.manager import ResourceManager
from batchai_scenario.emulator.arm.operations import Operations
from batchai_scenario.emulator.batchai.provider import BatchAIProvider
from batchai_scenario.emulator.cluster.controller import Controller
from batchai_scenario.emulator.cluster.servers import ServerDisks
from batchai_scenario.emulator.engines.base import EngineInfo, NodePlace, TaskEnd
from batchai_scenario.emulator.state.clock import ManualClock
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from batchai_scenario.emulator.engines.gpunodes import GpuWish
    from batchai_scenario.emulator.launch.plan import NodeTask

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
WORKSPACE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.BatchAI/workspaces/w"
JOBS = f"{WORKSPACE}/experiments/e/jobs"
CLUSTER = {
    "vmSize": "STANDARD_NC6",
    "userAccountSettings": {"adminUserName": "demo", "adminUserPassword": "x"},
}
JOB = {
    "cluster": {"id": f"{WORKSPACE}/clusters/c"},
    "nodeCount": 1,
    "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_TEMP",
    "customToolkitSettings": {"commandLine": "python train.py --epochs 10"},
    "environmentVariables": [{"name": "DATA", "value": "$AZ_BATCHAI_MOUNT_ROOT/data"}],
}
MINUTE = timedelta(minutes=1)


class Imagined:
    """An engine that runs nothing: a task ends when its minute is over."""

    name = "imagined"

    def __init__(self, root: Path, clock: ManualClock) -> None:
        self._root = root
        self._clock = clock
        self._changed = threading.Condition()
        self._gates: dict[str, threading.Event] = {}
        self._ends: list[tuple[datetime, str]] = []
        self._known: dict[str, TaskEnd] = {}

    def info(self) -> EngineInfo:
        """Describe it."""
        return EngineInfo(self.name, "1", gpus=False, mount_root="/")

    def place_node(self, cluster: str, node: str, gpus: GpuWish | None = None) -> NodePlace:  # noqa: ARG002 - none here
        """Make room for a node."""
        disk = self._root / node
        return NodePlace(cluster, node, "10.0.0.4", disk, PurePosixPath("/mnt/root"))

    def remove_node(self, cluster: str, node: str) -> None:
        """Nothing is there."""

    def start(self, task: NodeTask, announce: Callable[[str], None]) -> None:  # noqa: ARG002
        """Begin a minute."""
        for mount in task.mounts:
            mount.source.mkdir(parents=True, exist_ok=True)
        with self._changed:
            self._gates[task.id] = threading.Event()
            heapq.heappush(self._ends, (self._clock.now() + MINUTE, task.id))
            self._changed.notify_all()

    def wait(self, task_id: str) -> TaskEnd:
        """Wait until the minute is over."""
        self._gates[task_id].wait()
        return self._known[task_id]

    def stop(self, task_id: str, grace: float = 5.0) -> None:
        """It ended, or was never started."""

    def remove(self, task_id: str) -> None:
        """Forget a task."""
        self._gates.pop(task_id, None)
        self._known.pop(task_id, None)

    def tasks(self) -> list[str]:
        """List what is not removed."""
        return list(self._gates)

    def sweep(self, keep: frozenset[str]) -> list[str]:  # noqa: ARG002
        """Nothing is there."""
        return []

    def pass_time(self, jobs: int, nodes: int) -> None:
        """Run jobs to their end: whenever all nodes are busy, or nobody is left, the next minute passes."""
        ended = 0
        while ended < jobs:
            full = min(nodes, jobs - ended)
            with self._changed:
                if not self._changed.wait_for(lambda full=full: len(self._ends) >= full, 60):
                    raise TimeoutError(f"{len(self._ends)} of {full} nodes are busy after {ended} jobs")
                due = [heapq.heappop(self._ends) for _ in range(full)]
            self._clock.advance(seconds=(due[-1][0] - self._clock.now()).total_seconds())
            for when, task in due:
                self._known[task] = TaskEnd("main", 0, when, when)
                self._gates[task].set()
            ended += full


@dataclass
class World:
    """A resource manager with its clusters, spoken to without HTTP."""

    home: Home
    store: Store
    clock: ManualClock
    engine: Imagined
    controller: Controller
    manager: ResourceManager

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Send a request; gives the body of the answer."""
        query = {"api-version": "2018-05-01", **query}
        answer = self.manager.handle(method, path, query=query, headers={}, body=body, base_url="http://x")
        return answer.body

    def submit(self, name: str) -> None:
        """Queue a job."""
        self.ask("PUT", f"{JOBS}/{name}", {"properties": JOB})


@contextmanager
def a_world(folder: Path, clock: ManualClock) -> Iterator[World]:
    home = Home(folder)
    home.make()
    store = Store(home.database, Seal.at(home.seal_key))
    engine = Imagined(home.nodes, clock)
    controller = Controller(store, clock, lambda _: engine, shares=None)  # type: ignore[arg-type]
    controller.start()
    operations = Operations(store, clock)
    provider = BatchAIProvider(
        store,
        clock,
        controller,
        operations,
        files=None,  # type: ignore[arg-type]
        servers=ServerDisks(home),
    )
    manager = ResourceManager(
        store,
        clock,
        [provider],
        tenant="t",
        subscription=SUBSCRIPTION,
        retry_after=operations.retry_after,
    )
    world = World(home, store, clock, engine, controller, manager)
    yield world
    controller.close()
    store.close()


def settled(world: World) -> None:
    """Wait until everything that was asked for is done."""
    queue = world.controller._records.queue(f"{WORKSPACE}/clusters/c".lower())
    world.controller.wait_until(lambda: queue.empty, 600)


def scale(nodes: int) -> dict[str, Any]:
    return {"properties": {"scaleSettings": {"manual": {"targetNodeCount": nodes}}}}


def prepare(world: World) -> None:
    """Make everything that a job needs, and a job."""
    group = WORKSPACE.partition("/providers")[0]
    world.ask("PUT", group, {"location": "eastus"})
    world.ask("PUT", WORKSPACE, {"location": "eastus"})
    world.ask("PUT", f"{WORKSPACE}/experiments/e")
    world.ask("PUT", f"{WORKSPACE}/clusters/c", {"properties": CLUSTER})
    world.submit("first")


def fill(world: World, count: int) -> float:
    """Queue jobs; gives bytes of memory for each."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(count):
        world.submit(f"j{number}")
    world.controller._loop.ask(lambda: None)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / count


def median(action: Callable[[int], object], rounds: int = 41) -> float:
    """Seconds of the processor, of all threads: the cluster's does a part."""

    def once(number: int) -> float:
        begin = time.process_time()
        action(number)
        return time.process_time() - begin

    return statistics.median(once(number) for number in range(rounds))


def measure(count: int, nodes: int) -> dict[str, float]:
    """Measure everything for one number of queued jobs."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clock = ManualClock()
        with a_world(Path(folder), clock) as world:
            prepare(world)
            found = {"memory": fill(world, count - 1)}
            found["get"] = median(lambda _: world.ask("GET", f"{JOBS}/first"))
            found["list"] = median(lambda _: world.ask("GET", JOBS, maxresults="100"))
            found["submit"] = median(lambda number: world.submit(f"more{number}"))
        begin = time.perf_counter()
        with a_world(Path(folder), clock) as world:
            world.ask("GET", f"{JOBS}/first")
            found["start"] = time.perf_counter() - begin
            found["job"] = drive(world, count + 41, nodes)
    return found


def drive(world: World, jobs: int, nodes: int) -> float:
    """Give the cluster its nodes and run all jobs; seconds for each."""

    def everything() -> None:
        world.ask("PATCH", f"{WORKSPACE}/clusters/c", scale(nodes))
        world.engine.pass_time(jobs, nodes)
        settled(world)

    begin = time.process_time()
    everything()
    return (time.process_time() - begin) / jobs


def simulate(nodes: int, jobs: int) -> float:
    """Run many jobs on many nodes; seconds for each. The service's limit of 100 nodes is not the queue's."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        a_world(Path(folder), ManualClock()) as world,
    ):
        prepare(world)
        (record,) = world.controller._records.clusters.values()
        first = world.controller._records.live_jobs()[0]
        for number in range(jobs - 1):
            key = replace(first.key, name=f"j{number}")
            world.controller.create_job(key, record.cluster.key, first.definition, {})
        begin = time.process_time()
        world.controller.update_cluster(record.cluster.key, scale(nodes)["properties"])
        world.engine.pass_time(jobs, nodes)
        settled(world)
        return (time.process_time() - begin) / jobs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--large", type=int, nargs=2, default=[1000, 100_000])
    options = parser.parse_args()
    logging.disable()  # nothing runs, so there are no folders for logs of jobs
    print(load())
    print("   jobs  nodes   submit      get     list  memory/job    start   CPU/job")
    for count in options.sizes:
        found = measure(count, options.nodes)
        print(
            f"{count:7} {options.nodes:6} {found['submit'] * 1000:5.2f} ms {found['get'] * 1000:5.2f} ms "
            f"{found['list'] * 1000:5.2f} ms {found['memory']:8.0f} B {found['start']:6.2f} s "
            f"{found['job'] * 1000:7.2f} ms"
        )
    nodes, jobs = options.large
    if jobs:
        print(f"{jobs:7} {nodes:6} {simulate(nodes, jobs) * 1000:61.2f} ms")
    print(load())


if __name__ == "__main__":
    main()
