"""HTTP as clients of Azure Files need it: names of metadata keep their case; bodies are copied little."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from batchai_scenario.emulator.gateway.connections import ClientTimeouts
from batchai_scenario.emulator.gateway.peers import NOT_YOURS, Peer

if TYPE_CHECKING:
    import asyncio

    from batchai_scenario.emulator.gateway.connections import ConnectionPlaces
    from batchai_scenario.emulator.gateway.peers import Peers

_PREFIX = b"x-ms-meta-"

_MOST_HELD = 64 * 1024
"""Bytes that wait for what follows them; to copy more costs what joining saves."""


_LINGERING = 2.0
"""Seconds in which a client that was refused may read why."""


class _Stage(Enum):
    """What a connection waits for: a request's head, its body, or that its answer is taken."""

    HEAD = 1
    BODY = 2
    ANSWER = 3


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with six things added.

    A client that keeps us waiting is told so (408) and let go, as ``patience`` says; so is one whose head has
    no end (431), and one for whom there is no ``room`` (503).

    ``scope["peer"]`` says whose program is at the other end; ``peers`` ask the kernel once
    for each connection.

    ``scope["metadata_names"]`` holds the names of ``x-ms-meta-*`` headers as they were sent, by lower-case
    name (uvicorn lowers all names); it is missing if there are none.

    The head of an answer and a small body leave with one call of the system, where uvicorn makes two: each
    costs as much as the rest of a small read, because it wakes the client up.

    ``scope["body_untaken"]``, there if the client waits to be told to send its body (``Expect``), tells
    whether it still waits.

    A piece of a request's body goes to the application as the parser gave it, uncopied.
    """

    def __init__(
        self,
        *,
        peers: Peers | None = None,
        patience: ClientTimeouts | None = None,
        room: ConnectionPlaces | None = None,
        **settings: Any,  # noqa: ANN401 - uvicorn's own
    ) -> None:
        super().__init__(**settings)
        self._peers = peers
        self._peer = Peer.UNTOLD
        self._patience = patience or ClientTimeouts()
        self._room = room
        self._stage = _Stage.HEAD
        self._begun = False  # a head has begun
        self._since = 0.0
        self._head_size = 0
        self._unsent = 0
        self._refused = False
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own
        """Begin with a connection."""
        admitted = self._room is None or self._room.admit(cast("set[HttpProtocol]", self.connections))
        if self._peers is not None:
            self._peer = self._peers.of(transport)
        self._joined = JoiningTransport(transport, self.loop)
        super().connection_made(cast("asyncio.Transport", self._joined))
        self._since = self.loop.time()
        if admitted:
            self._look_after(self._patience.head)
        else:
            self._refuse(503, "There are too many connections: try again later.")

    def connection_lost(self, exc: Exception | None) -> None:
        """End with a connection."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what a client sent."""
        if self._refused or self.parser is None:
            return
        super().data_received(data)
        if self._stage is _Stage.HEAD and self._begun:
            self._head_size += len(data)
            if self._head_size > self._patience.head_bytes and not self._refused:
                self._refuse(431, "The head of the request is too large.")

    @property
    def waits_since(self) -> float | None:
        """Tell since when this connection waits for a request; None while one is under way."""
        return self._since if self._stage is _Stage.HEAD and not self._busy else None

    @property
    def _busy(self) -> bool:
        """Tell whether a request, maybe one before that whose head comes in, is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def leave(self) -> None:
        """Make place for another connection."""
        self.connections.discard(self)
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        if self._peer is Peer.OTHER:
            self._refuse(401, NOT_YOURS)
        else:
            super().send_400_response(msg)

    def _refuse(self, status: int, text: str) -> None:
        """Answer in the place of the application, and close."""
        body = f"{text}\n".encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self._refused = True
        self.transport.write(head.encode() + body)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.transport.close()
        else:  # to close while something is unread would take the answer away again
            self.loop.call_later(_LINGERING, self.transport.close)

    def _look_after(self, seconds: float) -> None:
        self._watch = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """See whether the client keeps us waiting; otherwise look again when it might."""
        self._watch = None
        allowed = self._allowed()
        if allowed is None or self._refused or self.transport.is_closing():
            return
        self._note_progress()
        left = self._since + allowed - self.loop.time()
        if left > 0:
            self._look_after(left)
        elif self._stage is _Stage.HEAD and not self._begun:
            self.transport.close()
        elif self._stage is _Stage.ANSWER or (self._busy and self.cycle.response_started):
            self.transport.abort()
        else:
            self._refuse(408, "The request did not come in time.")

    def _allowed(self) -> float | None:
        """Give the seconds that the client may take for what it has to do now; None if that is nothing."""
        if self._stage is _Stage.HEAD:
            waits = self.cycle is None or (self._begun and not self._busy)
            return self._patience.head if waits else None
        if self._stage is _Stage.BODY:
            return self._patience.body
        return self._patience.answer if self.flow.write_paused else None

    def _note_progress(self) -> None:
        """Begin to count anew if it is we who do not read, or if the client took something of an answer."""
        unsent = self.transport.get_write_buffer_size()
        taken = self._stage is _Stage.ANSWER and unsent != self._unsent
        self._unsent = unsent
        if taken or (self._stage is _Stage.BODY and self.flow.read_paused):
            self._since = self.loop.time()

    def _enter(self, stage: _Stage) -> None:
        """Go on to the next part of a request; from here the client's time counts anew."""
        self._stage = stage
        self._since = self.loop.time()
        if self._watch is None and (allowed := self._allowed()) is not None:
            self._look_after(allowed)

    def pause_writing(self) -> None:
        """Hear that the client does not take what it is sent."""
        super().pause_writing()
        self._enter(self._stage)

    def on_message_begin(self) -> None:
        """Begin with a request."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["peer"] = self._peer
        self._begun, self._head_size = True, 0
        self._enter(_Stage.HEAD)

    def on_headers_complete(self) -> None:
        """Hand a request to the application; its body may still be on the way."""
        super().on_headers_complete()
        if self.expect_100_continue:
            cycle = self.cycle
            scope = cast("dict[str, Any]", self.scope)
            scope["body_untaken"] = lambda: cycle.waiting_for_100_continue and cycle.more_body
        self._enter(_Stage.BODY)

    def on_message_complete(self) -> None:
        """Hear that a request is here."""
        super().on_message_complete()
        self._stage = _Stage.ANSWER if self._busy else _Stage.HEAD
        self._begun, self._since = False, self.loop.time()

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
        self._since = self.loop.time()
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Send what is left of an answer, and go on to the next request."""
        self._joined.flush()
        if self._stage is _Stage.ANSWER and not self._busy:
            self._stage, self._since = _Stage.HEAD, self.loop.time()
        elif self._stage is _Stage.HEAD and self._begun:
            self._enter(_Stage.HEAD)
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
