"""Folders of file servers' disks, which jobs may swap for links between our look at them and their mount.

An engine mounts by path, so what is mounted is looked at once more from within: the supervisor compares its
inode with that of the folder that was found, and runs nothing if somebody put another one in its place.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.state import beneath

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path, PurePosixPath

    from batchai_scenario.emulator.launch.plan import Mount


def check_mounts(disks: Path, mounts: Iterable[Mount]) -> str:
    """Write the shell function ``check_mounts``: it fails if a mount shows another folder than it should.

    Args:
        disks: where file servers' disks stand, a folder each.
        mounts: the task's.

    Raises:
        EngineError: a folder is gone, or is a link now.
    """
    lines = []
    for mount in mounts:
        if mount.source.is_relative_to(disks):
            disk, *parts = mount.source.relative_to(disks).parts
            if parts:
                lines.append(_check(mount.target, _inode(disks / disk, parts, mount.target)))
    return "check_mounts() {\n    true\n" + "".join(lines) + "}"


def _inode(disk: Path, parts: list[str], target: PurePosixPath) -> int:
    try:
        with beneath.opened(disk, parts) as found:
            return os.fstat(found).st_ino
    except OSError as error:
        message = f"What is to be mounted at {target} is no folder of its file server any more."
        raise EngineError(Problem("FileServerMountError", message)) from error


def _check(target: PurePosixPath, inode: int) -> str:
    place = shlex.quote(f"{target}/.")
    said = shlex.quote(f"the folder mounted at {target} is not the one of its file server")
    return f'    [ "$(set -- $(ls -id {place}); echo "$1")" = {inode} ] || {{ echo {said} >&2; return 1; }}\n'
