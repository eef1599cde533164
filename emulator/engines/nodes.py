"""Local disks of nodes: a folder each, with a note of the engine and the address that it was given."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.launch.layout import NODE_TREE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchai_scenario.emulator.launch.plan import NodeTask
    from batchai_scenario.emulator.state.home import Home

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


def plain_path(disk: Path) -> Path:
    """Give a path to a disk that job scripts can use without quotes, as they could on the service.

    It is the disk's own path, or a link in the folder for temporary files if that holds a character that
    means something to a shell.

    Raises:
        EngineError: somebody else's file has the link's name.
    """
    if not _NOT_PLAIN.search(str(disk)):
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
        if not link.is_symlink() or link.exists() or link.lstat().st_uid != os.geteuid():
            continue
        if link == _link(link.readlink()):
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


def _prune(folder: Path, keep: Path) -> None:
    """Delete everything in a folder except ``keep`` and what leads there."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry == keep:
            continue
        if keep.is_relative_to(entry):
            _prune(entry, keep)
        elif entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()


def ready_tree(disk: Path, task: NodeTask) -> None:
    """Empty the temporary folders of earlier jobs and make the folders that mounts go on, as the caller's.

    The service wipes a node's temporary folder when the next job starts (documentation of its CLI).
    """
    tree = disk / NODE_TREE
    root = task.mounts[0].target
    _prune(tree / "jobs", tree / task.working_directory.relative_to(root))
    for mount in task.mounts:
        if mount.target.is_relative_to(root):
            point = tree / mount.target.relative_to(root)
            if point.is_symlink():
                point.unlink()
            point.mkdir(parents=True, exist_ok=True)
