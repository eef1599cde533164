"""Operations on ranges of a file: write, clear, list."""

from __future__ import annotations

import base64
import ctypes
import errno
import os
from functools import cache
from typing import TYPE_CHECKING

from emulator.storage import tree
from emulator.storage.call import XML, document, element, stamps
from emulator.storage.content import CHUNK, MAX_RANGE, clip, decode_md5, requested_range
from emulator.storage.errors import bad_header, failure
from emulator.storage.file_operations import read, save
from emulator.storage.records import entity_tag
from emulator.storage.uploads import receive, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from emulator.storage.call import Call, Context

_KEEP_SIZE_PUNCH_HOLE = 0x01 | 0x02


async def put_range(context: Context, call: Call) -> Response:
    """Write (``x-ms-write: update``) or clear a range.

    The body is streamed into a file beside the shares and copied into place when it has arrived whole and
    its MD5 fits, in one step as far as clients of this service can see: after a broken upload the file is as
    it was.
    """
    root = context.shares.root(call.account.name, call.share)
    write = call.headers.get("x-ms-write", "").lower()
    if write not in ("update", "clear"):
        raise (
            failure("MissingRequiredHeader", HeaderName="x-ms-write")
            if not write
            else bad_header("x-ms-write", write)
        )
    asked = requested_range(call)
    if asked is None or asked[1] is None:
        raise failure("MissingRequiredHeader", HeaderName="x-ms-range")
    first, last = asked[0], asked[1]
    with tree.find_file(root, call.parts) as found:
        read(context, call, found)
        _check_inside(last, found.stat.st_size)
    if write == "clear":
        if call.length("content-length"):
            raise bad_header("content-length", call.headers["content-length"])
        return _commit(context, call, None, first, last)
    _check_length(call, last - first + 1)
    with context.drafts.take() as draft:
        digest = await receive(call.request, draft, last - first + 1)
        computed = base64.b64encode(digest).decode()
        given = call.headers.get("content-md5")
        if given is not None and decode_md5(given) != digest:
            raise failure("Md5Mismatch", UserSpecifiedMd5=given, ServerCalculatedMd5=computed)
        return _commit(context, call, draft, first, last, md5=computed)


async def list_ranges(context: Context, call: Call) -> Response:
    """List the ranges that hold data, as the file system knows them: in whole blocks, often of 4 KiB."""
    root = context.shares.root(call.account.name, call.share)
    asked = requested_range(call)
    with tree.find_file(root, call.parts) as found:
        record, _ = read(context, call, found)
        size = found.stat.st_size
        start, end = (0, size - 1) if asked is None else clip(asked, size)
        fd = found.open(os.O_RDONLY | os.O_NONBLOCK)
        try:
            ranges = list(_data(fd, start, end))
        finally:
            os.close(fd)
        headers = stamps(entity_tag(found.stat, record.changed), max(record.changed, found.stat.st_mtime_ns))
    rows = "".join(
        f"<Range>{element('Start', str(first))}{element('End', str(last))}</Range>" for first, last in ranges
    )
    body = document(f"<Ranges>{rows}</Ranges>" if rows else "<Ranges />")
    return call.answer(200, headers | {"x-ms-content-length": str(size)}, body, content_type=XML)


def _check_inside(last: int, size: int) -> None:
    if last >= size:
        raise failure("InvalidRange", headers={"content-range": f"bytes */{size}"})


def _check_length(call: Call, length: int) -> None:
    sent = call.length("content-length")
    if sent is None:
        raise failure("MissingContentLengthHeader")
    if sent > MAX_RANGE or length > MAX_RANGE:
        raise failure("RequestBodyTooLarge", MaxLimit=str(MAX_RANGE))
    if sent != length:
        raise bad_header("content-length", str(sent))
    if "content-md5" in call.headers:
        decode_md5(call.headers["content-md5"])


def _commit(
    context: Context, call: Call, draft: int | None, first: int, last: int, *, md5: str = ""
) -> Response:
    """Put the draft, or zeros, into the file. Nothing else of this service runs meanwhile."""
    root = context.shares.root(call.account.name, call.share)
    with tree.find_file(root, call.parts) as found:
        record, _ = read(context, call, found)
        _check_inside(last, found.stat.st_size)
        fd = found.open(os.O_RDWR)
        try:
            if draft is None:
                _clear(fd, first, last - first + 1)
            else:
                _copy(draft, fd, first, last - first + 1)
        finally:
            os.close(fd)
        headers = save(context, call, found, record)
    if md5:
        headers["content-md5"] = md5
    return call.answer(201, headers | {"x-ms-request-server-encrypted": "true"})


def _copy(source: int, target: int, offset: int, length: int) -> None:
    done = 0
    try:
        while done < length:
            done += os.copy_file_range(source, target, length - done, done, offset + done)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        while done < length:
            chunk = os.pread(source, min(CHUNK, length - done), done)
            write(target, chunk, offset + done)
            done += len(chunk)


def _clear(fd: int, offset: int, length: int) -> None:
    """Free the blocks of a range and fill its ends with zeros; write zeros where holes are not to be had."""
    code = _fallocate()(fd, _KEEP_SIZE_PUNCH_HOLE, offset, length)
    if code == 0:
        os.utime(fd)
        return
    zeros = bytes(CHUNK)
    for first, last in list(_data(fd, offset, offset + length - 1)):
        for position in range(first, last + 1, CHUNK):
            write(fd, zeros[: last + 1 - position], position)


def _data(fd: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Give the parts of a range that are not holes, as (first byte, last byte)."""
    position = first
    while position <= last:
        try:
            position = os.lseek(fd, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        if position > last:
            return
        end = os.lseek(fd, position, os.SEEK_HOLE)
        yield position, min(end - 1, last)
        position = end


@cache
def _fallocate() -> ctypes._FuncPointer:
    """Give the C library's fallocate, which Python does not offer with its modes."""
    function = ctypes.CDLL(None).fallocate
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    function.restype = ctypes.c_int
    return function
