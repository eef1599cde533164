"""Structured messages: bodies cut into segments with a CRC64 each (``XSM/1.0``; published clients, 2025).

A message is a header (version 1, length of the message, flags, number of segments), segments (number,
length, content, CRC64 of it) and a CRC64 of all content; numbers are little endian. Without the flag the
checksums are left out.
"""

from __future__ import annotations

import base64
import binascii
import struct
from typing import TYPE_CHECKING

from azure.storage.extensions.checksums import crc64

from batchai_scenario.emulator.storage.errors import StorageError, bad_header, failure

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from batchai_scenario.emulator.storage.call import Call

HEADER = "x-ms-structured-body"
LENGTH = "x-ms-structured-content-length"
CRC64 = "x-ms-content-crc64"
FORM = "XSM/1.0; properties=crc64"
"""The only form that clients send."""

SEGMENT = 4 * 1024 * 1024
"""Bytes in a segment of an answer, as clients cut theirs."""

_HEAD, _SEGMENT_HEAD, _CHECKSUM = struct.Struct("<BQHH"), struct.Struct("<HQ"), struct.Struct("<Q")
_CRC64 = 1


def is_asked(call: Call) -> bool:
    """Tell whether a request has a structured body, or wants one.

    Raises:
        StorageError: InvalidHeaderValue for another form.
    """
    text = call.headers.get(HEADER)
    if text is None:
        return False
    if text.replace(" ", "").lower() != FORM.replace(" ", "").lower():
        raise bad_header(HEADER, text)
    return True


def body_length(call: Call) -> int:
    """Give how many bytes of content the request's body holds.

    Raises:
        StorageError: MissingContentLengthHeader; MissingRequiredHeader for a structured body that does not
            say.
    """
    sent = call.length("content-length")
    if sent is None:
        raise failure("MissingContentLengthHeader")
    if not is_asked(call):
        return sent
    call.require(LENGTH)
    content = call.length(LENGTH)
    assert content is not None  # noqa: S101 - it was required
    return content


def echo(call: Call) -> dict[str, str]:
    """Repeat the header of a structured body in the answer: clients check it."""
    return {HEADER: call.headers[HEADER]} | _checksum(call) if HEADER in call.headers else _checksum(call)


def _checksum(call: Call) -> dict[str, str]:
    given = call.headers.get(CRC64)
    return {} if given is None else {CRC64: given}


def crc(data: bytes, before: int = 0) -> int:
    """Compute a CRC64 as storage does, going on from ``before``."""
    return int(crc64.compute(data, before))


def encode_crc64(value: int) -> str:
    """Write a CRC64 in base64, as headers have it."""
    return base64.b64encode(_CHECKSUM.pack(value)).decode()


def check_crc64(name: str, text: str, value: int) -> None:
    """Compare a CRC64 with one that a header gives in base64.

    Raises:
        StorageError: Crc64Mismatch, or InvalidHeaderValue if it is none.
    """
    try:
        given = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        given = b""
    if len(given) != _CHECKSUM.size:
        raise bad_header(name, text)
    if given != _CHECKSUM.pack(value):
        raise failure("Crc64Mismatch")


class Decoder:
    """Takes a message apart as it arrives."""

    def __init__(self, length: int) -> None:
        """Expect a message of ``length`` bytes."""
        self._length = length
        self._held = bytearray()
        self._reader = self._read()
        self._wanted = next(self._reader)
        self._content: list[bytes] = []
        self._whole = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the message and give the content in them.

        Raises:
            StorageError: Crc64Mismatch, or InvalidInput if it is no message.
        """
        self._held += data
        while self._wanted and len(self._held) >= self._wanted:
            piece = bytes(self._held[: self._wanted])
            del self._held[: self._wanted]
            self._pass(piece)
        if self._whole and self._held:
            raise _malformed("bytes follow its end")
        content = b"".join(self._content)
        self._content.clear()
        return content

    def finish(self) -> None:
        """Make sure that the message is complete; StorageError InvalidInput if it is not."""
        if not self._whole:
            raise _malformed("it ends too early")

    def _pass(self, piece: bytes) -> None:
        try:
            self._wanted = self._reader.send(piece)
        except StopIteration:
            self._whole, self._wanted = True, 0

    def _read(self) -> Generator[int, bytes, None]:
        version, length, flags, segments = _HEAD.unpack((yield _HEAD.size))
        if version != 1 or length != self._length or flags not in (0, _CRC64) or not segments:
            raise _malformed("its header is not one of version 1 for a body of this length")
        whole = 0
        for number in range(1, segments + 1):
            told, left = _SEGMENT_HEAD.unpack((yield _SEGMENT_HEAD.size))
            if told != number:
                raise _malformed(f"segment {told} stands where {number} should")
            own = 0
            while left:
                piece = yield min(left, 65536)
                left -= len(piece)
                if flags:
                    own, whole = crc(piece, own), crc(piece, whole)
                self._content.append(piece)
            if flags:
                _compare((yield _CHECKSUM.size), own)
        if flags:
            _compare((yield _CHECKSUM.size), whole)


def message_length(content: int) -> int:
    """Give the length of the message that ``encode`` makes of so many bytes of content."""
    segments = max(1, -(-content // SEGMENT))
    return _HEAD.size + segments * (_SEGMENT_HEAD.size + _CHECKSUM.size) + content + _CHECKSUM.size


def encode(chunks: Iterator[bytes], content: int) -> Iterator[bytes]:
    """Make a message of ``content`` bytes that come in chunks; shorter if they do."""
    segments = max(1, -(-content // SEGMENT))
    yield _HEAD.pack(1, message_length(content), _CRC64, segments)
    whole = 0
    waiting = b""
    for number in range(1, segments + 1):
        left = min(SEGMENT, content - (number - 1) * SEGMENT)
        yield _SEGMENT_HEAD.pack(number, left)
        own = 0
        while left:
            waiting = waiting or next(chunks, b"")
            if not waiting:
                return  # the file grew shorter: the client sees a broken transfer
            piece, waiting = waiting[:left], waiting[left:]
            left -= len(piece)
            own, whole = crc(piece, own), crc(piece, whole)
            yield piece
        yield _CHECKSUM.pack(own)
    yield _CHECKSUM.pack(whole)


def _compare(given: bytes, computed: int) -> None:
    if given != _CHECKSUM.pack(computed):
        raise failure("Crc64Mismatch")


def _malformed(reason: str) -> StorageError:
    return failure("InvalidInput", f"The body is not the structured message that it is said to be: {reason}.")
