# ruff: noqa: PTH101, PTH208 - names below an open folder, never paths
"""Work below a folder that a job may write, on this machine, without ever following a path of the job's.

A job owns what is below its mounts, and may swap any folder there for a link between two of our system calls.
So nothing here is reached by a path: a folder is opened from the folder above it, by its name alone and only
if it is a folder (``O_NOFOLLOW | O_DIRECTORY``), and then worked in by its descriptor. Whatever is swapped
meanwhile, each call touches what stands below the opened folder, or fails.

Descriptors are few however deep a tree is: two to remove one, two to walk one.
"""

from __future__ import annotations

import errno
import os
import stat as modes
import uuid
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a folder is opened: never through a link."""

NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What the kernel says where a folder was expected and a link, a file or nothing stands."""

_OWNERS = 0o700
_ATTEMPTS = 16
_CHANGED = (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST)
_DEPTH = 1024  # levels that a walk goes down; the service knows 250


@dataclass(frozen=True, slots=True)
class Walked:
    """A folder on a walk: its parts below the top, its descriptor, open until the walk goes on, its names."""

    parts: tuple[str, ...]
    fd: int
    names: list[str]


@contextmanager
def opened(top: str | os.PathLike[str], parts: Sequence[str] = ()) -> Iterator[int]:
    """Open a folder of ours, or one below it, part by part.

    Args:
        top: a folder whose own path no job can change; links in it are the user's and followed.
        parts: names below it, which a job may have changed.

    Raises:
        OSError: one of NO_FOLDER if there is no such folder.
    """
    fd = descend(os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), parts)
    try:
        yield fd
    finally:
        os.close(fd)


def descend(fd: int, parts: Sequence[str]) -> int:
    """Go down from an open folder, which is closed here; the last one's descriptor is the caller's."""
    try:
        for part in parts:
            below = os.open(part, FOLDER, dir_fd=fd)
            os.close(fd)
            fd = below
    except BaseException:
        os.close(fd)
        raise
    return fd


def put_folders(fd: int, parts: Sequence[str], mode: int = 0o755, *, replace: bool = True) -> int:
    """Go down as ``descend``, making the folders that are not there.

    Args:
        fd: an open folder, closed here.
        parts: names below it.
        mode: of what is made, less the umask.
        replace: whether what is no folder and stands in the way is removed.

    Raises:
        OSError: the disk refuses; one of NO_FOLDER if something is in the way, again and again if it was
            to be replaced.
    """
    try:
        for part in parts:
            below = _put_folder(fd, part, mode, _ATTEMPTS if replace else 1)
            os.close(fd)
            fd = below
    except BaseException:
        os.close(fd)
        raise
    return fd


def _put_folder(fd: int, name: str, mode: int, attempts: int) -> int:
    for attempt in range(attempts):
        with suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=fd)
        try:
            return os.open(name, FOLDER, dir_fd=fd)
        except OSError as error:
            if error.errno not in NO_FOLDER or attempt == attempts - 1:
                raise
        with suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(name, dir_fd=fd)
    raise AssertionError(attempts)


def open_file(name: str, fd: int, flags: int) -> int:
    """Open a regular file of an open folder: not through a link, and never a FIFO or device, even to look.

    Raises:
        FileNotFoundError: it does not exist, or is no regular file.
    """
    found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        if not modes.S_ISREG(os.fstat(found).st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a regular file", name)
        return os.open(f"/proc/self/fd/{found}", flags | os.O_CLOEXEC)
    finally:
        os.close(found)


def read_file(folder: str | os.PathLike[str], name: str, limit: int) -> bytes:
    """Read the last ``limit`` bytes of a regular file in a folder of a job's that stands in one of ours.

    Raises:
        FileNotFoundError: it does not exist, or is no regular file.
    """
    above, last = os.path.split(folder)
    with opened(above, (last,)) as fd, open(open_file(name, fd, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
        return file.read(limit)


def set_mode(fd: int, mode: int) -> None:
    """Change the mode of what is open, with ``O_PATH`` too."""
    os.chmod(f"/proc/self/fd/{fd}", mode)


def set_folder_mode(name: str, fd: int, mode: int) -> None:
    """Change the mode of a folder in an open folder; OSError, one of NO_FOLDER, if it is none (any more)."""
    found = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        set_mode(found, mode)
    finally:
        os.close(found)


def remove(name: str, fd: int) -> None:
    """Remove what has this name in an open folder, with everything below it; no-op if there is nothing.

    Links are removed and not followed; folders of other file systems are left. A tree of any depth goes.

    Raises:
        OSError: the first thing that could not be removed; everything else is gone then.
    """
    for _ in range(_ATTEMPTS):
        problem = _try_to_remove(name, fd)
        if problem is None:
            return
        if problem.errno not in _CHANGED:
            raise problem
    raise OSError(errno.ENOTEMPTY, "something is put there again and again", name)


def _try_to_remove(name: str, fd: int) -> OSError | None:
    """Remove a file or folder; give what kept it, one of _CHANGED if it became something else meanwhile."""
    try:
        os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        return None
    except (IsADirectoryError, PermissionError) as refused:  # POSIX calls an unlinked folder EPERM
        return _remove_folder(name, fd, refused)
    return None


def remove_path(path: str | os.PathLike[str]) -> None:
    """Remove what a path of ours names, as ``remove``; its last component alone may be a job's."""
    folder, name = os.path.split(path)
    with suppress(FileNotFoundError), opened(folder) as fd:
        remove(name, fd)


def _remove_folder(name: str, fd: int, refused: OSError) -> OSError | None:
    try:
        top = _unlocked(name, fd)
    except OSError as error:
        return refused if error.errno == errno.ENOTDIR and refused.errno == errno.EACCES else error
    try:
        problem = _empty(top)
    finally:
        os.close(top)
    try:
        os.rmdir(name, dir_fd=fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        return problem or error
    return None


def _empty(top: int) -> OSError | None:
    """Empty a folder; what is nested in its folders is moved up into it first, so no depth is too deep."""
    problem: OSError | None = None
    device = os.fstat(top).st_dev
    waiting = deque(os.listdir(top))
    while waiting:
        name = waiting.popleft()
        try:
            if _is_gone(name, top):
                continue
            folder = _unlocked(name, top)
        except FileNotFoundError:
            continue
        except OSError as error:
            problem = problem or error
            continue
        try:
            if os.fstat(folder).st_dev == device:
                problem = _lift(folder, top, waiting) or problem
        finally:
            os.close(folder)
        try:
            os.rmdir(name, dir_fd=top)
        except FileNotFoundError:
            continue
        except OSError as error:
            problem = problem or error
    return problem


def _lift(folder: int, top: int, waiting: deque[str]) -> OSError | None:
    """Empty one folder of the top: its files go, its folders that hold something move up."""
    problem: OSError | None = None
    for name in os.listdir(folder):
        lifted = f".{uuid.uuid4().hex}"
        try:
            if not _is_gone(name, folder):
                os.close(_unlocked(name, folder))
                os.rename(name, lifted, src_dir_fd=folder, dst_dir_fd=top)
                waiting.append(lifted)
        except OSError as error:
            problem = problem or (None if error.errno == errno.ENOENT else error)
    return problem


def _is_gone(name: str, fd: int) -> bool:
    """Remove a file, a link or an empty folder; False for a folder that holds something."""
    try:
        os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        return True
    except (IsADirectoryError, PermissionError):
        try:
            os.rmdir(name, dir_fd=fd)
        except FileNotFoundError:
            return True
        except OSError:
            return False
    return True


def _unlocked(name: str, fd: int) -> int:
    """Open a folder that is to be emptied; one of ours whose mode is in the way gets another first."""
    found = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        status = os.fstat(found)
        mode = modes.S_IMODE(status.st_mode)
        if mode & _OWNERS != _OWNERS and status.st_uid == os.geteuid():
            set_mode(found, mode | _OWNERS)
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(found)


def walk(top: int) -> Iterator[Walked]:
    """Walk an open folder and everything below it, each folder before those in it.

    Links are named and not followed; a folder is entered once, however it is met again; one that vanished
    or may not be read is left out, and so is what lies deeper than 1024 folders.
    """
    waiting: deque[tuple[str, ...]] = deque([()])
    entered: set[tuple[int, int]] = set()
    while waiting:
        parts = waiting.popleft()
        try:
            fd = descend(os.dup(top), parts)
        except OSError as error:
            if error.errno in (*NO_FOLDER, errno.EACCES):
                continue
            raise
        try:
            status = os.fstat(fd)
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            names = sorted(os.listdir(fd))
            yield Walked(parts, fd, names)
            if len(parts) < _DEPTH:
                waiting.extend((*parts, name) for name in names if _is_folder(name, fd))
        finally:
            os.close(fd)


def _is_folder(name: str, fd: int) -> bool:
    status = look(name, fd)
    return status is not None and modes.S_ISDIR(status.st_mode)


def look(name: str, fd: int) -> os.stat_result | None:
    """Give the status of what has this name in an open folder, of a link its own; None if it is not there."""
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except OSError:
        return None


def look_below(top: int, parts: Sequence[str]) -> os.stat_result | None:
    """Give the status of what stands at a path below an open folder, no link followed; None if nothing."""
    try:
        fd = descend(os.dup(top), parts[:-1])
    except OSError:
        return None
    try:
        return look(parts[-1], fd)
    finally:
        os.close(fd)
