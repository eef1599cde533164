# ruff: noqa: PTH115, PTH116 - paths on the way of every request are plain strings and descriptors
"""Directories and files of one share, found safely and without regard to case.

A share is an ordinary folder, and whatever runs in a job may put anything there: symbolic links that climb
out, FIFOs, devices, and swap them at any moment. So nothing is opened for its content before it is known to
lie below the share: a path is first opened with ``O_PATH``, which touches nothing, and the kernel then says
where it really is. From then on it is that descriptor that is read, listed and changed, never its path again.

Azure Files ignores case and keeps it; a Linux folder minds it. An exact name wins; else the first name that
differs in case only, in sorted order, is the one that is meant.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.emulator.state import beneath
from batchai_scenario.emulator.storage.errors import failure
from batchai_scenario.emulator.storage.names import check_new_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

MODE = 0o777
"""Mode of new files and directories: a mounted share shows 0777 to every user of a job (``fileMode`` and
``directoryMode`` of the mount), whoever made them. The home folder itself is its owner's only."""

_GONE = (FileNotFoundError, NotADirectoryError)


@dataclass(slots=True)
class Found:
    """A file or directory that exists below the share, held by an ``O_PATH`` descriptor until it is closed.

    ``path`` is its true path below ``root``: on-disk spelling, links resolved; empty for the share itself.
    ``way``: the path by which it was found, links not resolved.
    """

    root: str
    fd: int
    path: str
    stat: os.stat_result
    way: Sequence[str] = ()

    @property
    def is_directory(self) -> bool:
        """Tell a directory from a file."""
        return modes.S_ISDIR(self.stat.st_mode)

    @property
    def parent_inode(self) -> int:
        """Give the number of the directory that it stands in; 0 for the share itself."""
        status = status_of(self.root, self.path.split("/")[:-1]) if self.path else None
        return status.st_ino if status else 0

    def open(self, flags: int) -> int:
        """Open it for its content: a descriptor that the caller closes."""
        return os.open(f"/proc/self/fd/{self.fd}", flags | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        os.close(self.fd)


def find(root: str, parts: Sequence[str]) -> Found:
    """Find a directory or regular file.

    Args:
        root: The share's folder, with links resolved.
        parts: Components below it, checked by ``split_path``.

    Raises:
        FileNotFoundError: it does not exist, climbs out of the share, or is neither directory nor file.
        NotADirectoryError: a component before the last is no directory.
    """
    try:
        return _hold(root, parts)
    except FileNotFoundError:
        spelled = _spelled(root, parts)
        if spelled is None:
            raise
    return _hold(root, spelled)


def find_file(root: str, parts: Sequence[str]) -> Found:
    """Find a file.

    Raises:
        StorageError: ParentNotFound, ResourceNotFound (also if it is a directory).
    """
    try:
        found = find(root, parts)
    except _GONE:
        raise failure(_which_is_missing(root, parts)) from None
    if found.is_directory:
        os.close(found.fd)
        raise failure("ResourceNotFound")
    return found


def find_directory(root: str, parts: Sequence[str]) -> Found:
    """Find a directory; no parts: the share's own.

    Raises:
        StorageError: ParentNotFound, ResourceNotFound (also if it is a file).
    """
    try:
        found = find(root, parts)
    except _GONE:
        raise failure(_which_is_missing(root, parts)) from None
    if not found.is_directory:
        os.close(found.fd)
        raise failure("ResourceNotFound")
    return found


def make_file(root: str, parts: Sequence[str], *, is_new: bool = False) -> tuple[int, str, bool]:
    """Open a file for writing, made if it does not exist; what exists keeps its content and its spelling.

    ``is_new``: the caller has just seen that there is none in any spelling, and need not look again: that
    takes the longer, the more the directory holds.

    Returns:
        A descriptor (read and write) that the caller closes, the true path, and whether it was made.

    Raises:
        StorageError: ParentNotFound, InvalidResourceName, or ResourceTypeMismatch if it is no file.
    """
    with _parent(root, parts) as parent:
        name = None if is_new else _spelling(parent.open(os.O_RDONLY), parts[-1])
        if name is None:
            check_new_name(parts[-1])
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                fd = os.open(parts[-1], flags, MODE, dir_fd=parent.fd)
            except FileExistsError:  # a job was quicker
                return make_file(root, parts)
            os.fchmod(fd, MODE)
            return fd, _below(parent.path, parts[-1]), True
        try:
            found = find(root, (*parent.path.split("/"), name) if parent.path else (name,))
        except _GONE:
            raise failure("ResourceTypeMismatch") from None
    with found:
        if found.is_directory:
            raise failure("ResourceTypeMismatch")
        return found.open(os.O_RDWR), found.path, False


def make_directory(root: str, parts: Sequence[str]) -> str:
    """Make a directory and give its true path.

    Raises:
        StorageError: ParentNotFound, InvalidResourceName, ResourceAlreadyExists if it exists in any
            spelling, ResourceTypeMismatch if a file does.
    """
    with _parent(root, parts) as parent:
        name = _spelling(parent.open(os.O_RDONLY), parts[-1])
        if name is not None:
            mode = os.stat(name, dir_fd=parent.fd, follow_symlinks=False).st_mode
            raise failure("ResourceTypeMismatch" if modes.S_ISREG(mode) else "ResourceAlreadyExists")
        check_new_name(parts[-1])
        os.mkdir(parts[-1], MODE, dir_fd=parent.fd)
        with suppress(OSError):  # a job may have put something else there already
            beneath.set_folder_mode(parts[-1], parent.fd, MODE)
        return _below(parent.path, parts[-1])


def remove(root: str, parts: Sequence[str], *, directory: bool) -> str:
    """Remove a file, or an empty directory, and give its true path. A link is removed, not what it names.

    Raises:
        StorageError: ParentNotFound, ResourceNotFound, ResourceTypeMismatch, DirectoryNotEmpty.
    """
    with _parent(root, parts) as parent:
        name = _spelling(parent.open(os.O_RDONLY), parts[-1])
        if name is None:
            raise failure("ResourceNotFound")
        is_directory = modes.S_ISDIR(os.stat(name, dir_fd=parent.fd, follow_symlinks=False).st_mode)
        if is_directory != directory:
            raise failure("ResourceTypeMismatch")
        try:
            if directory:
                os.rmdir(name, dir_fd=parent.fd)
            else:
                os.unlink(name, dir_fd=parent.fd)
        except FileNotFoundError:
            raise failure("ResourceNotFound") from None
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise failure("DirectoryNotEmpty") from None
            raise
        return _below(parent.path, name)


def rename(root: str, source: Sequence[str], target: Sequence[str], *, directory: bool) -> tuple[str, str]:
    """Rename a file or directory, and give its true paths before and after. A file at the target is replaced.

    Raises:
        StorageError: ParentNotFound, ResourceNotFound, ResourceTypeMismatch, InvalidResourceName, and
            ResourceAlreadyExists if a directory is at the target.
    """
    with _parent(root, source) as old, _parent(root, target) as new:
        name = _spelling(old.open(os.O_RDONLY), source[-1])
        if name is None:
            raise failure("ResourceNotFound")
        status = os.stat(name, dir_fd=old.fd, follow_symlinks=False)
        if modes.S_ISDIR(status.st_mode) != directory:
            raise failure("ResourceTypeMismatch")
        there = _spelling(new.open(os.O_RDONLY), target[-1])
        spelled = target[-1]
        if there is not None:
            taken = os.stat(there, dir_fd=new.fd, follow_symlinks=False)
            same = (taken.st_dev, taken.st_ino) == (status.st_dev, status.st_ino)
            if not same and modes.S_ISDIR(taken.st_mode):
                raise failure("ResourceAlreadyExists")
            if not same and directory:
                os.unlink(there, dir_fd=new.fd)  # no system call replaces a file by a directory
            spelled = spelled if same else there
        else:
            check_new_name(spelled)
        os.rename(name, spelled, src_dir_fd=old.fd, dst_dir_fd=new.fd)
        return _below(old.path, name), _below(new.path, spelled)


def _parent(root: str, parts: Sequence[str]) -> Found:
    try:
        found = find(root, parts[:-1])
    except _GONE:
        raise failure("ParentNotFound") from None
    if not found.is_directory:
        os.close(found.fd)
        raise failure("ParentNotFound")
    return found


def _which_is_missing(root: str, parts: Sequence[str]) -> str:
    if len(parts) > 1:
        try:
            with find(root, parts[:-1]) as parent:
                return "ResourceNotFound" if parent.is_directory else "ParentNotFound"
        except _GONE:
            return "ParentNotFound"
    return "ResourceNotFound"


def put(root: str, parts: Sequence[str], draft: str) -> str:
    """Put a file of ours, on the share's file system, in the place of one of the share; give its true path.

    Raises:
        FileNotFoundError: a directory on the way is gone.
        StorageError: ResourceTypeMismatch if a directory stands there.
        OSError: EXDEV if the share lies on another file system.
    """
    with _hold(root, parts[:-1]) as parent:
        try:
            os.rename(draft, parts[-1], dst_dir_fd=parent.fd)
        except IsADirectoryError:
            raise failure("ResourceTypeMismatch") from None
        return _below(parent.path, parts[-1])


def status_of(root: str, parts: Sequence[str]) -> os.stat_result | None:
    """Look at a directory or regular file of the share; None if there is none."""
    try:
        if not parts:
            return os.stat(root)
        with _hold(root, parts) as found:
            return found.stat
    except OSError:
        return None


def _below(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def _hold(root: str, parts: Sequence[str]) -> Found:
    """Find by the exact spelling; FileNotFoundError for what is outside, or neither directory nor file."""
    fd = _touch(root, parts)
    try:
        real = os.readlink(f"/proc/self/fd/{fd}")
        found = Found(root, fd, real[len(root) + 1 :], os.fstat(fd), parts)
    except BaseException:
        os.close(fd)
        raise
    inside = real == root or real.startswith(root + "/")
    if not (inside and (modes.S_ISREG(found.stat.st_mode) or found.is_directory)):
        os.close(fd)
        raise FileNotFoundError(errno.ENOENT, "outside the share, or neither file nor directory")
    return found


def _touch(root: str, parts: Sequence[str]) -> int:
    """Open a path, links followed; what cannot be reached because links go in a circle does not exist."""
    try:
        return os.open("/".join((root, *parts)), os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileNotFoundError(errno.ENOENT, "links in a circle") from None
        raise


def _spelled(root: str, parts: Sequence[str]) -> list[str] | None:
    """Spell a path as it stands on disk; None if there is no such path in any spelling."""
    spelled: list[str] = []
    for part in parts:
        try:
            with _hold(root, spelled) as above:
                name = _spelling(above.open(os.O_RDONLY | os.O_DIRECTORY), part)
        except _GONE:
            return None
        if name is None:
            return None
        spelled.append(name)
    return spelled


def _spelling(directory: int, name: str) -> str | None:
    """Find a name in a directory, whose descriptor is closed here; None if there is none in any case."""
    try:
        try:
            os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            folded, names = name.lower(), os.listdir(directory)
            if folded not in map(str.lower, names):  # by far the most frequent case, and the quickest way
                return None
            return min(other for other in names if other.lower() == folded)
        return name
    finally:
        os.close(directory)
