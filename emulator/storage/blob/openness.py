"""Whether somebody writes a file: blobfuse sends it when its writer closes it; until then it is not there.

The kernel is asked: it grants a read lease only on a file that nobody holds open for writing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.blob import tree
from batchai_scenario.emulator.storage.errors import StorageError

if TYPE_CHECKING:
    from batchai_scenario.emulator.storage.tree import Found


def is_being_written(found: Found) -> bool:
    """Tell whether a process holds a file open for writing; False where the kernel cannot tell."""
    if found.is_directory:
        return False
    try:
        fd = found.open(os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return is_open_for_writing(fd)
    finally:
        os.close(fd)


def settled(root: str, name: str) -> os.stat_result | None:
    """Give a blob's status; None if there is none of this name, or somebody holds it open for writing."""
    try:
        with tree.find(root, name.split("/")) as found:
            return None if is_being_written(found) else found.stat
    except (OSError, StorageError):
        return None


def is_open_for_writing(fd: int) -> bool:
    """Tell whether a process holds the file of a descriptor, opened for reading, open for writing.

    A file of another user cannot be asked about unless this process may do anything (``CAP_LEASE``).
    """
    try:
        # Whoever opens the file for writing while the lease is held makes the kernel send this signal, which
        # is ignored by default; the usual one would end the process.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
