"""Kill a controller at every step that it takes, recover, and look at what became of its jobs.

A program of its own, because it forks and kills itself: ``crash_driver.py FOLDER STRIDE``. The engine
keeps its tasks in files, as a real one outlives the emulator; a task's command ends by itself with the
code that its job's name tells, or (``blocks``) when it is stopped. A step is the moment before or after
a write to the store or a call of the engine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import traceback
from pathlib import Path, PurePosixPath
from typing import Any

from batchai_scenario.emulator.cluster.controller import Controller
from batchai_scenario.emulator.cluster.model import ClusterKey, ExperimentKey, JobKey, WorkspaceKey
from batchai_scenario.emulator.engines.base import EngineInfo, Lack, Need, NodePlace, TaskEnd
from batchai_scenario.emulator.errors import Problem
from batchai_scenario.emulator.state.clock import SystemClock, parse_time, wire_time
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store

WORKSPACE = WorkspaceKey("s", "g", "w")
CLUSTER = ClusterKey(WORKSPACE, "c")
COMMANDS = {"good": 0, "bad": 3, "unprepared": 7, "blocks": None}
EXPECTED = {
    "good": ["succeeded", 0, []],
    "bad": ["failed", 3, ["JobFailed"]],
    "unprepared": ["failed", 7, ["JobPreparationFailed"]],
    "blocks": ["failed", None, ["JobTerminated"]],
}


class Steps:
    """Counts steps and dies at the one it was told."""

    def __init__(self, last: int) -> None:
        self.left = last
        self.lock = threading.Lock()

    def step(self) -> None:
        with self.lock:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def note(file: Path, line: str) -> None:
    with file.open("a") as out:
        out.write(line + "\n")


class AuditedStore(Store):
    """Writes down every state of a job that reached the disk."""

    def __init__(self, home: Home, steps: Steps) -> None:
        super().__init__(home.database, Seal.at(home.seal_key))
        self.steps = steps
        self.audit = home.root / "audit"

    def put(self, kind: str, id: str, body: Any, **more: Any) -> None:  # noqa: A002 - as in Store
        self.steps.step()
        super().put(kind, id, body, **more)
        if kind == "job" and self._depth == 0:
            note(self.audit, f"{body['key'][-1]} {body['execution'][0]}")
        self.steps.step()

    def delete(self, kind: str, id: str) -> bool:  # noqa: A002 - as in Store
        self.steps.step()
        gone = super().delete(kind, id)
        self.steps.step()
        return gone


class FolderEngine:
    """Keeps rules E1 to E7 with nothing in memory but what a call needs."""

    name = "folder"

    def __init__(self, root: Path, steps: Steps) -> None:
        self.nodes, self.held = root / "nodes", root / "tasks"
        self.starts = root / "starts"
        self.steps = steps
        self.changed = threading.Condition()
        self.disk = root / "disk"
        for folder in (self.nodes, self.held, self.disk / "LS_root"):
            folder.mkdir(parents=True, exist_ok=True)

    def info(self) -> EngineInfo:
        return EngineInfo(self.name, "1", gpus=False, mount_root="/")

    def lacks(self, need: Need) -> Lack | None:
        raise NotImplementedError

    def obtain(self, need: Need, announce: object, progress: object) -> None:
        raise NotImplementedError

    def place_node(self, cluster: str, node: str, gpus: object = None) -> NodePlace:
        self.steps.step()
        (self.nodes / node).touch()
        self.steps.step()
        root = PurePosixPath("/mnt/batch/tasks/shared/LS_root")
        return NodePlace(cluster, node, "10.0.0.4", self.disk, root)

    def remove_node(self, cluster: str, node: str) -> None:
        self.steps.step()
        (self.nodes / node).unlink(missing_ok=True)
        self.steps.step()

    def start(self, task: Any, announce: Any) -> None:
        self.steps.step()
        job = task.environment["JOB"]
        draft = self.held / f".{task.id}"
        draft.write_text(job)
        with contextlib.suppress(FileExistsError):
            os.link(draft, self.held / task.id)
            note(self.starts, f"{task.id} {job}")
        self.steps.step()

    def _end(self, task: str, code: int, phase: str = "main") -> None:
        with self.changed:  # so that no end is written for a task that is removed meanwhile
            if not (self.held / task).exists():
                return
            draft = self.held / f".{task}.{threading.get_ident()}"
            now = wire_time(SystemClock().now())
            draft.write_text(json.dumps([phase, code, now]))
            with contextlib.suppress(FileExistsError):
                os.link(draft, self.held / f"{task}.end")
            draft.unlink()
            self.changed.notify_all()

    def wait(self, task_id: str) -> TaskEnd:
        self.steps.step()
        file, end = self.held / task_id, self.held / f"{task_id}.end"
        if not file.exists():
            now = SystemClock().now()
            return TaskEnd("main", None, now, now, Problem("TaskLost", "not there"))
        job = file.read_text()
        code = COMMANDS[job]
        if code is not None:
            self._end(task_id, code, "preparation" if job == "unprepared" else "main")
        with self.changed:
            self.changed.wait_for(end.exists)
        phase, code, when = json.loads(end.read_text())
        self.steps.step()
        moment = parse_time(when)
        return TaskEnd(phase, code, moment, moment)

    def stop(self, task_id: str, grace: float = 5.0) -> None:
        self.steps.step()
        self._end(task_id, 143)
        self.steps.step()

    def remove(self, task_id: str) -> None:
        self.steps.step()
        with self.changed:
            for file in self.held.glob(f"*{task_id}*"):
                file.unlink(missing_ok=True)
        self.steps.step()

    def tasks(self) -> list[str]:
        return [file.name for file in self.held.iterdir() if "." not in file.name]

    def enter(self, cluster: str, task_id: str, command: str, terminal: object) -> Any:
        raise NotImplementedError

    def sweep(self, keep: frozenset[str]) -> list[str]:
        return []


class Shares:
    def __init__(self, root: Path) -> None:
        self.root = root

    def count_untold(self, account: str, share: str, path: str) -> int:
        return 0

    def mount_container(self, account: str, container: str, account_key: str) -> Path:
        url = f"https://{account}.blob.core.windows.net/{container}"
        return self.mount_source(account, url, account_key, PurePosixPath())

    def mount_server(self, server_id: str, directory: str) -> Path:
        return self.mount_source("", server_id, directory, PurePosixPath())

    def mount_source(
        self, account: str, azure_file_url: str, account_key: str, target: PurePosixPath
    ) -> Path:
        self.root.mkdir(parents=True, exist_ok=True)
        return self.root


def live(root: Path, last: int) -> None:
    """Do what a user does, from wherever an earlier life got to."""
    home = Home(root)
    home.make()
    steps = Steps(last)
    store, engine = AuditedStore(home, steps), FolderEngine(root / "engine", steps)
    controller = Controller(store, SystemClock(), lambda _: engine, Shares(home.storage))
    controller.start()
    keys = {name: JobKey(ExperimentKey(WORKSPACE, "e"), name) for name in COMMANDS}
    results = root / "results"
    if not results.exists():
        manual = {"targetNodeCount": 2}
        controller.create_cluster(CLUSTER, {"scaleSettings": {"manual": manual}}, {})
        for name, key in keys.items():
            definition = {
                "nodeCount": 1,
                "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_TEMP",
                "customToolkitSettings": {"commandLine": name},
                "environmentVariables": [{"name": "JOB", "value": name}],
            }
            controller.create_job(key, CLUSTER, definition, {})
        jobs = {}
        for name, key in keys.items():
            if name == "blocks":
                controller.wait_until(lambda: controller.get_job(keys["blocks"]).started_at, 20)  # type: ignore[union-attr]
                controller.terminate_job(key)
            job = controller.wait_until(
                lambda key=key: (job := controller.get_job(key)).execution_state.final and job,  # type: ignore[union-attr, misc]
                20,
            )
            jobs[name] = [job.execution_state.value, job.exit_code, [item.code for item in job.errors]]
        draft = root / "draft"
        draft.write_text(json.dumps(jobs))
        draft.rename(results)
    controller.delete_cluster(CLUSTER)
    controller.wait_until(lambda: controller.get_cluster(CLUSTER) is None, 20)
    controller.close()
    store.close()


def life(root: Path, last: int) -> bool:
    """Live in a child; True if it lived to the end, False if it was killed at its step."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(60)
            live(root, last)
            status = 0
        except BaseException:  # noqa: BLE001 - printed, and told by the exit status
            traceback.print_exc()
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status not in (0, -signal.SIGKILL):
        raise SystemExit(f"a life that was to end at step {last} ended with {status}: see {root}")
    return status == 0


def verify(root: Path, last: int) -> None:
    results = json.loads((root / "results").read_text())
    assert results == EXPECTED, f"killed at {last}: {results}"
    final: dict[str, str] = {}
    for line in (root / "audit").read_text().splitlines():
        name, state = line.split()
        if name in final:
            assert state == final[name], f"killed at {last}: {name} was {final[name]}, then {state}"
        elif state in ("succeeded", "failed"):
            final[name] = state
    starts = (root / "engine" / "starts").read_text().splitlines()
    assert len(starts) == len(set(starts)), f"killed at {last}: {starts}"
    left = [*(root / "engine" / "nodes").iterdir(), *(root / "engine" / "tasks").glob("[!.]*")]
    assert not left, f"killed at {last}: {left}"


def main(folder: Path, stride: int) -> None:
    """Kill at every STRIDE-th step (its heir is killed too, at half of that), until a life needs no more."""
    last, whole = 1 - stride, False
    while not whole:
        last += stride
        root = folder / str(last)
        whole = life(root, last)
        life(root, last // 2 + 1)
        life(root, 0)
        verify(root, last)
        shutil.rmtree(root)
    print(f"{last} steps")  # noqa: T201 - a program of its own


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
