# ruff: noqa: PTH102, PTH103, PTH104, PTH116 - paths on the way of requests are plain strings
"""Snapshots of shares: copies that share their blocks with the share where the file system can do that."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat as modes
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from batchai_scenario.emulator.state import beneath
from batchai_scenario.emulator.storage.call import stamps
from batchai_scenario.emulator.storage.content import data_ranges
from batchai_scenario.emulator.storage.errors import StorageError, failure
from batchai_scenario.emulator.storage.records import entity_tag
from batchai_scenario.emulator.storage.times import parse_sas_time, snapshot_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context

_CLONE = 0x40049409
"""``FICLONE``: let one file share another's blocks, which are copied when either is written."""

_STEP = 8 * 1024 * 1024
_NO_CLONES = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.EPERM)


async def create_snapshot(context: Context, call: Call) -> Response:
    """Make a snapshot of a share: 201 and its time.

    Clients of this service see it when it is complete. Files are copied one by one, beside other requests: a
    file that somebody writes at that time is in it as it was at some moment of the copying (our decision;
    the service's snapshots are of one moment).
    """
    record, _ = context.shares.read(call.account.name, call.share)
    metadata = call.metadata()
    root = context.root(call)
    aside = f"{context.shares.staging}/{uuid.uuid4().hex}"
    try:
        await asyncio.to_thread(copy_tree, root, aside)
        context.root(call)  # the share may have been deleted meanwhile
    except (OSError, StorageError) as error:
        context.shares.discard(aside)
        if isinstance(error, FileNotFoundError):
            raise failure("ShareNotFound") from None
        raise
    # From here to the rename nothing else is answered: no two snapshots get one name.
    name = _new_name(context, call)
    folder = context.shares.snapshot_folder(call.account.name, call.share, name)
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)  # noqa: PTH120 - a plain string
    os.rename(aside, folder)
    source = call.share_key
    call.snapshot = name
    _copy_records(context, source, root, call.share_key, folder)
    if metadata:
        record.metadata = metadata
    context.shares.records.put_share(call.share_key, record)
    status = os.stat(folder)
    headers = stamps(entity_tag(status, record.changed, directory=True), record.changed)
    call.snapshot = ""
    return call.answer(201, {**headers, "x-ms-snapshot": name})


def copy_tree(source: str, target: str, lose: Callable[[str, str], None] | None = None) -> None:
    """Copy a folder: directories, files and links with their times; what else is there is left out.

    ``lose`` hears path and reason of what cannot be read, and the rest is copied; without it that is an
    OSError.
    """
    os.mkdir(target)
    with beneath.opened(source) as top, beneath.opened(target) as copied:
        for folder in beneath.walk(top):
            try:
                below = beneath.put_folders(os.dup(copied), folder.parts, 0o777, replace=False)
            except OSError as error:
                if error.errno in beneath.NO_FOLDER:
                    continue  # it was a file when the folder above was copied
                raise
            try:
                for name in folder.names:
                    problem = _try_to_copy(name, folder.fd, below)
                    if problem is not None and lose is None:
                        raise problem
                    if problem is not None and lose is not None:
                        lose("/".join((*folder.parts, name)), problem.strerror or str(problem))
                _keep_times(os.fstat(folder.fd), below)
            finally:
                os.close(below)


def copy_content(source: int, target: int, size: int) -> None:
    """Copy an open file: its blocks are shared if possible, else its data are copied and its holes kept."""
    try:
        fcntl.ioctl(target, _CLONE, source)
    except OSError as error:
        if error.errno not in _NO_CLONES:
            raise
    else:
        return
    os.ftruncate(target, size)
    for first, last in data_ranges(source, 0, size - 1):
        position = first
        while position <= last:
            count = min(_STEP, last + 1 - position)
            done = os.sendfile(target, source, position, count) if _seek(target, position) else 0
            if not done:
                return  # it grew shorter meanwhile
            position += done


def _seek(fd: int, position: int) -> bool:
    return os.lseek(fd, position, os.SEEK_SET) == position


def _try_to_copy(name: str, source: int, target: int) -> OSError | None:
    try:
        _copy_entry(name, source, target)
    except (FileNotFoundError, FileExistsError):
        return None  # it changed meanwhile
    except OSError as error:
        return error
    return None


def _copy_entry(name: str, source: int, target: int) -> None:
    """Copy what has a name in one open folder to another; of a folder only its name."""
    status = os.stat(name, dir_fd=source, follow_symlinks=False)
    if modes.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    elif modes.S_ISDIR(status.st_mode):
        os.mkdir(name, dir_fd=target)
        if not os.access(name, os.R_OK | os.X_OK, dir_fd=source):
            raise PermissionError(errno.EACCES, "it may not be read", name)
    elif modes.S_ISREG(status.st_mode):
        _copy_file(name, source, target)


def _copy_file(name: str, source: int, target: int) -> None:
    read = beneath.open_file(name, source, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = os.fstat(read)
        write = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target)
        try:
            copy_content(read, write, status.st_size)
            _keep_times(status, write)
        finally:
            os.close(write)
    finally:
        os.close(read)


def _keep_times(status: os.stat_result, target: int) -> None:
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _new_name(context: Context, call: Call) -> str:
    """Give the snapshot's time, later than that of any other of the share."""
    now = context.clock.now()
    taken = context.shares.snapshots(call.account.name, call.share)
    last = parse_sas_time(taken[-1]) if taken else None
    if last is not None and now <= last:
        now = last + timedelta(microseconds=1)
    return snapshot_time(now)


def _copy_records(context: Context, source: str, root: str, target: str, folder: str) -> None:
    """Let a snapshot have what is kept about the files and directories of its share."""
    records = context.shares.records
    with beneath.opened(root) as live, beneath.opened(folder) as copied:
        for path in records.paths(source):
            parts = path.split("/")
            before, after = beneath.look_below(live, parts), beneath.look_below(copied, parts)
            if before is not None and after is not None:
                directory = modes.S_ISDIR(before.st_mode)
                record = records.entry(source, path, before, directory=directory)
                records.put_entry(target, path, after, record, directory=directory)
