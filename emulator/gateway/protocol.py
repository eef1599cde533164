"""HTTP as clients of Azure Files need it: names of metadata keep their case; bodies are copied little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from batchai_scenario.emulator.gateway.peers import Peer

if TYPE_CHECKING:
    import asyncio

    from batchai_scenario.emulator.gateway.peers import Peers

_PREFIX = b"x-ms-meta-"

_MOST_HELD = 64 * 1024
"""Bytes that wait for what follows them; to copy more costs what joining saves."""


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with four things added.

    ``scope["peer"]`` says whose program is at the other end; ``peers`` ask the kernel once
    for each connection.

    ``scope["metadata_names"]`` holds the names of ``x-ms-meta-*`` headers as they were sent, by lower-case
    name (uvicorn lowers all names); it is missing if there are none.

    The head of an answer and a small body leave with one call of the system, where uvicorn makes two: each
    costs as much as the rest of a small read, because it wakes the client up.

    A piece of a request's body goes to the application as the parser gave it, uncopied.
    """

    def __init__(self, *, peers: Peers | None = None, **settings: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**settings)
        self._peers = peers
        self._peer = Peer.UNTOLD

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own
        """Begin with a connection."""
        if self._peers is not None:
            self._peer = self._peers.of(transport)
        self._joined = JoiningTransport(transport, self.loop)
        super().connection_made(cast("asyncio.Transport", self._joined))

    def on_message_begin(self) -> None:
        """Begin with a request."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["peer"] = self._peer

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header from the parser."""
        super().on_header(name, value)
        if name[:10].lower() == _PREFIX:
            names = cast("dict[str, Any]", self.scope).setdefault("metadata_names", {})
            text = name.decode("latin-1")
            names[text.lower()] = text

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body from the parser."""
        if not self.cycle.body:
            self.cycle.body, body = cast("bytearray", body), b""  # uvicorn only adds to it and takes it
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Send what is left of an answer, and go on to the next request."""
        self._joined.flush()
        super().on_response_complete()


class JoiningTransport:
    """A transport that holds small pieces back, for a moment.

    They leave when there is more than ``_MOST_HELD``, when ``flush`` or ``close`` is called, and at the
    latest when the event loop comes round. The order of what is written is kept; ``abort`` drops what waits.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self.is_closing = transport.is_closing  # asked for with every answer
        self._held: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        """Give what is not different here."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send a piece, now or in a moment."""
        if not self._held:
            if len(data) > _MOST_HELD:
                self._transport.write(data)
                return
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > _MOST_HELD:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        held, size = self._held, self._size
        if held:
            self._held, self._size = [], 0
            if size > _MOST_HELD:
                self._transport.writelines(held)
            else:
                self._transport.write(b"".join(held))

    def close(self) -> None:
        """Send what waits, then close."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what waits is dropped."""
        self._held, self._size = [], 0
        self._transport.abort()
