"""The proxy for programs that know only Azure's addresses: it ends TLS for those, and refuses all others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, NamedTuple, cast
from urllib.parse import urlsplit

from batchai_scenario.emulator.clouds import place_of
from batchai_scenario.emulator.gateway.peers import NOT_YOURS, Peer
from batchai_scenario.emulator.gateway.reading import is_loopback
from batchai_scenario.emulator.gateway.tunnel import connect_through

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine
    from urllib.parse import SplitResult

    from batchai_scenario.emulator.gateway.authority import Authority
    from batchai_scenario.emulator.gateway.peers import Peers
    from batchai_scenario.emulator.gateway.protocol import HttpProtocol

METADATA_HOST = "169.254.169.254"
"""Where machines in Azure ask for their identity; plain HTTP."""

_HTTPS, _LAST_PORT = 443, 65535
_HEAD_LIMIT = 16 * 1024
_HEAD_SECONDS = 30.0
_HANDSHAKE_SECONDS = 30.0
_LINGERING, _MOST_LINGERING = 2.0, 32
"""Seconds in which a program that was refused may read why, and how many may at once."""

_PORTS = {"http": 80, "https": 443}
_HOP = frozenset({"host", "connection", "proxy-connection", "proxy-authorization", "keep-alive"})
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Interceptor:
    """Serves a proxy on a socket, in the event loop of the web server that answers what it decrypts.

    P1. ``CONNECT`` to a host of Azure's, port 443: TLS ends here, and the requests inside are answered as
        if they had come to the emulator's own port.
    P2. Requests for such a host, and for the address of managed identities, in plain HTTP are answered too;
        also those that say ``POST https://...`` to the proxy instead of CONNECT, as axios did until 1.16.
        Their answers hold https URLs.
    P3. This machine's own loopback is let through: some clients do not heed ``NO_PROXY`` (Node's ms-rest).
        Everything else is refused with 403 and a text, or let through if ``passthrough``.
    P4. Nothing is read of what is let through.
    P5. Programs of other users get 401 before they ask for anything, and take no place of others.
    P6. No more connections than ``places`` that are not HTTP of ours: the next gets 503.

    ``serve_http`` makes the protocol that answers HTTP on a connection; ``report`` hears why TLS failed.
    """

    def __init__(
        self,
        authority: Authority,
        serve_http: Callable[[], HttpProtocol],
        report: Callable[[str], None],
        peers: Peers,
        *,
        passthrough: bool,
        places: int,
    ) -> None:
        self.authority = authority
        self.serve_http = serve_http
        self.report = report
        self.peers = peers
        self.passthrough = passthrough
        self.places = places
        self.open: set[asyncio.Transport] = set()
        self.strangers: set[asyncio.Transport] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.AbstractServer | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept connections; returns at once."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Door(self), sock=listener)

    def close(self) -> None:
        """Accept no more, and end what is not HTTP of ours."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for transport in (*self.open, *self.strangers):
            transport.abort()

    def lets_through(self, host: str) -> bool:
        """Tell if requests for a host that is none of Azure's are passed on."""
        return self.passthrough or is_loopback(host)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run something that ``close`` ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Head(NamedTuple):
    """A request's first lines: ``lines`` are its headers as they were sent."""

    method: str
    target: str
    lines: list[str]


class _Door(asyncio.Protocol):
    """A connection to the proxy, until it is known what it is for."""

    def __init__(self, owner: Interceptor) -> None:
        self._owner = owner
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._owner.peers.of(transport) is Peer.OTHER:
            self._send_away(self._transport)
            return
        if len(self._owner.open) >= self._owner.places:
            _refuse(self._transport, 503, "Service Unavailable", "There are too many connections.")
            return
        self._owner.open.add(self._transport)
        self._timer = asyncio.get_running_loop().call_later(_HEAD_SECONDS, self._transport.close)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        if self._transport is not None:
            self._owner.open.discard(self._transport)
            self._owner.strangers.discard(self._transport)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - asyncio calls in this order
        self._buffer += data
        raw, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            if len(self._buffer) > _HEAD_LIMIT:
                _refuse(self._transport, 431, "Request Header Fields Too Large", "The head is too long.")
            return
        if self._timer is not None:
            self._timer.cancel()
        self._transport.pause_reading()
        head = _parse(raw)
        if head is None:
            _refuse(self._transport, 400, "Bad Request", "This is a proxy: HTTP/1.1 is spoken here.")
        elif head.method == "CONNECT":
            self._connect(self._transport, head.target, rest)
        else:
            self._forward(self._transport, head, rest)

    def _send_away(self, transport: asyncio.Transport) -> None:
        """Refuse a program of another user (P5)."""
        transport.pause_reading()
        if len(self._owner.strangers) >= _MOST_LINGERING:
            transport.abort()
            return
        self._owner.strangers.add(transport)
        transport.write(_refusal(401, "Unauthorized", NOT_YOURS))
        # To close while something is unread would take the answer away again.
        self._timer = asyncio.get_running_loop().call_later(_LINGERING, transport.close)

    def _connect(self, transport: asyncio.Transport, target: str, rest: bytes) -> None:
        """Open the way to a host (P1, P3)."""
        host, _, port = target.rpartition(":")
        name = host.strip("[]").lower()
        if not name or not port.isascii() or not port.isdecimal() or int(port) > _LAST_PORT:
            _refuse(transport, 400, "Bad Request", "CONNECT takes HOST:PORT.")
        elif place_of(name) is not None and int(port) == _HTTPS:
            if rest:
                text = "TLS begins after the answer to CONNECT, not before."
                _refuse(transport, 400, "Bad Request", text)
            else:
                self._owner.spawn(_end_tls(self._owner, transport, name))
        elif self._owner.lets_through(name):
            self._owner.spawn(_tunnel(self._owner, transport, name, int(port), _ESTABLISHED, rest))
        else:
            _refuse_host(transport, target)

    def _forward(self, transport: asyncio.Transport, head: _Head, rest: bytes) -> None:
        """Answer a request in plain HTTP, or pass it on (P2, P3); the connection ends with it."""
        try:
            parts = urlsplit(head.target)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            parts, port = urlsplit(""), 0
        host = parts.hostname or ""
        known = place_of(host) is not None or (host == METADATA_HOST and parts.scheme == "http")
        if parts.scheme not in _PORTS or not host:
            text = "This is a proxy for programs, set as HTTPS_PROXY; the emulator's own port is another one."
            _refuse(transport, 400, "Bad Request", text)
        elif known:
            scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
            self._answer(transport, scheme, _plain(head, parts) + rest)
        elif not self._owner.lets_through(host):
            _refuse_host(transport, parts.netloc)
        elif parts.scheme == "https":
            text = (
                "The proxy lets other hosts through unread: ask for a tunnel with CONNECT, not for the URL."
            )
            _refuse(transport, 400, "Bad Request", text)
        else:
            data = _plain(head, parts) + rest
            self._owner.spawn(_tunnel(self._owner, transport, host, port, b"", data))

    def _answer(self, transport: asyncio.Transport, scheme: Literal["http", "https"], data: bytes) -> None:
        """Let HTTP be served from the request that was read already."""
        http = self._owner.serve_http()
        self._owner.open.discard(transport)
        transport.set_protocol(http)
        http.connection_made(transport)
        http.scheme = scheme
        transport.resume_reading()
        http.data_received(data)


def _plain(head: _Head, parts: SplitResult) -> bytes:
    """Write a request for a proxy as one for the host itself, which the target names whatever Host says."""
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    kept = [line for line in head.lines if line.partition(":")[0].strip().lower() not in _HOP]
    host = f"Host: {parts.netloc.rpartition('@')[2]}"
    # One connection to a proxy may carry requests for several hosts: each must be looked at.
    lines = [f"{head.method} {path} HTTP/1.1", host, *kept, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


class _Early(asyncio.Protocol):
    """Keeps what arrives between the handshake and the moment its reader is in place."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self.lost = True


async def _end_tls(owner: Interceptor, transport: asyncio.Transport, host: str) -> None:
    """Say yes to a CONNECT, shake hands as the host, and let HTTP be served inside."""
    loop = asyncio.get_running_loop()
    early = _Early()
    try:
        context = await loop.run_in_executor(None, owner.authority.context)
        transport.write(_ESTABLISHED)
        inner = await loop.start_tls(
            transport, early, context, server_side=True, ssl_handshake_timeout=_HANDSHAKE_SECONDS
        )
    except (OSError, asyncio.TimeoutError) as error:
        owner.report(f"TLS with a client that asked for {host} failed: {error or type(error).__name__}")
        transport.abort()
        return
    except asyncio.CancelledError:
        transport.abort()
        raise
    finally:
        owner.open.discard(transport)
    if inner is None or early.lost:
        return
    http = owner.serve_http()
    inner.set_protocol(http)
    http.connection_made(inner)
    if early.data:
        http.data_received(early.data)


async def _tunnel(  # noqa: PLR0917 - two ends, and what is said at each
    owner: Interceptor, transport: asyncio.Transport, host: str, port: int, answer: bytes, first: bytes
) -> None:
    """Connect a client to another host and carry bytes both ways (P4)."""
    try:
        await connect_through(transport, host, port, answer, first, owner.open)
    except OSError as error:
        text = f"{host}:{port} cannot be reached: {error.strerror or error}"
        _refuse(transport, 502, "Bad Gateway", text)


def _parse(raw: bytes) -> _Head | None:
    first, *lines = raw.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[0].isalpha():  # noqa: PLR2004
        return None
    return _Head(parts[0].upper(), parts[1], lines)


def _refuse_host(transport: asyncio.Transport, host: str) -> None:
    text = (
        f"The Batch AI emulator stands in for Azure's management, login, file and blob hosts. '{host}' is "
        "none of them, and other hosts are let through only with --passthrough."
    )
    # Clients show the reason phrase and not the text.
    _refuse(transport, 403, "Refused by the Batch AI emulator; --passthrough lets other hosts through", text)


def _refuse(transport: asyncio.Transport, status: int, reason: str, text: str) -> None:
    """Answer and close; ``text`` may hold anything that came from the client."""
    transport.write(_refusal(status, reason, text))
    transport.close()


def _refusal(status: int, reason: str, text: str) -> bytes:
    body = (text + "\n").encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
