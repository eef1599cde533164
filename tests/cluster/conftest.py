"""A cluster room with a scripted engine, a clock that stands still, and shares that are folders."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.cluster.controller import Controller
from batchai_scenario.emulator.cluster.model import (
    ClusterKey,
    ExecutionState,
    ExperimentKey,
    JobKey,
    WorkspaceKey,
)
from batchai_scenario.emulator.engines.base import EngineInfo, Lack, Need, NodePlace, TaskEnd
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem
from batchai_scenario.emulator.state.clock import ManualClock
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from batchai_scenario.emulator.cluster.model import Cluster, Job
    from batchai_scenario.emulator.engines.base import Entered
    from batchai_scenario.emulator.engines.gpunodes import GpuWish
    from batchai_scenario.emulator.launch.plan import CommandMount, NodeTask

WORKSPACE = WorkspaceKey("5ab", "Group", "Ws")
EXPERIMENT = ExperimentKey(WORKSPACE, "Exp")
DOWN = EngineUnavailable(Problem("EngineUnavailable", "No engine answers."), remedy="Start it.")


class FakeEngine:
    """An engine whose tasks end when the test says so. Keeps rules E1 to E7, from any thread.

    ``down``: it does not answer. ``refuse_start``: what ``start`` raises. ``gate``: ``start`` waits for it.
    ``on_start``: what a task's start brings about.
    """

    name = "fake"

    def __init__(self, root: Path, clock: ManualClock) -> None:
        self.root = root
        self.clock = clock
        self.changed = threading.Condition()
        self.nodes: dict[str, NodePlace] = {}
        self.running: dict[str, NodeTask] = {}
        self.ends: dict[str, TaskEnd] = {}
        self.starts: list[str] = []
        self.stops: list[str] = []
        self.seen: list[NodeTask] = []
        self.down = False
        self.refuse_start: EngineError | None = None
        self.tried: list[tuple[str, Sequence[CommandMount]]] = []
        self.refuse_mount = 0
        self.gate: threading.Event | None = None
        self.on_start: Callable[[NodeTask], None] = lambda task: None

    def _answer(self) -> None:
        if self.down:
            raise DOWN

    def info(self) -> EngineInfo:
        self._answer()
        return EngineInfo(self.name, "1", gpus=False, mount_root="/")

    def lacks(self, need: Need) -> Lack | None:
        raise NotImplementedError

    def obtain(self, need: Need, announce: object, progress: object) -> None:
        raise NotImplementedError

    def place_node(self, cluster: str, node: str, gpus: GpuWish | None = None) -> NodePlace:
        with self.changed:
            self._answer()
            place = NodePlace(
                cluster=cluster,
                node=node,
                address=f"10.0.0.{4 + len(self.nodes)}",
                disk=self.root / cluster / node,
                root=PurePosixPath("/mnt/batch/tasks/shared/LS_root"),
            )
            return self.nodes.setdefault(node, place)

    def remove_node(self, cluster: str, node: str) -> None:
        with self.changed:
            self._answer()
            assert not [task for task in self.tasks() if self._node(task) == node], "the node has tasks"
            self.nodes.pop(node, None)

    def _node(self, task: str) -> str:
        return next(item.node for item in self.seen if item.id == task)

    def start(self, task: NodeTask, announce: Callable[[str], None]) -> None:
        if self.gate is not None:
            assert self.gate.wait(10)
        with self.changed:
            self._answer()
            self.seen.append(task)
            if task.id in self.running or task.id in self.ends:
                return
            if self.refuse_start is not None:
                raise self.refuse_start
            assert task.node in self.nodes
            announce(f"image: none for {task.id}")
            self.starts.append(task.id)
            self.running[task.id] = task
            self.changed.notify_all()
        self.on_start(task)

    def end(
        self, task: str, code: int | None = 0, phase: str = "main", problem: Problem | None = None
    ) -> None:
        """End a task by itself."""
        with self.changed:
            now = self.clock.now()
            if task in self.running:
                del self.running[task]
                self.ends[task] = TaskEnd(phase, code, now, now, problem)  # type: ignore[arg-type]
            self.changed.notify_all()

    def wait(self, task_id: str) -> TaskEnd:
        with self.changed:
            self.changed.wait_for(lambda: task_id not in self.running or self.down)
            self._answer()
            now = self.clock.now()
            lost = TaskEnd("main", None, now, now, Problem("TaskLost", "The task is not there."))
            return self.ends.get(task_id, lost)

    def stop(self, task_id: str, grace: float = 5.0) -> None:
        with self.changed:
            self._answer()
            self.stops.append(task_id)
        self.end(task_id, 143)

    def remove(self, task_id: str) -> None:
        with self.changed:
            self._answer()
            assert task_id not in self.running, "only a task that ended is removed"
            self.ends.pop(task_id, None)

    def tasks(self) -> list[str]:
        return [*self.running, *self.ends]

    def mount_refusal(self, command: str) -> str:
        return ""

    def try_mounts(self, cluster: str, node: str, mounts: Sequence[CommandMount]) -> None:
        with self.changed:
            self._answer()
            self.tried.append((node, mounts))
            if len(self.tried) == self.refuse_mount:
                raise EngineError(Problem("UnmanagedMountError", "Unable to mount unmanaged file system"))

    def enter(self, cluster: str, task_id: str, command: str, terminal: object) -> Entered:
        raise NotImplementedError

    def sweep(self, keep: frozenset[str]) -> list[str]:
        return []

    def go_down(self) -> None:
        with self.changed:
            self.down = True
            self.changed.notify_all()


class FakeShares:
    """Shares as folders; those in ``missing`` cannot be mounted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.missing: set[str] = set()
        self.keys: list[str] = []

    def count_untold(self, account: str, share: str, path: str) -> int:
        return 0

    def mount_container(self, account: str, container: str, account_key: str) -> Path:
        url = f"https://{account}.blob.core.windows.net/{container}"
        return self.mount_source(account, url, account_key, PurePosixPath())

    def mount_server(self, server_id: str, directory: str) -> Path:
        return self.mount_source("servers", f"/{server_id.rsplit('/', 1)[-1]}", "", PurePosixPath())

    def mount_source(
        self, account: str, azure_file_url: str, account_key: str, target: PurePosixPath
    ) -> Path:
        share = azure_file_url.rsplit("/", 1)[-1]
        self.keys.append(account_key)
        if share in self.missing:
            raise EngineError(
                Problem("AZFMountError", "Unable to mount Azure File", (("Info", f"{share} at {target}"),))
            )
        folder = self.root / account / share
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def volume(share: str, path: str) -> dict[str, Any]:
    return {
        "accountName": "acct",
        "azureFileUrl": f"https://acct.file.core.windows.net/{share}",
        "credentials": {},
        "relativeMountPath": path,
    }


@dataclass
class World:
    """Everything around one controller, and short words for what tests do with it."""

    home: Home
    store: Store
    clock: ManualClock
    engine: FakeEngine
    shares: FakeShares
    controller: Controller = field(init=False)
    broken: bool = False
    lasting: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        self.controller = self.fresh()

    def engines(self, name: str) -> FakeEngine:
        if self.broken:
            raise DOWN
        assert name in ("", "fake")
        return self.engine

    def fresh(self) -> Controller:
        return Controller(self.store, self.clock, self.engines, self.shares, lasting=self.lasting)

    def restart(self) -> None:
        """Close the controller, as a dying emulator does, and start another on the same home."""
        self.controller.close()
        self.controller = self.fresh()
        self.controller.start()

    def cluster(self, name: str = "c", target: int = 1, option: str = "requeue", **more: Any) -> ClusterKey:
        key = ClusterKey(WORKSPACE, name)
        definition = {
            "vmSize": "STANDARD_NC6",
            "scaleSettings": {"manual": {"targetNodeCount": target, "nodeDeallocationOption": option}},
            "nodeSetup": {"mountVolumes": {"azureFileShares": [volume("share", "afs")]}},
            **more,
        }
        pointer = "/nodeSetup/mountVolumes/azureFileShares/0/credentials/accountKey"
        self.controller.create_cluster(key, definition, {pointer: "cluster-key"})
        return key

    def job(self, name: str = "j", cluster: ClusterKey | None = None, **more: Any) -> JobKey:
        key = JobKey(EXPERIMENT, name)
        definition = {
            "nodeCount": 1,
            "schedulingPriority": "normal",
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs/logs",
            "outputDirectories": [
                {"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "Models"},
                {"id": "TEMP", "pathPrefix": "$AZ_BATCHAI_JOB_TEMP"},
            ],
            "customToolkitSettings": {"commandLine": "true"},
            "secrets": [{"name": "TOKEN"}],
            "constraints": {"maxWallClockTime": "P7D"},
            **more,
        }
        self.controller.create_job(
            key, cluster or ClusterKey(WORKSPACE, "c"), definition, {"/secrets/0/value": "hunter2"}
        )
        return key

    def until(self, condition: Callable[[], Any]) -> Any:
        return self.controller.wait_until(condition, 60)

    def scale(self, key: ClusterKey, settings: dict[str, Any]) -> Cluster | None:
        return self.controller.update_cluster(key, {"scaleSettings": settings})

    def cluster_when(self, key: ClusterKey, predicate: Callable[[Cluster], object]) -> Cluster:
        def look() -> Cluster | None:
            found = self.controller.get_cluster(key)
            return found if found is not None and predicate(found) else None

        found: Cluster = self.until(look)
        return found

    def job_when(self, key: JobKey, predicate: Callable[[Job], object]) -> Job:
        def look() -> Job | None:
            found = self.controller.get_job(key)
            return found if found is not None and predicate(found) else None

        found: Job = self.until(look)
        return found

    def job_in(self, key: JobKey, state: ExecutionState) -> Job:
        return self.job_when(key, lambda job: job.execution_state is state)

    def started(self, key: JobKey) -> str:
        """Wait until the job's task runs on the engine, and the controller knows; give the task's id."""
        job = self.job_in(key, ExecutionState.RUNNING)
        task = f"{job.guid}-0"
        self.until(lambda: (found := self.controller._records.jobs.get(key.id)) and found.launched)
        return task

    def nothing_left(self) -> None:
        """Wait until the engine holds no task."""
        self.until(lambda: not any(record.tasks for record in self.controller._records.jobs.values()))
        assert self.engine.tasks() == []


@contextmanager
def a_world(folder: Path, clock: ManualClock | None = None) -> Iterator[World]:
    home = Home(folder / "home")
    home.make()
    clock = clock or ManualClock()
    store = Store(home.database, Seal.at(home.seal_key))
    world = World(home, store, clock, FakeEngine(home.nodes, clock), FakeShares(home.storage))
    world.controller.start()
    yield world
    world.engine.go_down()  # lets every waiting thread go
    world.controller.close()
    store.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as world:
        yield world


@pytest.fixture(scope="session")
def make_world() -> Callable[[Path], AbstractContextManager[World]]:
    return a_world
