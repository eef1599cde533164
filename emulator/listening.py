"""The socket that the emulator listens on, and who holds a port that is taken."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path

from batchai_scenario.emulator.errors import AddressInUse

_BACKLOG = 256
_LISTENING = "0A"


def listen(host: str, port: int, *, preferred: int = 0) -> socket.socket:
    """Listen on a port; with 0 on ``preferred`` if that is free, else on any.

    Raises:
        AddressInUse: the port is taken; names the process that holds it where that can be seen.
    """
    if port == 0 and preferred:
        try:
            return _bind(host, preferred)
        except OSError:
            pass  # somebody else has it now: any other will do
    try:
        return _bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(host, port, port_holder(port)) from error
        raise


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def port_holder(port: int) -> str:
    """Name the process that listens on a port, as far as /proc tells; empty if it does not."""
    inodes = _listening_inodes(port)
    if not inodes:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            handles = list((process / "fd").iterdir())
        except OSError:
            continue  # gone, or another user's
        for handle in handles:
            with contextlib.suppress(OSError):
                if str(handle.readlink()) in inodes:
                    return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{columns[9]}]")
    return inodes
