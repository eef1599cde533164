"""Clearing and reserving parts of files, which Python does not offer."""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache

from batchai_scenario.emulator.storage.content import CHUNK, data_ranges
from batchai_scenario.emulator.storage.uploads import write

_KEEP_SIZE = 0x01
_KEEP_SIZE_PUNCH_HOLE = 0x01 | 0x02
_UNKNOWN = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def clear(fd: int, offset: int, length: int) -> None:
    """Free the blocks of a range and fill its ends with zeros; write zeros where holes are not to be had."""
    code = _fallocate()(fd, _KEEP_SIZE_PUNCH_HOLE, offset, length)
    if code == 0:
        os.utime(fd)
        return
    zeros = bytes(CHUNK)
    for first, last in list(data_ranges(fd, offset, offset + length - 1)):
        for position in range(first, last + 1, CHUNK):
            write(fd, zeros[: last + 1 - position], position)


@cache
def _fallocate() -> ctypes._FuncPointer:
    """Give the C library's fallocate, which Python does not offer with its modes."""
    function = ctypes.CDLL(None, use_errno=True).fallocate
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    function.restype = ctypes.c_int
    return function


def reserve(fd: int, offset: int, length: int) -> None:
    """Get the blocks of a range before anything is written there, so that a full disk changes nothing.

    Raises:
        OSError: the disk is full. (A file system that reserves nothing is left to find out when it is
            written.)
    """
    if length and _fallocate()(fd, _KEEP_SIZE, offset, length) != 0:
        code = ctypes.get_errno()
        if code not in _UNKNOWN:
            raise OSError(code, os.strerror(code))
