"""Carrying bytes between two connections, both ways, without reading them."""

from __future__ import annotations

import asyncio
from typing import cast


class _Pipe(asyncio.Protocol):
    """One end of a tunnel: what comes in here goes out at the other end."""

    def __init__(self, open_: set[asyncio.Transport]) -> None:
        self._open = open_
        self.own: asyncio.Transport | None = None
        self.other: _Pipe | None = None
        self._ended = False

    def join(self, own: asyncio.Transport, other: _Pipe) -> None:
        """Begin to carry from ``own`` to the other end."""
        self.own, self.other = own, other
        self._open.add(own)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.own = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.own is not None:
            self.other.own.write(data)

    def eof_received(self) -> bool:
        self._ended = True
        if self.other is None or self.other.own is None or self.other._ended:  # noqa: SLF001 - our twin
            return False
        self.other.own.write_eof()
        return True  # the other side may still have something to say

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        if self.own is not None:
            self._open.discard(self.own)
        if self.other is not None and self.other.own is not None:
            self.other.own.close()

    def pause_writing(self) -> None:
        if self.other is not None and self.other.own is not None:
            self.other.own.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.own is not None and not self.other.own.is_closing():
            self.other.own.resume_reading()


async def connect_through(  # noqa: PLR0917 - two ends, and what is said at each
    client: asyncio.Transport,
    host: str,
    port: int,
    answer: bytes,
    first: bytes,
    open_: set[asyncio.Transport],
) -> None:
    """Connect a client, whose reading is paused, to a host; returns once bytes go both ways.

    Args:
        client: The client's connection.
        host: Where to.
        port: Which port.
        answer: Sent to the client when the host is there.
        first: Sent to the host before anything else.
        open_: The connections that are to be ended with the proxy; both are in it while they are open.

    Raises:
        OSError: the host cannot be reached.
    """
    near, far = _Pipe(open_), _Pipe(open_)
    server, _ = await asyncio.get_running_loop().create_connection(lambda: far, host, port)
    if client.is_closing():
        server.close()
        return
    near.join(client, far)
    far.join(server, near)
    client.set_protocol(near)
    if answer:
        client.write(answer)
    if first:
        server.write(first)
    client.resume_reading()
