"""Starting a task: what its supervisor finds when it begins, and the session of processes that it is."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.control import open_command, write_control
from batchai_scenario.emulator.engines.environments import own_environment
from batchai_scenario.emulator.engines.gang import ready_gang
from batchai_scenario.emulator.engines.nodes import link_volume, read_note, ready_tree
from batchai_scenario.emulator.engines.parts import held_to
from batchai_scenario.emulator.engines.proc import MARKER
from batchai_scenario.emulator.engines.process.layer import layer_lines
from batchai_scenario.emulator.engines.process.namespace import enter_command, write_mounts
from batchai_scenario.emulator.engines.process.nodenets import host_files, seen_from_nodes
from batchai_scenario.emulator.engines.process.task import part_of_node
from batchai_scenario.emulator.engines.process.unmanaged import mount_refusal
from batchai_scenario.emulator.engines.subnets import LOOPBACK
from batchai_scenario.emulator.engines.supervisors import marker_of
from batchai_scenario.emulator.engines.unmanaged import not_mounted
from batchai_scenario.emulator.errors import EngineError
from batchai_scenario.emulator.launch.layout import host_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from batchai_scenario.emulator.engines.process.nodenets import NodeNetworks
    from batchai_scenario.emulator.launch.plan import NodeTask
    from batchai_scenario.emulator.state.home import Home


def prepare(
    home: Home, folder: Path, task: NodeTask, environment: Mapping[str, str], *, namespaces: bool, layer: bool
) -> None:
    """Write what a task's supervisor finds in its control folder, and ready the node's disk.

    ``namespaces``: the task gets its own view of /mnt; ``layer``: and a layer over this machine's files.
    """
    disk = folder.parent.parent
    for command in () if namespaces else task.commands:
        said = mount_refusal(command.command, "they have no namespaces")
        raise EngineError(not_mounted([command.name], said, command.command))
    ready_tree(disk, task)
    ready_gang(disk, task)
    beside = [mount.target for mount in task.commands]
    ending = open_command([mount.target for mount in task.mounts], beside) if os.geteuid() else ""
    write_control(folder, task, environment, ending, "alone" if namespaces else "session")
    if namespaces:
        real = (home.nodes, home.storage, *(mount.source for mount in task.mounts))
        lines = layer_lines(disk, real) if layer else []
        files = host_files(task, read_note(disk))
        write_mounts(folder, task.mounts, host_name(task.node), files, lines, commands=task.commands)
        return
    root, *volumes = task.mounts
    for mount in volumes:
        link_volume(disk, mount.target.relative_to(root.target), mount.source)


def launch(home: Home, folder: Path, task: NodeTask, networks: NodeNetworks, *, namespaces: bool) -> None:
    """Start a task's supervisor, which holds the lock on ``alive`` from before it begins."""
    subnet = str(read_note(folder.parent.parent)["subnet"])
    alone = not subnet.startswith(LOOPBACK)
    network = networks.enter(task.cluster, task.node) if alone else []
    if namespaces:
        command = enter_command(folder, network)
    else:
        command = ["/bin/sh", str(folder / "supervisor.sh"), str(folder)]
    command = [*held_to(part_of_node(home, task)[0]), *command]
    base = own_environment(folder.parent.parent / "home", lambda proxy: seen_from_nodes(proxy, subnet))
    base[MARKER] = marker_of(home, task.cluster, task.id)
    with (folder / "alive").open("wb") as alive, (folder / "log").open("ab") as log:
        fcntl.flock(alive, fcntl.LOCK_EX)
        # The lock travels as the supervisor's standard input; nobody else gets it.
        process = subprocess.Popen(
            command, stdin=alive, stdout=log, stderr=log, cwd="/", env=base, start_new_session=True
        )
    threading.Thread(target=process.wait, name=f"reap {task.id}", daemon=True).start()
