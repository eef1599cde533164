"""Bodies on their way in: streamed to a draft on disk, hashed beside it, never held whole."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import structured
from batchai_scenario.emulator.storage.errors import bad_header

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.slots import Slot

_STEP = 128 * 1024
"""Bytes that are worth a thread; fewer are hashed where they are."""

_BLOCK = 512 * 1024
"""Bytes hashed at a time: the smaller, the more often the thread and the event loop wait for each other."""

_KEPT = 4
"""Drafts kept for the next body: writing over old blocks costs a fifth of getting new ones."""


class Drafts:
    """Files for bodies on their way in, and the notes about them; used on one event loop."""

    def __init__(self, make: Callable[[], Slot], discard: Callable[[Slot], None]) -> None:
        """Take new slots from ``make``, and give them to ``discard`` when they are not needed any more."""
        self._make = make
        self._discard = discard
        self._free: list[Slot] = []

    @contextmanager
    def take(self) -> Iterator[Slot]:
        """Lend a slot. What its draft holds beyond what the borrower wrote is old: never read that."""
        slot = self._free.pop() if self._free else self._make()
        try:
            yield slot
        finally:
            if len(self._free) < _KEPT:
                self._free.append(slot)
            else:
                self._discard(slot)

    def close(self) -> None:
        """Close the slots that are kept."""
        while self._free:
            self._discard(self._free.pop())

    def __del__(self) -> None:
        self.close()


@asynccontextmanager
async def receiving(call: Call, draft: int, length: int, *, crc64: bool = False) -> AsyncIterator[Digest]:
    """Stream a request's body into a draft; inside the context all of it is there, its MD5 on its way.

    A structured body is taken apart; CRC64s, in it or in ``x-ms-content-crc64``, are checked.

    Args:
        call: The request.
        draft: Where the content goes.
        length: How many bytes of content there are to be.
        crc64: Whether its CRC64 is wanted beside its MD5.

    Raises:
        ClientDisconnect: the client went away first.
        StorageError: InvalidHeaderValue if the content is not ``length`` bytes long, Crc64Mismatch,
            InvalidInput for a broken structured body.
    """
    digest = Digest(draft, crc64=crc64)
    decoder = structured.Decoder(call.length("content-length") or 0) if structured.is_asked(call) else None
    given = call.headers.get(structured.CRC64)
    received = computed = 0
    try:
        async for chunk in call.request.stream():
            content = chunk if decoder is None else decoder.feed(chunk)
            if given is not None:
                computed = structured.crc(content, computed)
            write(draft, content, received)
            received += len(content)
            digest.extend(received)
        if decoder is not None:
            decoder.finish()
        if received != length:
            raise bad_header("content-length" if decoder is None else structured.LENGTH, str(received))
        if given is not None:
            structured.check_crc64(structured.CRC64, given, computed)
        yield digest
    finally:
        await digest.settle()


class Digest:
    """The MD5 of a draft, computed in a thread beside what fills the draft and what is done with it then.

    ``crc64`` is the CRC64 of what the MD5 is of, if that was asked for; else 0.

    Hashing takes longer than all else that is done with a body. The thread reads what it hashes from the
    draft, so neither waits for the other and no bytes are held for it.
    """

    def __init__(self, draft: int, *, crc64: bool = False) -> None:
        self._draft = draft
        self._with_crc64 = crc64
        self.crc64 = 0
        self._digest = hashlib.md5(usedforsecurity=False)
        self._hashed = self._end = 0
        self._work: asyncio.Future[None] | None = None

    def extend(self, end: int) -> None:
        """Tell that the draft now holds ``end`` bytes."""
        self._end = end
        if end - self._hashed >= _STEP and (self._work is None or self._work.done()):
            self._work = asyncio.get_running_loop().run_in_executor(None, self._catch_up)

    async def value(self) -> bytes:
        """Give the MD5 of all that the draft holds."""
        while self._work is not None and self._end - self._hashed >= _STEP:
            await self._work
            self.extend(self._end)
        if self._work is not None:
            await self._work
        self._catch_up()
        return self._digest.digest()

    async def settle(self) -> None:
        """Wait until the draft is read no more."""
        if self._work is not None:
            await asyncio.wait([self._work])

    def _catch_up(self) -> None:
        while (count := min(_BLOCK, self._end - self._hashed)) > 0:
            piece = os.pread(self._draft, count, self._hashed)
            self._digest.update(piece)
            if self._with_crc64:
                self.crc64 = structured.crc(piece, self.crc64)
            self._hashed += count


def write(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of ``data`` at an offset."""
    while data:
        written = os.pwrite(fd, data, offset)
        if written == len(data):
            return
        offset += written
        data = memoryview(data)[written:]


def copy_range(source: int, target: int, offset: int, length: int) -> None:
    """Copy the first ``length`` bytes of a draft to an offset of a file."""
    done = 0
    try:
        while done < length:
            done += os.copy_file_range(source, target, length - done, done, offset + done)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        while done < length:
            chunk = os.pread(source, min(_BLOCK, length - done), done)
            write(target, chunk, offset + done)
            done += len(chunk)
