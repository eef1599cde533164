# ruff: noqa: PTH101 - paths on the way of every request are plain strings and descriptors
"""Blobs as files of one container's folder, found without following any symbolic link.

A directory on disk is what blobfuse keeps as a blob of no bytes with ``hdi_isfolder=true``, and is shown as
that; a directory that is there only because a client's blob has a slash in its name is not shown at all.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from batchai_scenario.emulator.state import beneath
from batchai_scenario.emulator.storage.errors import failure
from batchai_scenario.emulator.storage.names import is_presentable
from batchai_scenario.emulator.storage.records import EntryRecord, Records
from batchai_scenario.emulator.storage.tree import MODE, Found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchai_scenario.emulator.storage.remembered import FolderNames, NamedEntry

IMPLIED = "Implied"
"""``EntryRecord.attributes`` of a directory that only a blob's name implies."""

FOLDER_METADATA = {"hdi_isfolder": "true"}

_NO_SUCH = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


@contextmanager
def parent_of(root: str, parts: Sequence[str]) -> Iterator[int]:
    """Open the directory that holds the last part, link by link; FileNotFoundError if there is none."""
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            below = _enter(fd, part)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


def find(root: str, parts: Sequence[str]) -> Found:
    """Find a file or directory; StorageError BlobNotFound if there is neither."""
    try:
        with parent_of(root, parts) as parent:
            fd = os.open(parts[-1], os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:
        raise failure("BlobNotFound") from None
    found = Found(root, fd, "/".join(parts), os.fstat(fd))
    if modes.S_ISREG(found.stat.st_mode) or found.is_directory:
        return found
    os.close(fd)
    raise failure("BlobNotFound")


def place(records: Records, key: str, root: str, parts: Sequence[str], draft: str) -> None:
    """Give a file of the staging folder its name, in one step; directories are made as its name implies.

    Raises:
        StorageError: ResourceTypeMismatch where a file is wanted for a directory, or the other way round.
    """
    make_parents(records, key, root, parts)
    with parent_of(root, parts) as parent:
        try:
            os.rename(draft, parts[-1], dst_dir_fd=parent)
        except IsADirectoryError:
            raise _mismatch(parts) from None


def make_directory(records: Records, key: str, root: str, parts: Sequence[str]) -> None:
    """Make the directory that a blob with ``hdi_isfolder=true`` stands for; nothing if it exists."""
    make_parents(records, key, root, parts)
    with parent_of(root, parts) as parent:
        try:
            os.mkdir(parts[-1], dir_fd=parent)
            with suppress(OSError):  # a job may have put something else there already
                beneath.set_folder_mode(parts[-1], parent, MODE)
        except FileExistsError:
            os.close(_enter(parent, parts[-1]))


def make_parents(records: Records, key: str, root: str, parts: Sequence[str]) -> None:
    """Make the directories that a blob's name implies."""
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for depth, part in enumerate(parts[:-1], 1):
            try:
                os.mkdir(part, dir_fd=fd)
                made = True
            except FileExistsError:
                made = False
            try:
                below = _enter(fd, part)
            except FileNotFoundError:
                raise _mismatch(parts[:depth]) from None
            os.close(fd)
            fd = below
            if made:
                os.chmod(f"/proc/self/fd/{fd}", MODE)
                record = EntryRecord(attributes=IMPLIED)
                records.save_entry(key, "/".join(parts[:depth]), os.fstat(fd), record, directory=True)
    finally:
        os.close(fd)


def remove(records: Records, key: str, root: str, found: Found) -> None:
    """Remove a blob, and the directories that only its name implied.

    The marker of a directory that holds something goes, the directory stays.
    """
    parts = found.path.split("/")
    with parent_of(root, parts) as parent:
        try:
            if found.is_directory:
                os.rmdir(parts[-1], dir_fd=parent)
            else:
                os.unlink(parts[-1], dir_fd=parent)
            records.forget_entry(key, found.path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            record = EntryRecord(attributes=IMPLIED)
            records.save_entry(key, found.path, found.stat, record, directory=True)
            return
    for depth in range(len(parts) - 1, 0, -1):
        above = parts[:depth]
        try:
            with find(root, above) as directory:
                if not is_implied(records, key, directory):
                    return
            with parent_of(root, above) as parent:
                os.rmdir(above[-1], dir_fd=parent)
        except OSError:
            return
        records.forget_entry(key, "/".join(above))


def is_implied(records: Records, key: str, found: Found) -> bool:
    """Tell whether a directory is there for the names of its blobs only, and is no blob itself."""
    if not found.is_directory:
        return False
    return records.entry(key, found.path, found.stat, directory=True).attributes == IMPLIED


def walk(root: str, folder: str, known: FolderNames, *, deep: bool, start: str = "") -> Iterator[NamedEntry]:
    """Give what stands below a folder of the container: name from the container on, whether a directory.

    Left out: links, devices, names that XML cannot hold, and what directories hold that may not be read.
    ``deep``: directories are entered, too, but not those of which all names come before ``start``.
    """
    waiting = [folder]
    while waiting:
        above = waiting.pop()
        for name, is_directory in _entries(root, above, known):
            whole = f"{above}/{name}" if above else name
            yield whole, is_directory
            if is_directory and deep and start < f"{whole}0":  # the character after the slash
                waiting.append(whole)


def is_empty(root: str, folder: str, known: FolderNames) -> bool:
    """Tell whether a directory holds nothing that ``walk`` would give."""
    return not _entries(root, folder, known)


def _entries(root: str, folder: str, known: FolderNames) -> Sequence[NamedEntry]:
    with suppress(OSError), beneath.opened(root, folder.split("/") if folder else ()) as fd:
        return known.of(fd, lambda: (_read(fd), True))
    return ()


def _read(fd: int) -> list[NamedEntry]:
    found = []
    with os.scandir(fd) as scan:
        for entry in scan:
            is_directory = entry.is_dir(follow_symlinks=False)
            if is_presentable(entry.name) and (is_directory or entry.is_file(follow_symlinks=False)):
                found.append((entry.name, is_directory))
    return sorted(found)


def _enter(parent: int, name: str) -> int:
    try:
        return os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError as error:
        if error.errno in _NO_SUCH:
            raise FileNotFoundError(errno.ENOENT, "no such directory") from None
        raise


def _mismatch(parts: Sequence[str]) -> Exception:
    return failure(
        "ResourceTypeMismatch",
        f"'{'/'.join(parts)}' cannot be a blob and hold blobs at once: containers are folders here.",
    )
