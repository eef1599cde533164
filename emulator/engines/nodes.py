"""Local disks of nodes: a folder each, with a note of the engine and the address that it was given."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from emulator.launch.layout import NODE_TREE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emulator.launch.plan import NodeTask
    from emulator.state.home import Home

_NOTE = "node.json"


def make_disk(home: Home, cluster: str, node: str, note: dict[str, Any]) -> Path:
    """Make a node's disk and note what is known of the node."""
    disk = home.nodes / cluster / node
    for name in (NODE_TREE, "control", "home"):
        (disk / name).mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = disk / f".{_NOTE}.{os.getpid()}"
    draft.write_text(json.dumps(note))
    draft.replace(disk / _NOTE)
    return disk


def read_note(disk: Path) -> dict[str, Any]:
    """Read what ``make_disk`` noted; empty if it is not there or half written."""
    try:
        note = json.loads((disk / _NOTE).read_text())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def disks(home: Home) -> Iterator[Path]:
    """Walk the disks of all nodes of a home."""
    return (path for path in home.nodes.glob("*/*") if path.is_dir())


def drop_disk(disk: Path) -> None:
    """Delete a node's disk, and its cluster's folder with the last one. Mounts are never followed."""
    shutil.rmtree(disk, ignore_errors=True)
    if disk.exists():  # say why, now that what could be deleted is gone
        shutil.rmtree(disk)
    try:
        disk.parent.rmdir()
    except OSError:
        return  # other nodes are left, or it is gone


def ready_tree(disk: Path, task: NodeTask) -> None:
    """Empty the temporary folders of earlier jobs and make the folders that mounts go on, as the caller's.

    The service wipes a node's temporary folder when the next job starts (documentation of its CLI).
    """
    tree = disk / NODE_TREE
    shutil.rmtree(tree / "jobs", ignore_errors=True)
    root = task.mounts[0].target
    for mount in task.mounts:
        if mount.target.is_relative_to(root):
            point = tree / mount.target.relative_to(root)
            if point.is_symlink():
                point.unlink()
            point.mkdir(parents=True, exist_ok=True)
