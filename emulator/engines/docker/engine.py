"""Runs node tasks in Docker containers: each cluster a network, each node an address, each task a container.

Everything is found again by its labels, so any process of the home can take over. A container is never
removed by the engine itself: its end is read first, from the status file and the container's own state.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.base import EngineInfo, Lack, NodePlace, Swept, TaskEnd
from batchai_scenario.emulator.engines.control import (
    Owner,
    ask_to_stop,
    control_folder,
    control_folders,
    find_control_folder,
    has_begun,
)
from batchai_scenario.emulator.engines.docker import containers, volumes
from batchai_scenario.emulator.engines.docker.api import connect, explain, read_facts, translated, unavailable
from batchai_scenario.emulator.engines.docker.ending import end_of
from batchai_scenario.emulator.engines.docker.entering import enter_container
from batchai_scenario.emulator.engines.docker.giveback import give_back, owner_of_files
from batchai_scenario.emulator.engines.docker.gpuways import ways_of, why_none
from batchai_scenario.emulator.engines.docker.images import Images
from batchai_scenario.emulator.engines.docker.networks import Networks
from batchai_scenario.emulator.engines.docker.task import create_for_task
from batchai_scenario.emulator.engines.entering import beside_no_login
from batchai_scenario.emulator.engines.gpu import machine_gpus
from batchai_scenario.emulator.engines.gpunodes import noted, take
from batchai_scenario.emulator.engines.labels import (
    LABEL_CLUSTER,
    LABEL_HOME,
    LABEL_NODE,
    LABEL_TASK,
    container_name,
    is_orphan,
    labels,
)
from batchai_scenario.emulator.engines.nodes import (
    disks,
    drop_disk,
    engine_of,
    free_address,
    make_disk,
    read_note,
)
from batchai_scenario.emulator.engines.substitutes import PullPolicy, failed_starting
from batchai_scenario.emulator.engines.supervisors import LAST_WORDS, forget_task
from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.launch.layout import NODE_ROOT
from batchai_scenario.emulator.lazy import LazyProperty

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from batchai_scenario.emulator.engines.base import Entered, Need, Terminal
    from batchai_scenario.emulator.engines.docker.api import Api, Facts
    from batchai_scenario.emulator.engines.docker.gpuways import GpuWay
    from batchai_scenario.emulator.engines.gpunodes import GpuWish
    from batchai_scenario.emulator.launch.plan import CommandMount, NodeTask
    from batchai_scenario.emulator.state.home import Home


class DockerEngine:
    """An Engine (E1-E10) of containers.

    Args:
        home: whose clusters and tasks these are.
        training: the folder with our table of image substitutes and the programs that build images.
        pull: ``missing`` pulls images that the engine does not have, ``never`` does not.
        owner: whose a task's files are in the end; None: the user who runs this.
    """

    name = "docker"

    def __init__(
        self, home: Home, *, training: Path, pull: PullPolicy = "missing", owner: Owner | None = None
    ) -> None:
        self._home = home
        self._training = training
        self._pull = pull
        self._owner = owner
        self._placing = threading.Lock()
        self._init = True  # until the engine turns out to have none

    @LazyProperty
    def _api(self) -> Api:
        return connect()

    @LazyProperty
    def _facts(self) -> Facts:
        import requests
        from docker.errors import DockerException

        try:
            return read_facts(self._api.info())
        except (DockerException, requests.RequestException) as error:
            raise unavailable(error) from error

    @LazyProperty
    def _networks(self) -> Networks:
        return Networks(self._api, self._home)

    @LazyProperty
    def _files_owner(self) -> Owner | None:
        """Whom files are to be given back to; None if root's are the caller's own."""
        return self._owner or owner_of_files(self._facts)

    def info(self) -> EngineInfo:
        """Describe the engine; EngineUnavailable if it does not answer."""
        facts = self._facts
        notes = ("rootless",) if facts.rootless else ()
        ways = self._gpu_ways()
        said = [f"{', '.join(way.devices)} {way.how}" for way in ways]
        gpus = " or ".join(said) or why_none(facts.info)
        return EngineInfo(self.name, facts.version, bool(ways), f"{NODE_ROOT}/mounts", notes, gpu_note=gpus)

    def _gpus(self) -> tuple[str, ...]:
        return next((way.devices for way in self._gpu_ways()), ())

    def _gpu_ways(self) -> list[GpuWay]:
        return ways_of(self._facts.info, [gpu.index for gpu in machine_gpus()])

    def close(self) -> None:
        """Let go of the connection; tasks go on."""
        if "_api" in self.__dict__:
            self._api.close()

    # E1 ------------------------------------------------------------------------------------------------

    @translated()
    def place_node(self, cluster: str, node: str, gpus: GpuWish | None = None) -> NodePlace:
        """Make the cluster's network, and the node's address and disk (E1)."""
        with self._placing:
            own = take(self._home, cluster, node, gpus, self._gpus)
            known = read_note(self._home.nodes / cluster / node)
            subnet = str(known.get("subnet") or "")
            if not subnet or gpus is not None:  # else it was placed before, and ``start`` sees to the network
                subnet = self._networks.make(cluster, subnet)
            address = free_address(self._home, cluster, node, subnet)
            known = {"engine": self.name, "address": address, "subnet": subnet, **own}
            disk = make_disk(self._home, cluster, node, known)
        return NodePlace(cluster, node, address, disk, NODE_ROOT, noted(own) or ())

    @translated()
    def remove_node(self, cluster: str, node: str) -> None:
        """Remove the node's containers and disk, and the network with the last node (E1)."""
        root = self._home.root.resolve()
        marks = [f"{LABEL_HOME}={root}", f"{LABEL_CLUSTER}={cluster}", f"{LABEL_NODE}={node}"]
        for found in self._containers(marks):
            self._remove(found["Id"], found.get("Labels") or {})
        self._drop_disk(self._home.nodes / cluster / node)
        if not any(disks(self._home, cluster)):
            self._networks.drop(cluster)

    # E2 ------------------------------------------------------------------------------------------------

    @translated()
    def start(self, task: NodeTask, announce: Callable[[str], None]) -> None:
        """Start a task's container, made here or by whoever died before starting it (E2)."""
        with beside_no_login(self, self._home, task):
            self._start(task, announce)

    def _start(self, task: NodeTask, announce: Callable[[str], None]) -> None:
        from docker.errors import APIError

        folder = control_folder(self._home, task.cluster, task.node, task.id)
        # What its container is told is written before that is made.
        state = containers.state_of(self._api, task.id) if folder.exists() else None
        if has_begun(folder) or (state is not None and state["Status"] != "created"):
            return  # also if somebody took its container away meanwhile
        try:
            if state is None:
                self._create(task, folder, announce)
            try:
                self._api.start(container_name(task.id))
            except APIError as error:
                if not self._init or not containers.lacks_init(error):
                    raise
                self._init = False
                announce("engine: it has no docker-init; a shell is the container's first process")
                self._forget(task.id)
                self._create(task, folder, announce)
                self._api.start(container_name(task.id))
        except APIError as error:
            self._forget(task.id)
            unmounted = volumes.refused_mount(task.commands, error)
            raise unmounted or failed_starting(containers.named(task), explain(error)) from error
        except BaseException as error:
            self._forget(task.id)
            if isinstance(error, OSError):
                message = f"The task could not be started: {error}"
                raise EngineError(Problem("InternalError", message)) from error
            raise

    def _create(self, task: NodeTask, folder: Path, announce: Callable[[str], None]) -> None:
        known = read_note(folder.parent.parent)
        self._networks.make(task.cluster, str(known.get("subnet") or ""))  # it may have been pruned
        create_for_task(
            self._api,
            self._home,
            self._facts,
            task,
            images=self._images(),
            control=folder,
            owner=self._files_owner,
            init=self._init,
            announce=announce,
        )

    def mount_refusal(self, command: str) -> str:
        """Say why the engine cannot mount what a user's command mounts; empty: it may be tried."""
        return volumes.mount_refusal(command)

    @translated()
    def try_mounts(self, cluster: str, node: str, mounts: Sequence[CommandMount]) -> None:
        """Have the engine mount for a node what users' commands mount, for a moment."""
        volumes.try_mounts(self._api, mounts, labels(self._home, cluster, node=node))

    # E9 ------------------------------------------------------------------------------------------------

    @translated()
    def lacks(self, need: Need) -> Lack | None:
        """Say which image has to be pulled or built (E9)."""
        text = self._images(program=need.program).lacking(need.image, need.node_image)
        return Lack(text) if text else None

    @translated()
    def obtain(
        self, need: Need, announce: Callable[[str], None], progress: Callable[[str, int, int], None]
    ) -> None:
        """Pull the image, or build what stands for it (E9)."""
        self._images(progress, need.program).resolve(need.image, need.node_image, announce)

    def _images(self, progress: Callable[[str, int, int], None] | None = None, program: str = "") -> Images:
        more: dict[str, Any] = {"pull": self._pull, "progress": progress, "program": program}
        return Images(self._api, self._home, training=self._training, **more)

    # E10 -----------------------------------------------------------------------------------------------

    @translated()
    def enter(self, cluster: str, task_id: str, command: str, terminal: Terminal | None) -> Entered:  # noqa: ARG002 - a container's name says all
        """Have the engine run it in the task's container (E10)."""
        return enter_container(self._api, task_id, command, {"HOME": "/root"}, terminal)

    def _forget(self, task_id: str) -> None:
        """Leave nothing of a task that could not be started."""
        from docker.errors import APIError

        with suppress(APIError):  # it was never made, or is going
            self._api.remove_container(container_name(task_id), v=True, force=True)
        forget_task(self._home, task_id)

    # E3 ------------------------------------------------------------------------------------------------

    @translated()
    def wait(self, task_id: str) -> TaskEnd:
        """Wait for the container's end, then read what its supervisor recorded (E3)."""
        state = containers.await_end(self._api, task_id, None)
        return end_of(self._api, self._home, task_id, state, self._settle)

    def _settle(self, control: Path) -> None:
        """Give back the files of a task that has ended, if its supervisor could not."""
        if self._files_owner is not None:
            give_back(self._api, self._facts, self._home, control, self._files_owner)

    def _drop_disk(self, disk: Path) -> None:
        for control in control_folders(self._home, disk):
            self._settle(control)
        drop_disk(disk)

    # E4 ------------------------------------------------------------------------------------------------

    @translated()
    def stop(self, task_id: str, grace: float = 5.0) -> None:
        """Send TERM, then have the supervisor kill the rest, then kill the container (E4)."""
        from docker.errors import APIError

        ask_to_stop(find_control_folder(self._home, task_id))
        for name, seconds in (("SIGTERM", grace), ("SIGUSR1", LAST_WORDS), ("SIGKILL", None)):
            try:
                self._api.kill(container_name(task_id), name)
            except APIError:
                return  # it does not run, or there is none
            state = containers.await_end(self._api, task_id, seconds)
            if state is None or not state["Running"]:
                return

    # E5, E7, E8 ----------------------------------------------------------------------------------------

    @translated()
    def remove(self, task_id: str) -> None:
        """Remove the container and the control folder; files are given back first (E5)."""
        self._remove(container_name(task_id), {LABEL_TASK: task_id})
        forget_task(self._home, task_id)

    def _remove(self, container: str, marks: dict[str, str]) -> None:
        from docker.errors import APIError, NotFound

        task_id = marks.get(LABEL_TASK, "")
        if task_id:
            state = containers.state_of(self._api, task_id)
            if state is not None and state["Running"]:
                self.stop(task_id, 0.0)
            folder = find_control_folder(self._home, task_id)
            if folder is not None:
                self._settle(folder)
        try:
            self._api.remove_container(container, v=True, force=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409:  # noqa: PLR2004 - HTTP conflict: it is being removed
                raise EngineError(Problem("InternalError", f"A container stays: {explain(error)}")) from error

    def _containers(self, marks: list[str]) -> list[dict[str, Any]]:
        return list(self._api.containers(all=True, filters={"label": marks}))

    @translated()
    def tasks(self) -> list[str]:
        """List tasks whose container was started and not removed (E7)."""
        mark = f"{LABEL_HOME}={self._home.root.resolve()}"
        found = self._containers([mark, LABEL_TASK])
        return sorted(item["Labels"][LABEL_TASK] for item in found if item.get("State") != "created")

    @translated()
    def sweep(self, keep: frozenset[str]) -> list[str]:
        """Remove containers, networks and disks that belong to nobody (E8)."""
        swept = Swept()
        for found in self._containers([LABEL_HOME]):
            marks = found.get("Labels") or {}
            if is_orphan(marks, self._home, keep):
                ours = marks.get(LABEL_HOME) == str(self._home.root.resolve())
                where = f"node {marks.get(LABEL_NODE)} of cluster {marks.get(LABEL_CLUSTER)}"
                with swept.trying(f"container {found['Names'][0].lstrip('/')} ({where})"):
                    self._remove(found["Id"], marks if ours else {})
        for disk in sorted(disks(self._home)):
            if disk.parent.name not in keep and engine_of(disk) == self.name:
                with swept.trying(f"node {disk.name} of cluster {disk.parent.name}"):
                    self._drop_disk(disk)
        volumes.sweep_volumes(self._api, self._home, keep, swept)
        self._networks.sweep(keep, swept)
        return swept.close()
