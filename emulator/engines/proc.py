"""Finds and signals the processes of a task through /proc, by the marker in their environment."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MARKER = "SCENARIO_TASK"
"""Environment variable of every process of a task: ``<home folder>:<cluster>:<task id>``."""

NETWORK = "SCENARIO_NETWORK"
"""Environment variable of the processes that hold networks: ``<home folder>:<cluster>:<node, or what>``."""

_SESSION_FIELD = 3  # of /proc/<pid>/stat after the command's name
_START_FIELD = 19
_ROUNDS = 4
_ROUND_SECONDS = 0.003


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A process of a task. ``started`` (clock ticks since boot) tells it from a later one of its pid."""

    pid: int
    marker: str
    session: int
    started: int
    command: tuple[str, ...]


def marked(marker: str = "", variable: str = MARKER) -> list[RunningProcess]:
    """List a task's processes, or those of every task; those that we may not look into are not ours.

    ``variable`` NETWORK: a network's processes instead.
    """
    key = f"{variable}=".encode()
    whole = key + marker.encode("utf-8", "surrogateescape")
    found = []
    for pid, entries in _environments():
        entry = next((entry for entry in entries if entry.startswith(key)), None)
        if entry is None or (marker and entry != whole):
            continue
        status = _status(pid)
        if status is not None:
            name = entry[len(key) :].decode("utf-8", "surrogateescape")
            found.append(RunningProcess(pid, name, *status, _command(pid)))
    return found


def lives(process: RunningProcess) -> bool:
    """Tell whether a process that was found is still there: a look at it alone."""
    status = _status(process.pid)
    return status is not None and status[1] == process.started


def named(name: str) -> list[RunningProcess]:
    """List processes by the kernel's name of their program, at most 15 letters; they have no marker."""
    found = []
    for pid in _pids():
        status = _status(pid)
        with suppress(OSError):
            if status is not None and Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.append(RunningProcess(pid, "", *status, _command(pid)))
    return found


def with_descendants(ancestors: Sequence[RunningProcess]) -> list[RunningProcess]:
    """Give processes and all that descend from them, whatever their environment."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        with suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(pid)
    found = {each.pid: each for each in ancestors}
    waiting = list(found)
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            status = _status(pid)
            if status is not None and pid not in found:
                found[pid] = RunningProcess(pid, "", *status, _command(pid))
                waiting.append(pid)
    return list(found.values())


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    """Read every process's environment. One that is being replaced (exec) shows none: it is read again."""
    pids = list(_pids())
    for _ in range(_ROUNDS):
        again = []
        for pid in pids:
            data = _environment(pid)
            if data:
                yield pid, data.split(b"\0")
            elif data is not None:
                again.append(pid)
        if not again:
            return
        pids = again
        time.sleep(_ROUND_SECONDS)


def _environment(pid: int) -> bytes | None:
    """Read a process's environment; None if it is gone, not ours to read, or the kernel's own."""
    try:
        data = Path(f"/proc/{pid}/environ").read_bytes()
        if not data:
            Path(f"/proc/{pid}/exe").readlink()  # the kernel's own processes have none
    except OSError:
        return None
    return data


def family(marker: str) -> list[RunningProcess]:
    """List a task's processes: those with its marker, and all that share a session with one of them."""
    own = marked(marker)
    sessions = {process.session for process in own} - {os.getsid(0)}
    known = {process.pid for process in own}
    for pid in _pids():
        status = _status(pid)
        if status is not None and status[0] in sessions and pid not in known:
            own.append(RunningProcess(pid, marker, *status, _command(pid)))
    return own


def send(process: RunningProcess, number: int) -> bool:
    """Send a signal to exactly this process; False if it is gone. Its pid may be another's by now."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    except (AttributeError, OSError):  # before Linux 5.3, or another system
        return _send_to_pid(process, number)
    try:
        if not lives(process):
            return False
        signal.pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(handle)
    return True


def end(processes: Sequence[RunningProcess], seconds: float = 5.0) -> None:
    """Kill processes, and wait until they are gone; what the kernel cannot end is given up."""
    deadline = time.monotonic() + seconds
    left = [process for process in processes if send(process, signal.SIGKILL)]
    while left and time.monotonic() < deadline:
        time.sleep(_ROUND_SECONDS)
        left = [process for process in left if lives(process)]


def _send_to_pid(process: RunningProcess, number: int) -> bool:
    if not lives(process):
        return False
    try:
        os.kill(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _pids() -> Iterator[int]:
    own = os.getpid()
    return (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own)  # noqa: PTH208 - Path objects for each process cost more than the scan


def _status(pid: int) -> tuple[int, int] | None:
    """Give (session, start time) of a live process; None for a zombie or none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    if not fields or fields[0] in ("Z", "X"):
        return None
    return int(fields[_SESSION_FIELD]), int(fields[_START_FIELD])


def _command(pid: int) -> tuple[str, ...]:
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(word.decode("utf-8", "surrogateescape") for word in data.split(b"\0")[:-1])
