"""Content of files: ranges, checksums, and the answer that streams a file."""

from __future__ import annotations

import asyncio
import base64
import binascii
import errno
import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response

from batchai_scenario.emulator.storage import structured
from batchai_scenario.emulator.storage.errors import bad_header, failure
from batchai_scenario.emulator.storage.numbers import is_number, read_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.types import Receive, Scope, Send

    from batchai_scenario.emulator.storage.call import Call

CHUNK = 256 * 1024
"""Bytes read from a file at a time: more does not make it faster, less does make it slower."""

MAX_RANGE = 4 * 1024 * 1024
"""Bytes in one Put Range, and in one range that is read with its MD5 (service)."""

_MD5_BYTES = 16
_GET_MD5, _GET_CRC64 = "x-ms-range-get-content-md5", "x-ms-range-get-content-crc64"


def requested_range(call: Call) -> tuple[int, int | None] | None:
    """Read ``x-ms-range``, else ``Range``: first byte and last (None: to the end); None if there is neither.

    Raises:
        StorageError: InvalidHeaderValue for anything but ``bytes=first-[last]``: the service knows neither
            suffixes nor several ranges.
    """
    for name in ("x-ms-range", "range"):
        text = call.headers.get(name)
        if text is not None:
            return parse_range(name, text)
    return None


def range_to_send(call: Call, seen: Mapping[str, str]) -> tuple[int, int | None] | None:
    """Read the range that a read asks for, as ``requested_range`` does; None if all is to be sent instead.

    All is sent if the content is not what ``If-Range`` names, an ETag or a time, any more (HTTP: who goes on
    with a broken download would else join the parts of two files).

    Args:
        call: The request.
        seen: ``etag`` and ``last-modified`` as the answer has them.
    """
    asked = requested_range(call)
    known = call.headers.get("if-range")
    return None if asked and known and known not in (seen["etag"], seen["last-modified"]) else asked


def parse_range(name: str, text: str) -> tuple[int, int | None]:
    """Read ``bytes=first-[last]`` from a header; StorageError InvalidHeaderValue for anything else."""
    unit, _, span = text.partition("=")
    first, dash, last = span.partition("-")
    if unit != "bytes" or not dash or not is_number(first) or not (last == "" or is_number(last)):
        raise bad_header(name, text)
    begin, end = read_number(first), read_number(last) if last else None
    if end is not None and end < begin:
        raise bad_header(name, text)
    return begin, end


def clip(asked: tuple[int, int | None], size: int) -> tuple[int, int]:
    """Cut a range at the end of a file.

    Raises:
        StorageError: InvalidRange (416), with ``Content-Range: bytes */<size>``, if it begins behind the end.
    """
    first, last = asked
    if first >= size:
        raise failure("InvalidRange", headers={"content-range": f"bytes */{size}"})
    return first, size - 1 if last is None else min(last, size - 1)


def _wants(call: Call, name: str, asked: tuple[int, int | None] | None, length: int) -> bool:
    if not call.flag(name):
        return False
    if asked is None:
        raise bad_header(name, call.headers[name])
    if length > MAX_RANGE:
        raise failure("OutOfRangeInput")
    return True


def decode_base64(text: str) -> bytes:
    """Read what is to be an MD5 of a file and is kept as it is (service): any base64.

    Raises:
        StorageError: InvalidMd5.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise failure("InvalidMd5") from None


def decode_md5(text: str) -> bytes:
    """Read an MD5 in base64.

    Raises:
        StorageError: InvalidMd5.
    """
    value = decode_base64(text)
    if len(value) != _MD5_BYTES:
        raise failure("InvalidMd5")
    return value


def encode_md5(digest: bytes) -> str:
    """Write an MD5 in base64."""
    return base64.b64encode(digest).decode()


def check_md5(call: Call, digest: bytes, header: str = "content-md5") -> None:
    """Compare the MD5 of a body with what a header of the request, if it is there, says that it is.

    Raises:
        StorageError: Md5Mismatch, InvalidMd5.
    """
    given = call.headers.get(header)
    if given is not None and decode_md5(given) != digest:
        raise failure("Md5Mismatch", UserSpecifiedMd5=given, ServerCalculatedMd5=encode_md5(digest))


def check_body(call: Call, data: bytes) -> None:
    """Compare a body that was read whole with the MD5 and the CRC64 that the request gives of it.

    Raises:
        StorageError: Md5Mismatch, InvalidMd5; Crc64Mismatch, InvalidHeaderValue.
    """
    if "content-md5" in call.headers:
        check_md5(call, hashlib.md5(data, usedforsecurity=False).digest())
    given = call.headers.get(structured.CRC64)
    if given is not None:
        structured.check_crc64(structured.CRC64, given, structured.crc(data))


def range_md5(fd: int, first: int, last: int) -> str:
    """Compute the MD5 of a range of at most 4 MiB, in base64."""
    data = os.pread(fd, last - first + 1, first)
    return encode_md5(hashlib.md5(data, usedforsecurity=False).digest())


def data_ranges(fd: int, first: int, last: int) -> Iterator[tuple[int, int]]:
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


class Checks(NamedTuple):
    """Which checksums an answer with content shall have."""

    md5: bool
    crc64: bool
    structured: bool

    @classmethod
    def read(cls, call: Call, asked: tuple[int, int | None] | None, first: int, last: int) -> Checks:
        """Read what a request asks for.

        Raises:
            StorageError: InvalidHeaderValue without a range, OutOfRangeInput if the range is over 4 MiB;
                InvalidHeaderValue for two checksums at once, or a form of message that nobody knows.
        """
        wanted = [_wants(call, name, asked, last - first + 1) for name in (_GET_MD5, _GET_CRC64)]
        if all(wanted):
            raise bad_header(_GET_CRC64, call.headers[_GET_CRC64])
        return cls(wanted[0], wanted[1], structured.is_asked(call))


def body(  # noqa: PLR0917 - an answer, and what it sends
    call: Call,
    status: int,
    headers: dict[str, str],
    fd: int,
    span: tuple[int, int],
    checks: Checks,
) -> Response:
    """Make the answer that sends a part of an open file, with its checksums; it closes ``fd``."""
    first, last = span
    length = last - first + 1
    if checks.md5:
        headers["content-md5"] = range_md5(fd, first, last)
    if checks.crc64:
        computed = structured.crc(os.pread(fd, length, first))
        headers[structured.CRC64] = structured.encode_crc64(computed)
    if not checks.structured:
        headers["content-length"] = str(length)
        return FileBody(call.answer(status, headers), fd, first, length)
    headers |= structured.echo(call) | {structured.LENGTH: str(length)}
    headers["content-length"] = str(structured.message_length(length))
    return MessageBody(call.answer(status, headers), fd, first, length)


class FileBody(Response):
    """Sends a part of an open file, chunk by chunk, and closes it.

    If the file grows shorter meanwhile, the connection is cut before the promised length: the client sees a
    broken transfer, never a short file.
    """

    _at_once = CHUNK

    def __init__(self, head: Response, fd: int, first: int, length: int) -> None:
        """Take status and headers from ``head``; ``fd`` is this object's to close."""
        self.background = None
        self.status_code = head.status_code
        self.raw_headers = head.raw_headers
        self._fd = fd
        self._first = first
        self._length = length

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; stop when the client has gone."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        try:
            await send(start)
            if self._length > self._at_once:
                gone = asyncio.ensure_future(_disconnected(receive))
                try:
                    await self._send_chunks(self._fd, send, gone)
                finally:
                    gone.cancel()
            else:
                await self._send_last(self._fd, send, self._first, self._length)
        finally:
            os.close(self._fd)

    async def _send_chunks(self, fd: int, send: Send, gone: asyncio.Future[None]) -> None:
        position, left = self._first, self._length
        while left > CHUNK:
            chunk = os.pread(fd, CHUNK, position)
            if not chunk:
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            # A server drops what it cannot send, and need not wait for that: without this turn of the loop
            # the rest of a file would be read for nobody, and nobody else would be served meanwhile.
            await asyncio.sleep(0)
            if gone.done():
                return
            position += len(chunk)
            left -= len(chunk)
        await self._send_last(fd, send, position, left)

    @staticmethod
    async def _send_last(fd: int, send: Send, position: int, length: int) -> None:
        chunk = os.pread(fd, length, position)
        if len(chunk) == length:
            await send({"type": "http.response.body", "body": chunk, "more_body": False})


class MessageBody(FileBody):
    """Sends a part of an open file as a structured message."""

    _at_once = -1

    async def _send_chunks(self, fd: int, send: Send, gone: asyncio.Future[None]) -> None:
        left = structured.message_length(self._length)
        for piece in structured.encode(self._pieces(fd), self._length):
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
            await asyncio.sleep(0)
            if gone.done():
                return

    def _pieces(self, fd: int) -> Iterator[bytes]:
        position, end = self._first, self._first + self._length
        while position < end:
            piece = os.pread(fd, min(CHUNK, end - position), position)
            if not piece:
                return
            yield piece
            position += len(piece)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
