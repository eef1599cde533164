"""The web server: one event loop in a thread, for the emulator's own port and for its proxies."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, cast

import uvicorn

from batchai_scenario.emulator.gateway.connections import ClientTimeouts, ConnectionPlaces, places
from batchai_scenario.emulator.gateway.peers import Peers
from batchai_scenario.emulator.gateway.protocol import HttpProtocol
from batchai_scenario.emulator.gateway.proxy import Interceptor

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable
    from contextlib import ExitStack

    from batchai_scenario.emulator.gateway.app import Gateway
    from batchai_scenario.emulator.gateway.authority import Authority

_READY_SECONDS = 30.0
_TICKS = 10
"""What uvicorn counts as a second."""


Secure = tuple["socket.socket", "ssl.SSLContext"]


class _Server(uvicorn.Server):
    """uvicorn's server with proxies beside it: their connections end up at the same application."""

    def __init__(  # noqa: PLR0917 - what it serves, and where
        self,
        config: uvicorn.Config,
        authority: Authority,
        report: Callable[[str], None],
        proxies: dict[bool, socket.socket],
        peers: Peers,
        secure: Secure | None,
    ) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._ending: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._listeners = proxies
        self._secure = secure
        self._proxies = [
            Interceptor(
                authority, self._serve_http, report, peers, passthrough=passthrough, places=places() // 6
            )
            for passthrough in proxies
        ]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for proxy in self._proxies:
            await proxy.start(self._listeners[proxy.passthrough])
        if self._secure is not None:
            listener, context = self._secure
            loop = asyncio.get_running_loop()
            self.servers.append(await loop.create_server(self._serve_http, sock=listener, ssl=context))
        self._ending = asyncio.get_running_loop(), asyncio.Event()
        self.ready.set()

    async def main_loop(self) -> None:
        """Tick once a second, for the date that stands on answers: ten times would wake an idle machine."""
        tick = 0
        while self._ending is not None and not await self.on_tick(tick):
            tick += _TICKS
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ending[1].wait(), 1.0)

    def end(self) -> None:
        """Have the loop end, from another thread."""
        self.should_exit = True
        if self._ending is not None:
            loop, event = self._ending
            with suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(event.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for proxy in self._proxies:
            proxy.close()
        # Closing TLS politely waits for the client to agree; ours need not.
        transports = [connection.transport for connection in self.server_state.connections]
        await super().shutdown(sockets)
        for transport in transports:
            transport.abort()

    def _serve_http(self) -> HttpProtocol:
        kind = cast("Callable[..., HttpProtocol]", self.config.http_protocol_class)
        return kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def serve(
    held: ExitStack,
    application: Gateway,
    listeners: list[socket.socket],
    *,
    authority: Authority,
    report: Callable[[str], None],
    proxies: dict[bool, socket.socket],
    secure: Secure | None = None,
    patience: ClientTimeouts | None = None,
) -> None:
    """Serve in a thread until ``held`` is unwound; returns when connections are accepted.

    Args:
        held: Gets what stops the server.
        application: Answers every request, whichever way it came.
        listeners: The emulator's own ports.
        authority: Signs for Azure's hosts.
        report: Hears what goes wrong in the proxies.
        proxies: The proxies' ports: under True that of the one which lets other hosts through.
        secure: A port where the same is served over TLS, and what ends it.
        patience: How long clients may keep us waiting.
    """
    patience = patience or ClientTimeouts()
    room = ConnectionPlaces(places() * 2 // 3)
    peers = Peers()
    held.callback(peers.close)
    server = _Server(
        uvicorn.Config(
            application,
            lifespan="off",
            ws="none",
            http=cast(
                "type[asyncio.Protocol]", partial(HttpProtocol, peers=peers, patience=patience, room=room)
            ),
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(patience.idle),
            timeout_graceful_shutdown=0,
        ),
        authority,
        report,
        proxies,
        peers,
        secure,
    )
    thread = threading.Thread(target=server.run, args=(listeners,), name="emulator-gateway", daemon=True)
    thread.start()

    def stop() -> None:
        server.end()
        thread.join()

    held.callback(stop)
    if not server.ready.wait(_READY_SECONDS):
        raise TimeoutError(f"the emulator's web server was not ready within {_READY_SECONDS:.0f} s")
