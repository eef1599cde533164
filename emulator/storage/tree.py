# ruff: noqa: PTH115, PTH116 - paths on the way of every request are plain strings and descriptors
"""Directories and files of one share, found safely and without regard to case.

A share is an ordinary folder, and whatever runs in a job may put anything there: symbolic links that climb
out, FIFOs, devices. So nothing is opened for its content before it is known to lie below the share: a path is
first opened with ``O_PATH``, which touches nothing, and the kernel then says where it really is.

Azure Files ignores case and keeps it; a Linux folder minds it. An exact name wins; else the first name that
differs in case only, in sorted order, is the one that is meant.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.errors import failure
from batchai_scenario.emulator.storage.names import check_new_name, is_presentable

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
    """

    root: str
    fd: int
    path: str
    stat: os.stat_result

    @property
    def is_directory(self) -> bool:
        """Tell a directory from a file."""
        return modes.S_ISDIR(self.stat.st_mode)

    @property
    def parent_inode(self) -> int:
        """Give the number of the directory that it stands in; 0 for the share itself."""
        return os.stat(f"{self.root}/{self.path.rpartition('/')[0]}").st_ino if self.path else 0

    def open(self, flags: int) -> int:
        """Open it for its content: a descriptor that the caller closes."""
        return os.open(f"/proc/self/fd/{self.fd}", flags | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        os.close(self.fd)


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of a directory: ``size`` in bytes, 0 for a directory; ``modified`` in ns since 1970."""

    name: str
    is_directory: bool
    size: int
    modified: int
    inode: int
    stat: os.stat_result


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
        fd = _touch(root, parts)
    except FileNotFoundError:
        spelled = _spelled(root, parts)
        if spelled is None:
            raise
        fd = _touch(root, spelled)
    try:
        real = os.readlink(f"/proc/self/fd/{fd}")
        found = Found(root, fd, real[len(root) + 1 :], os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    inside = real == root or real.startswith(root + "/")
    if not (inside and (modes.S_ISREG(found.stat.st_mode) or found.is_directory)):
        os.close(fd)
        raise FileNotFoundError(errno.ENOENT, "outside the share, or neither file nor directory")
    return found


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


def make_file(root: str, parts: Sequence[str]) -> tuple[int, str, bool]:
    """Open a file for writing, made if it does not exist; what exists keeps its content and its spelling.

    Returns:
        A descriptor (read and write) that the caller closes, the true path, and whether it was made.

    Raises:
        StorageError: ParentNotFound, InvalidResourceName, or ResourceTypeMismatch if it is no file.
    """
    with _parent(root, parts) as parent:
        name = _spelling(parent.open(os.O_RDONLY), parts[-1])
        if name is None:
            check_new_name(parts[-1])
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(parts[-1], flags, MODE, dir_fd=parent.fd)
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
        os.chmod(parts[-1], MODE, dir_fd=parent.fd)
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


def entries(directory: Found, prefix: str = "") -> list[tuple[str, bool]]:
    """List a directory as (name, whether it is a directory), sorted by name without regard to case.

    Left out: what ``find`` would not find, and names that cannot be written in XML.
    """
    start = prefix.lower()
    names: list[tuple[str, bool]] = []
    fd = directory.open(os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(fd) as scan:
            for entry in scan:
                name = entry.name
                if (start and not name.lower().startswith(start)) or not is_presentable(name):
                    continue
                if entry.is_symlink() and not _stays(directory.root, _below(directory.path, name)):
                    continue
                is_directory = entry.is_dir()
                if is_directory or entry.is_file():
                    names.append((name, is_directory))
    finally:
        os.close(fd)
    names.sort(key=lambda item: (item[0].lower(), item[0]))
    return names


def describe(directory: Found, names: Sequence[tuple[str, bool]]) -> list[Listed]:
    """Add size and time to entries; those that vanished meanwhile are left out."""
    listed = []
    for name, is_directory in names:
        try:
            status = os.stat(name, dir_fd=directory.fd)
        except OSError:
            continue
        size = 0 if is_directory else status.st_size
        listed.append(Listed(name, is_directory, size, status.st_mtime_ns, status.st_ino, status))
    return listed


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


def _stays(root: str, path: str) -> bool:
    """Tell whether a link leads to something that exists below the share."""
    try:
        return os.path.realpath(f"{root}/{path}", strict=True).startswith(root + "/")
    except OSError:
        return False


def _below(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def _touch(root: str, parts: Sequence[str], flags: int = os.O_PATH) -> int:
    """Open a path, links followed; what cannot be reached because links go in a circle does not exist."""
    try:
        return os.open("/".join((root, *parts)), flags | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileNotFoundError(errno.ENOENT, "links in a circle") from None
        raise


def _spelled(root: str, parts: Sequence[str]) -> list[str] | None:
    """Spell a path as it stands on disk; None if there is no such path in any spelling."""
    spelled: list[str] = []
    for part in parts:
        try:
            fd = _touch(root, spelled, os.O_RDONLY | os.O_DIRECTORY)
        except _GONE:
            return None
        name = _spelling(fd, part)
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
            folded = name.lower()
            with os.scandir(directory) as scan:
                return min((entry.name for entry in scan if entry.name.lower() == folded), default=None)
        return name
    finally:
        os.close(directory)
