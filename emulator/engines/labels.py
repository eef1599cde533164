"""Labels: by which containers and networks of ours are found again, and whose they are."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.state.home import Home

LABEL_HOME = "scenario.home"
LABEL_HOST = "scenario.host"
LABEL_VIEW = "scenario.view"
LABEL_CLUSTER = "scenario.cluster"
LABEL_NODE = "scenario.node"
LABEL_IMAGE = "scenario.image"
LABEL_TASK = "scenario.task"


def labels(home: Home, cluster: str, **more: str) -> dict[str, str]:
    """Give the labels of a thing of ours: whose it is, never what it does."""
    return {
        LABEL_HOME: str(home.root.resolve()),
        LABEL_HOST: socket.gethostname(),
        LABEL_VIEW: own_view(),
        LABEL_CLUSTER: cluster,
        **{f"scenario.{name}": value for name, value in more.items()},
    }


def own_view() -> str:
    """Name the file tree that this process sees: its mount namespace, and what is its root in there."""
    try:
        root = os.stat("/")  # noqa: PTH116 - one file
        return f"{Path('/proc/self/ns/mnt').readlink()}:{root.st_dev}:{root.st_ino}"
    except OSError:
        return ""


def is_orphan(found: Mapping[str, str], home: Home, keep: frozenset[str]) -> bool:
    """Tell from labels whether a thing belongs to nobody.

    It does if it is of this home and its cluster is not kept, or if its home folder is gone. Whether a
    folder is gone can only be said on the host that made it, by who sees the same file tree and may look:
    engines are shared between containers, between programs with a /tmp of their own, and between users whose
    homes are closed to others.
    """
    owner = found.get(LABEL_HOME)
    if not owner:
        return False
    if owner == str(home.root.resolve()):
        return found.get(LABEL_CLUSTER) not in keep
    mine = {LABEL_HOST: socket.gethostname(), LABEL_VIEW: own_view()}
    return all(found.get(name) == value for name, value in mine.items()) and _is_gone(owner)


def _is_gone(folder: str) -> bool:
    try:
        return not stat.S_ISDIR(os.stat(folder).st_mode)  # noqa: PTH116 - a label may be anything
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False  # it is not for us to see


def container_name(task_id: str) -> str:
    """Give the name of a task's container."""
    return f"scenario-{task_id}"
