"""Local disks of nodes: a folder each, with a note of the engine and the address that it was given."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import os
import re
import socket
import tempfile
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.launch.layout import NODE_TREE
from batchai_scenario.emulator.state import beneath
from batchai_scenario.training.toolkits.base import PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePosixPath

    from batchai_scenario.emulator.launch.plan import NodeTask
    from batchai_scenario.emulator.state.home import Home

_FIRST_NODE = 4
"""The service's nodes are x.x.x.4, .5, ... (recorded traffic): the first addresses are Azure's own."""

_PORTS = (10240, 32768)
"""Ports that a node may have where it shares this machine's; from the second on the kernel gives them out."""

_NOTE = "node.json"
_NOT_PLAIN = re.compile(r"[^\w/.,:=@%+~-]")


def make_disk(home: Home, cluster: str, node: str, note: dict[str, Any]) -> Path:
    """Make a node's disk and note what is known of the node."""
    disk = home.nodes / cluster / node
    for name in (NODE_TREE, "control", "home"):
        (disk / name).mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = disk / f".{_NOTE}.{os.getpid()}"
    draft.write_text(json.dumps(note))
    draft.replace(disk / _NOTE)
    return disk


def is_plain(path: Path) -> bool:
    """Tell whether job scripts can use a path without quotes."""
    return not _NOT_PLAIN.search(str(path))


def plain_path(disk: Path) -> Path:
    """Give a path to a disk that job scripts can use without quotes, as they could on the service.

    It is the disk's own path, or a link in the folder for temporary files if that holds a character that
    means something to a shell.

    Raises:
        EngineError: somebody else's file has the link's name.
    """
    if is_plain(disk):
        return disk
    link = _link(disk)
    with contextlib.suppress(FileExistsError):
        link.symlink_to(disk)
    if not link.is_symlink() or link.lstat().st_uid != os.geteuid() or link.readlink() != disk:
        raise EngineError(Problem("InternalError", f"{link} is in the way; remove it."))
    return link


def drop_plain_path(disk: Path) -> None:
    """Delete the link that ``plain_path`` may have made."""
    link = _link(disk)
    if link.is_symlink() and link.lstat().st_uid == os.geteuid():
        link.unlink()


def drop_dangling_links() -> list[str]:
    """Delete links of ``plain_path`` whose disk is gone; give a line for each."""
    done = []
    for link in Path(tempfile.gettempdir()).glob("scenario-*"):
        with contextlib.suppress(OSError):  # it is gone by now, or leads where we may not look
            ours = link.lstat().st_uid == os.geteuid() and link.is_symlink()
            if ours and not link.exists() and link == _link(link.readlink()):
                link.unlink()
                done.append(f"link {link}")
    return done


def _link(disk: Path) -> Path:
    name = hashlib.sha256(os.fsencode(disk)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"scenario-{name}"


def read_note(disk: Path) -> dict[str, Any]:
    """Read what ``make_disk`` noted; empty if it is not there or half written."""
    try:
        note = json.loads((disk / _NOTE).read_text())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def engine_of(disk: Path) -> str:
    """Name the engine that made a node's disk; empty if nobody noted it."""
    return str(read_note(disk).get("engine") or "")


def disks(home: Home, cluster: str = "*") -> Iterator[Path]:
    """Walk the disks of all nodes of a home, or of one cluster (by guid)."""
    return (path for path in home.nodes.glob(f"{cluster}/*") if path.is_dir())


def free_address(home: Home, cluster: str, node: str, subnet: str) -> str:
    """Give a node's address: the one that it has, or the first that no node of the cluster has.

    Raises:
        EngineError: every address is taken.
    """
    network = ipaddress.IPv4Network(subnet)
    taken = set()
    for disk in disks(home, cluster):
        address = str(read_note(disk).get("address") or "")
        if disk.name == node and address and ipaddress.IPv4Address(address) in network:
            return address
        taken.add(address)
    for offset in range(_FIRST_NODE, network.num_addresses - 1):
        address = str(network.network_address + offset)
        if address not in taken:
            return address
    raise EngineError(Problem("InternalError", f"The network {subnet} has no address left for {node}."))


def free_ports(home: Home, cluster: str, node: str) -> int:
    """Give the first of ``PORTS`` ports for a node without a network: those that it has, else free ones.

    They lie below those that the kernel gives out; other homes and programs of this machine take theirs from
    the same, so they are drawn at random.

    Raises:
        EngineError: none are free.
    """
    own = read_note(home.nodes / cluster / node).get("port")
    if own:
        return int(own)
    taken = {read_note(disk).get("port") for disk in disks(home)}
    left = [first for first in range(*_PORTS, PORTS) if first not in taken]
    SystemRandom().shuffle(left)
    for first in left:
        if all(_is_free(port) for port in range(first, first + PORTS)):
            return first
    raise EngineError(Problem("InternalError", f"This machine has no {PORTS} free ports left for {node}."))


def _is_free(port: int) -> bool:
    """Tell if a program could listen on a port at every address of this machine."""
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def drop_disk(disk: Path) -> None:
    """Delete a node's disk, and its cluster's folder with the last one. Mounts are never followed."""
    beneath.remove_path(disk)
    try:
        disk.parent.rmdir()
    except OSError:
        return  # other nodes are left, or it is gone


def ready_tree(disk: Path, task: NodeTask) -> None:
    """Empty the temporary folders of earlier jobs and make the folders that mounts go on, as the caller's.

    The service wipes a node's temporary folder when the next job starts (documentation of its CLI). What an
    earlier job put in the place of a folder on the way is removed.
    """
    root = task.mounts[0].target
    targets = [mount.target for mount in task.mounts] + [mount.target for mount in task.commands]
    with beneath.opened(disk, (NODE_TREE,)) as tree:
        _prune(tree, task.working_directory.relative_to(root).parts)
        for path in (task.working_directory, *targets):
            if path.is_relative_to(root):
                os.close(beneath.put_folders(os.dup(tree), path.relative_to(root).parts))


def link_volume(disk: Path, inside: PurePosixPath, source: Path) -> None:
    """Put a link to a volume in the place of its mount point, for a job that sees the node's disk itself."""
    with beneath.opened(disk, (NODE_TREE, *inside.parent.parts)) as folder:
        beneath.remove(inside.name, folder)
        os.symlink(source, inside.name, dir_fd=folder)


def _prune(tree: int, keep: tuple[str, ...]) -> None:
    """Delete everything beside a path below an open folder, from its second part on, and leave the path.

    What cannot be deleted stays: it is in nobody's way.
    """
    folder = os.dup(tree)
    try:
        for depth, part in enumerate(keep):
            for name in os.listdir(folder) if depth else ():  # noqa: PTH208 - of a descriptor
                if name != part:
                    with contextlib.suppress(OSError):
                        beneath.remove(name, folder)
            below = os.open(part, beneath.FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
    except OSError as error:
        if error.errno not in beneath.NO_FOLDER:
            raise
    finally:
        os.close(folder)
