"""Runs node tasks as processes of this machine, for where there is no container engine.

A task is a session of processes of its own, so it outlives the emulator. Its supervisor holds a lock
(flock) on ``CONTROL/alive`` for as long as it lives: whoever waits for the task waits for that lock, from
any process, and the kernel frees it whatever happens.
"""

from __future__ import annotations

import fcntl
import os
import platform
import signal
import threading
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.base import EngineInfo, Lack, NodePlace, Swept, TaskEnd
from batchai_scenario.emulator.engines.control import (
    ask_to_stop,
    control_folder,
    drop_control,
    find_control_folder,
    has_begun,
    lost_end,
    noticed,
    recorded_end,
)
from batchai_scenario.emulator.engines.entering import BUSY, beside_no_login
from batchai_scenario.emulator.engines.environments import (
    add_node_python,
    demand_program,
    make_toolkit,
    own_environment,
    toolkit_lack,
)
from batchai_scenario.emulator.engines.gpu import machine_gpus
from batchai_scenario.emulator.engines.gpunodes import noted, take
from batchai_scenario.emulator.engines.locking import locked
from batchai_scenario.emulator.engines.nodes import (
    disks,
    drop_dangling_links,
    drop_disk,
    drop_plain_path,
    engine_of,
    free_address,
    free_ports,
    make_disk,
    plain_path,
    read_note,
)
from batchai_scenario.emulator.engines.proc import MARKER, NETWORK, marked, send
from batchai_scenario.emulator.engines.process.entering import enter_process
from batchai_scenario.emulator.engines.process.launching import launch, prepare
from batchai_scenario.emulator.engines.process.layer import layer_missing
from batchai_scenario.emulator.engines.process.namespace import namespaces_missing
from batchai_scenario.emulator.engines.process.nodenets import (
    NodeNetworks,
    seen_from_nodes,
)
from batchai_scenario.emulator.engines.process.task import task_environment
from batchai_scenario.emulator.engines.process.unmanaged import mount_refusal, try_mounts, unmounted
from batchai_scenario.emulator.engines.subnets import LOOPBACK, LOOPBACK_MPI, free_subnet, loopback_subnet
from batchai_scenario.emulator.engines.supervisors import (
    LAST_WORDS,
    await_that,
    forget_task,
    is_free,
    is_gone,
    kill,
    kill_by_id,
    marker_of,
    signal_supervisor,
    started_tasks,
)
from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.launch.layout import NODE_ROOT, NODE_TREE
from batchai_scenario.emulator.lazy import LazyProperty
from batchai_scenario.training.toolkits.base import FIRST_PORT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchai_scenario.emulator.engines.base import Entered, Need, Terminal
    from batchai_scenario.emulator.engines.gpunodes import GpuWish
    from batchai_scenario.emulator.launch.plan import CommandMount, NodeTask
    from batchai_scenario.emulator.state.home import Home


class ProcessEngine:
    """An Engine (E1-E10) of processes.

    Args:
        home: whose nodes and tasks these are.
        python: the interpreter that a toolkit environment is made from; empty: it finds one.
        namespaces: whether to give tasks their own view of /mnt; None: where the kernel allows it.
    """

    name = "process"

    def __init__(self, home: Home, *, python: str = "", namespaces: bool | None = None) -> None:
        self._home = home
        self._python = python
        self._wanted = namespaces
        self._networks = NodeNetworks(home)
        self._placing = threading.Lock()

    @LazyProperty
    def _no_namespaces(self) -> str:
        if self._wanted is False:
            return "namespaces are switched off"
        reason = namespaces_missing()
        if reason and self._wanted:
            raise EngineError(Problem("InternalError", reason))
        return reason

    def info(self) -> EngineInfo:
        """Describe the engine."""
        root = str(NODE_ROOT) if not self._no_namespaces else str(self._home.nodes)
        notes = {
            f"jobs see folders of {self._home.nodes} as their mount root": self._no_namespaces,
            "nodes have loopback addresses in this machine's own network": self._no_network,
            "jobs are root's and change this machine itself": self._no_layer if os.geteuid() == 0 else "",
        }
        said = tuple(f"{note}: {reason}" for note, reason in notes.items() if reason)
        gpus = machine_gpus()
        how = f"all that the driver lists ({', '.join(gpu.index for gpu in gpus)})" if gpus else ""
        return EngineInfo(
            self.name,
            platform.release(),
            bool(gpus),
            f"{root}/mounts",
            said,
            gpu_note=how or "this machine has no nvidia-smi that lists one",
        )

    # E1 ------------------------------------------------------------------------------------------------

    def place_node(self, cluster: str, node: str, gpus: GpuWish | None = None) -> NodePlace:
        """Make a node's disk, and its address and network where there can be one (E1)."""
        is_new = not (self._home.nodes / cluster / node).exists()
        try:
            return self._place(cluster, node, gpus)
        except BaseException:
            if is_new:  # nobody will hear of it
                self.remove_node(cluster, node)
            raise

    def _place(self, cluster: str, node: str, gpus: GpuWish | None) -> NodePlace:
        with self._placing:
            own = take(self._home, cluster, node, gpus, lambda: [gpu.index for gpu in machine_gpus()])
            subnet = self._subnet(cluster)
            address = free_address(self._home, cluster, node, subnet)
            shared = subnet.startswith(LOOPBACK)
            port = free_ports(self._home, cluster, node) if shared else FIRST_PORT
            known = {"engine": self.name, "address": address, "subnet": subnet, "port": port, **own}
            disk = make_disk(self._home, cluster, node, known)
        if not shared:
            self._networks.join(cluster, node, address, subnet)
        root = PurePosixPath(plain_path(disk) / NODE_TREE) if self._no_namespaces else NODE_ROOT
        return NodePlace(cluster, node, address, disk, root, noted(own) or (), port)

    def _subnet(self, cluster: str) -> str:
        """Give the network of a cluster: the one that its nodes have, else a new one."""
        for disk in (self._home.nodes / cluster).glob("*"):
            subnet = read_note(disk).get("subnet")
            if subnet:
                return str(subnet)
        return loopback_subnet(cluster) if self._no_network else free_subnet()

    @LazyProperty
    def _no_layer(self) -> str:
        return self._no_namespaces or layer_missing(self._home)

    @LazyProperty
    def _no_network(self) -> str:
        return self._no_namespaces or self._networks.missing

    def remove_node(self, cluster: str, node: str) -> None:
        """End what still runs on the node and delete its disk (E1)."""
        disk = self._home.nodes / cluster / node
        for folder in (disk / "control").glob("[!.]*"):
            self.stop(folder.name, 0.0)
        drop_plain_path(disk)
        drop_disk(disk)
        self._networks.leave(cluster, node, last=not (self._home.nodes / cluster).exists())

    # E2 ------------------------------------------------------------------------------------------------

    def start(self, task: NodeTask, announce: Callable[[str], None]) -> None:
        """Start a task's supervisor in a session of its own (E2)."""
        folder = control_folder(self._home, task.cluster, task.node, task.id)
        with beside_no_login(self, self._home, task), locked(folder.parent / f".{task.id}.lock"):
            if has_begun(folder) or (folder.exists() and not is_free(folder)):
                return
            drop_control(folder)
            try:
                values = task_environment(self._home, task, self._arguments(), self._no_layer, announce)
                if self._no_network:
                    values = {**LOOPBACK_MPI, **values}
                layer = os.geteuid() == 0 and not self._no_layer
                prepare(self._home, folder, task, values, namespaces=not self._no_namespaces, layer=layer)
                self._launch(folder, task)
            except BaseException as error:
                drop_control(folder)
                if isinstance(error, OSError):
                    message = f"The task could not be started: {error}"
                    raise EngineError(Problem("InternalError", message)) from error
                raise

    def _launch(self, folder: Path, task: NodeTask) -> None:
        launch(self._home, folder, task, self._networks, namespaces=not self._no_namespaces)

    def _arguments(self, *more: str) -> list[str]:
        """Give the command line of a program that makes an environment."""
        named = ["--python", self._python] if self._python else []
        return ["--cache", str(self._home.cache), "--json", *named, *more]

    # E3 ------------------------------------------------------------------------------------------------

    def wait(self, task_id: str) -> TaskEnd:
        """Wait until the supervisor's lock is free, then read what it recorded (E3)."""
        folder = find_control_folder(self._home, task_id)
        if folder is None or not (folder / "alive").exists():
            kill_by_id(self._home, task_id)
            return lost_end(folder, None, f"The engine knows of no task {task_id}.")
        with (folder / "alive").open("rb") as alive:
            fcntl.flock(alive, fcntl.LOCK_SH)
        self._end_strays(folder)
        begun = "was killed before it could record the end" if has_begun(folder) else "could not start"
        lost = f"The task's supervisor {begun}."
        problem = None if has_begun(folder) else unmounted(folder)
        return recorded_end(folder) or lost_end(
            folder, 128 + signal.SIGKILL, lost, noticed(folder, "lost"), problem=problem
        )

    def _end_strays(self, folder: Path) -> None:
        """Kill what outlived its supervisor; one that ended by itself in namespaces of its own did that."""
        done = folder / "strays_ended"
        by_kernel = (folder / "mounts").exists() and recorded_end(folder) is not None
        if not by_kernel and not done.exists():
            try:
                done.touch()
            except FileNotFoundError:
                return  # the task was removed meanwhile, and what has its name now is another's
            except OSError:
                pass
            kill(marker_of(self._home, folder.parent.parent.parent.name, folder.name))

    # E4 ------------------------------------------------------------------------------------------------

    def stop(self, task_id: str, grace: float = 5.0) -> None:
        """Send TERM, then have the supervisor kill the rest, then kill it too (E4)."""
        folder = find_control_folder(self._home, task_id)
        if folder is None or not (folder / "alive").exists():
            kill_by_id(self._home, task_id)
            return
        ask_to_stop(folder)
        marker = marker_of(self._home, folder.parent.parent.parent.name, task_id)
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGUSR1, LAST_WORDS)):
            deadline = time.monotonic() + seconds
            if await_that(lambda: is_free(folder) or has_begun(folder), deadline) and not is_free(folder):
                signal_supervisor(marker, folder, number)
            if await_that(lambda: is_free(folder), deadline):
                break
        else:
            kill(marker)
            await_that(lambda: is_free(folder), time.monotonic() + LAST_WORDS)
        self._end_strays(folder)

    def mount_refusal(self, command: str) -> str:
        """Say why a user's command can mount nothing here; empty: it may be tried."""
        return mount_refusal(command, self._no_namespaces)

    def try_mounts(self, cluster: str, node: str, mounts: Sequence[CommandMount]) -> None:
        """Mount on a node what users' commands mount, and take it away again; EngineError: one fails."""
        disk = self._home.nodes / cluster / node
        subnet = str(read_note(disk).get("subnet") or LOOPBACK)
        values = own_environment(disk / "home", lambda proxy: seen_from_nodes(proxy, subnet))
        values[MARKER] = marker_of(self._home, cluster, f"mounts-{node}")
        network = [] if subnet.startswith(LOOPBACK) else self._networks.enter(cluster, node)
        try_mounts(disk, mounts, network, values)

    # E9 ------------------------------------------------------------------------------------------------

    def lacks(self, need: Need) -> Lack | None:
        """Say what the toolkit's environment has to be made from (E9)."""
        demand_program(need)
        return toolkit_lack(need, self._arguments("--check"))

    def obtain(
        self, need: Need, announce: Callable[[str], None], progress: Callable[[str, int, int], None]
    ) -> None:
        """Make the toolkit's environment (E9)."""
        make_toolkit(need, self._arguments(), announce, progress)

    # E10 -----------------------------------------------------------------------------------------------

    def enter(self, cluster: str, task_id: str, command: str, terminal: Terminal | None) -> Entered:
        """Enter the task's namespaces, where it has some (E10)."""
        folder = find_control_folder(self._home, task_id)
        if folder is None or is_free(folder):
            raise EngineError(Problem(BUSY, "What ran on the node has just ended; try again."))
        disk = folder.parent.parent
        subnet = str(read_note(disk).get("subnet") or LOOPBACK)
        values = own_environment(disk / "home", lambda proxy: seen_from_nodes(proxy, subnet))
        add_node_python(values, disk, lambda _: None)
        marker = marker_of(self._home, cluster, task_id)
        return enter_process(
            marker,
            command,
            {**values, MARKER: marker},
            terminal,
            namespaces=(folder / "mounts").exists(),
            network=not subnet.startswith(LOOPBACK),
        )

    # E5, E7, E8 ----------------------------------------------------------------------------------------

    def remove(self, task_id: str) -> None:
        """Delete the control folder, after ending whatever runs (E5)."""
        self.stop(task_id, 0.0)
        forget_task(self._home, task_id)

    def tasks(self) -> list[str]:
        """List tasks that were started and not removed (E7)."""
        return started_tasks(self._home, self.name)

    def sweep(self, keep: frozenset[str]) -> list[str]:
        """Remove nodes of clusters not in ``keep``, and processes whose home folder is gone (E8)."""
        swept = Swept()
        for disk in sorted(disks(self._home)):
            if disk.parent.name not in keep and engine_of(disk) in (self.name, ""):
                with swept.trying(f"node {disk.name} of cluster {disk.parent.name}"):
                    self.remove_node(disk.parent.name, disk.name)
        for process in [*marked(), *marked(variable=NETWORK)]:
            home, cluster, task = process.marker.rsplit(":", 2)
            ours = home == str(self._home.root.resolve()) and cluster not in keep
            if (ours or is_gone(process.pid, home)) and send(process, signal.SIGKILL):
                swept.removed.append(f"process {process.pid} of {task or 'a network'}")
        swept.removed += drop_dangling_links()
        return swept.close()

    def close(self) -> None:
        """Do nothing: tasks go on, and nothing is held."""
