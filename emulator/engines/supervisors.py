"""Supervisors outside of containers, seen from outside: whose they are, whether they live, what ends them."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from batchai_scenario.emulator.engines.control import (
    control_folders,
    drop_control,
    find_control_folder,
    has_begun,
)
from batchai_scenario.emulator.engines.nodes import engine_of
from batchai_scenario.emulator.engines.proc import family, marked, send
from batchai_scenario.emulator.state import beneath

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.emulator.state.home import Home

LAST_WORDS = 5.0
"""Seconds that whatever is killed has to go."""

_POLL = 0.01


def marker_of(home: Home, cluster: str, task_id: str) -> str:
    """Give what stands in the environment of a task's processes."""
    return f"{home.root.resolve()}:{cluster}:{task_id}"


def is_gone(pid: int, home: str) -> bool:
    """Tell whether a home folder exists no more, as the process itself would see it."""
    try:
        Path(f"/proc/{pid}/root").readlink()
        if not Path(f"/proc/{pid}/root{home}").exists():
            return True
        rows = [
            line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text(errors="replace").splitlines()
        ]
    except OSError:
        return False
    # In a node's layer a folder that is mounted there seems to stay, but its mount knows that it was deleted.
    return any(row[3].endswith("//deleted") and row[4].startswith(home) for row in rows)


def is_free(folder: Path) -> bool:
    """Tell whether no supervisor holds the task's lock; what a job in a container put there is none."""
    try:
        with lock_of(folder) as alive:
            fcntl.flock(alive, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (*beneath.NO_FOLDER, errno.EACCES):
            raise
    return True


def lock_of(folder: Path) -> BinaryIO:
    """Open the lock of a task that its supervisor holds as long as it lives.

    Raises:
        FileNotFoundError: there is none, or no regular file.
    """
    with beneath.opened(folder.parent, (folder.name,)) as fd:
        return os.fdopen(beneath.open_file("alive", fd, os.O_RDONLY | os.O_NONBLOCK), "rb")


def running_tasks(home: Home) -> list[str]:
    """List the tasks whose supervisor lives, whether or not anybody remembers them."""
    return sorted(folder.name for folder in control_folders(home) if not is_free(folder))


def started_tasks(home: Home, engine: str) -> list[str]:
    """List the tasks of an engine's nodes that were started and not forgotten."""
    return sorted(
        folder.name
        for folder in control_folders(home)
        if engine_of(folder.parent.parent) == engine and (has_begun(folder) or not is_free(folder))
    )


def forget_task(home: Home, task_id: str) -> None:
    """Delete what is kept of a task that ended, if anything is."""
    folder = find_control_folder(home, task_id)
    if folder is not None:
        drop_control(folder)
        (folder.parent / f".{task_id}.lock").unlink(missing_ok=True)


def await_that(condition: Callable[[], bool], deadline: float) -> bool:
    """Look until a condition is true, or a moment of the monotonic clock has come."""
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True


def signal_supervisor(marker: str, folder: Path, number: int) -> None:
    """Signal the oldest process that is the task's supervisor.sh: its own forks look like it at first."""
    script = str(folder / "supervisor.sh")
    candidates = [process for process in marked(marker) if process.command[1:2] == (script,)]
    if candidates:
        send(min(candidates, key=lambda process: (process.started, process.pid)), number)


def kill_by_id(home: Home, task_id: str) -> None:
    """Kill everything of a task of which nothing is known but its id: a job may delete what is kept of it."""
    prefix, suffix = f"{home.root.resolve()}:", f":{task_id}"
    found = {process.marker for process in marked()}
    for marker in found:
        if marker.startswith(prefix) and marker.endswith(suffix):
            kill(marker)


def kill(marker: str) -> None:
    """Kill everything of a task, and what it starts meanwhile; what the kernel cannot end is given up."""

    def nothing_left() -> bool:
        sent = [send(process, signal.SIGKILL) for process in family(marker)]
        return not any(sent)

    await_that(nothing_left, time.monotonic() + LAST_WORDS)
