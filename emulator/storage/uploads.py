"""Bodies on their way in: streamed to a draft on disk, hashed beside it, never held whole."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from emulator.storage.content import CHUNK
from emulator.storage.errors import bad_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

_STEP = 1024 * 1024
"""Bytes handed to the hashing thread at a time: hashing takes longer than receiving and writing together."""

_KEPT = 4
"""Drafts kept for the next body: writing over old blocks costs a fifth of getting new ones."""


class Drafts:
    """Unnamed files for bodies on their way in; used on one event loop."""

    def __init__(self, make: Callable[[], int]) -> None:
        """Take descriptors of new drafts from ``make``."""
        self._make = make
        self._free: list[int] = []

    @contextmanager
    def take(self) -> Iterator[int]:
        """Lend a draft's descriptor. What it holds beyond what the borrower wrote is old: never read that."""
        draft = self._free.pop() if self._free else self._make()
        try:
            yield draft
        finally:
            if len(self._free) < _KEPT:
                self._free.append(draft)
            else:
                os.close(draft)

    def close(self) -> None:
        """Close the drafts that are kept."""
        while self._free:
            os.close(self._free.pop())

    def __del__(self) -> None:
        self.close()


async def receive(request: Request, draft: int, length: int) -> bytes:
    """Stream a body into a draft.

    Returns:
        The MD5 of what came.

    Raises:
        ClientDisconnect: the client went away first.
        StorageError: InvalidHeaderValue if the body is not ``length`` bytes long.
    """
    digest = hashlib.md5(usedforsecurity=False)
    loop = asyncio.get_running_loop()
    received = hashed = 0
    pending: asyncio.Future[None] | None = None
    try:
        async for chunk in request.stream():
            write(draft, chunk, received)
            received += len(chunk)
            if received - hashed >= _STEP:
                if pending is not None:
                    await pending
                pending = loop.run_in_executor(None, _hash, digest, draft, hashed, received)
                hashed = received
    finally:
        if pending is not None:
            await pending
    if received != length:
        raise bad_header("content-length", str(received))
    _hash(digest, draft, hashed, received)
    return digest.digest()


def write(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of ``data`` at an offset."""
    while data:
        written = os.pwrite(fd, data, offset)
        if written == len(data):
            return
        offset += written
        data = memoryview(data)[written:]


def _hash(digest: hashlib._Hash, fd: int, first: int, end: int) -> None:
    for position in range(first, end, CHUNK):
        digest.update(os.pread(fd, min(CHUNK, end - position), position))
