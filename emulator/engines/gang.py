"""What the nodes of a job of several share: their temporary folder, and their doors to one another.

It stands on the first node's disk, beside the node agent's tree: ``shared/<task id>/temp`` is what
``AZ_BATCHAI_SHARED_JOB_TEMP`` shows; ``shared/<task id>/door`` holds a pipe for each node (``hosts/``), a
file of each node that is prepared (``prepared/``), the pipe that wakes the master then (``ready``), and the
stand-in for ssh (``bin/``).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.emulator.launch.layout import SHARED
from batchai_scenario.emulator.state import beneath

if TYPE_CHECKING:
    from batchai_scenario.emulator.launch.plan import Gang, NodeTask

_DOOR = Path(__file__).with_name("door.sh")
_SSHD = Path(__file__).with_name("sshd.sh")
_LAUNCHER = Path(__file__).with_name("launcher.sh")
_PROGRAMS = ("ssh", "rsh")


def ready_gang(disk: Path, task: NodeTask) -> None:
    """Delete what earlier jobs shared on a node's disk, and make what the task's job shares, if it does.

    All tasks of a job may do so at once. Each half appears in one piece, and is left alone from then on: it
    is the job's.
    """
    gang = task.gang
    for folder in (disk / SHARED).glob("*"):
        if gang is None or folder != gang.source:
            with suppress(OSError):
                beneath.remove_path(folder)
    if gang is not None:
        _make(gang)


def _make(gang: Gang) -> None:
    root = gang.source
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        (root / "temp").mkdir()
    if os.path.lexists(root / "door"):
        return
    draft = Path(tempfile.mkdtemp(prefix=".door-", dir=root))
    for name in ("bin", "hosts", "prepared", "requests"):
        (draft / name).mkdir()
    for name in ("prepared", "requests"):
        (draft / name).chmod(0o1777)  # whoever the job becomes may knock
    for script in (_DOOR, _SSHD):
        shutil.copyfile(script, draft / script.name)
    for name in _PROGRAMS:
        shutil.copyfile(_LAUNCHER, draft / "bin" / name)
        (draft / "bin" / name).chmod(0o755)
    _make_pipe(draft / "ready")
    for member in gang.members:
        _make_pipe(draft / "hosts" / member.address)
        for name in {member.name, member.node} - {member.address}:
            (draft / "hosts" / name).symlink_to(member.address)
    draft.chmod(0o755)
    try:
        draft.rename(root / "door")
    except OSError:
        beneath.remove_path(draft)  # another task was first
        if not os.path.lexists(root / "door"):
            raise


def _make_pipe(path: Path) -> None:
    os.mkfifo(path)
    path.chmod(0o666)
