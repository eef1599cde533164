# ruff: noqa: PTH103, PTH104, PTH116 - paths on the way of requests are plain strings
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

from batchai_scenario.emulator.storage.call import stamps
from batchai_scenario.emulator.storage.content import data_ranges
from batchai_scenario.emulator.storage.records import entity_tag
from batchai_scenario.emulator.storage.times import parse_sas_time, snapshot_time

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call, Context

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
    name = _new_name(context, call)
    root = context.root(call)
    aside = f"{context.shares.staging}/{uuid.uuid4().hex}"
    try:
        await asyncio.to_thread(copy_tree, root, aside)
    except OSError:
        context.shares.discard(aside)
        raise
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


def copy_tree(source: str, target: str) -> None:
    """Copy a folder: directories, files and links with their times; what else is there is left out."""
    os.mkdir(target)  # noqa: PTH102
    with os.scandir(source) as scan:
        for entry in scan:
            path = f"{target}/{entry.name}"
            try:
                if entry.is_symlink():
                    os.symlink(os.readlink(entry.path), path)  # noqa: PTH115, PTH211
                elif entry.is_dir():
                    copy_tree(entry.path, path)
                elif entry.is_file():
                    _copy_file(entry.path, path)
            except FileNotFoundError:
                continue  # it vanished meanwhile
    _keep_times(source, target)


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


def _copy_file(source: str, target: str) -> None:
    read = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(read)
        if not modes.S_ISREG(status.st_mode):
            return
        write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            copy_content(read, write, status.st_size)
        finally:
            os.close(write)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    finally:
        os.close(read)


def _keep_times(source: str, target: str) -> None:
    try:
        status = os.stat(source)
    except FileNotFoundError:
        return
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
    for path in records.paths(source):
        try:
            before, after = os.stat(f"{root}/{path}"), os.stat(f"{folder}/{path}")
        except OSError:
            continue
        directory = modes.S_ISDIR(before.st_mode)
        record = records.entry(source, path, before, directory=directory)
        records.put_entry(target, path, after, record, directory=directory)
