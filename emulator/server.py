"""The emulator as a whole: put together here, served from a thread, stopped cleanly."""

from __future__ import annotations

import os
import secrets
import threading
import uuid
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from batchai_scenario import __version__
from batchai_scenario.emulator.credentials import Credentials
from batchai_scenario.emulator.errors import HomeDamaged
from batchai_scenario.emulator.serving import (
    Address,
    HomeLock,
    last_ports,
    read_address,
    remove_address,
    write_address,
)
from batchai_scenario.emulator.settings import EmulatorSettings
from batchai_scenario.emulator.state.home import Home

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.gateway.app import Gateway
    from batchai_scenario.emulator.identity.tokens import Tokens
    from batchai_scenario.emulator.log import EmulatorLog
    from batchai_scenario.emulator.services import Services
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.own import OwnCredentials
    from batchai_scenario.emulator.state.store import Store
    from batchai_scenario.emulator.ui.page import Page

__all__ = ["Address", "Credentials", "EmulatorServer", "EmulatorSettings", "read_address"]

_PROXY_HOST = "127.0.0.1"
"""Proxies are for programs on this machine, wherever the emulator itself listens."""


class EmulatorServer:
    """An emulator: ``start`` returns when it answers, ``close`` when it is gone. Jobs outlive it."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._home = Home(settings.home)
        self._held: ExitStack | None = None
        self._ending = False  # somebody wants it to end, be it in the middle of its start
        self._guard = threading.Lock()
        self._closed = threading.Event()
        self.notices: tuple[str, ...] = ()
        """What was not right with the home and was mended, once it was started."""

    def start(self) -> Address:
        """Serve the home from a thread.

        Raises:
            HomeInUse: another emulator serves it.
            AddressInUse: the port is taken.
            HomeDamaged: something in the home cannot be used as it is.
        """
        import sqlite3

        from batchai_scenario.emulator.state.health import REMEDY
        from batchai_scenario.emulator.state.store import unusable

        self._ending = False
        with ExitStack() as held:
            try:
                address = self._start(held)
            except sqlite3.Error as error:
                raise unusable(self._home.database, error) from error
            except (KeyError, TypeError, ValueError) as error:  # a document that is JSON, and makes no sense
                text = f"it holds what cannot be read ({type(error).__name__}: {error})"
                raise HomeDamaged(str(self._home.database), text, REMEDY) from error
            with self._guard:
                self._held = held.pop_all()
            if self._ending:
                self.close()
        return address

    def close(self) -> None:
        """Stop serving; nothing if it was done before. One that is just starting ends when it has started."""
        with self._guard:
            self._ending = True
            held, self._held = self._held, None
            if held is not None:
                held.close()
                self._closed.set()

    def serve_forever(self) -> None:
        """Wait until ``close`` was called, or the stop request came; starts first if it never did."""
        if self._held is None and not self._ending:
            self.start()
        try:
            self._closed.wait()
        finally:
            self.close()

    def __enter__(self) -> EmulatorServer:  # noqa: PYI034 - typing.Self is not in Python 3.10
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, held: ExitStack) -> Address:
        """Take what is needed in order; ``held`` gives it back in reverse."""
        from batchai_scenario.emulator.gateway.authority import Authority
        from batchai_scenario.emulator.gateway.web import serve
        from batchai_scenario.emulator.identity.tokens import Tokens
        from batchai_scenario.emulator.listening import listen
        from batchai_scenario.emulator.log import EmulatorLog
        from batchai_scenario.emulator.services import make_services, warm_up
        from batchai_scenario.emulator.state.clock import EvenClock, SystemClock, wire_time
        from batchai_scenario.emulator.state.copies import keep_copies
        from batchai_scenario.emulator.state.health import check
        from batchai_scenario.emulator.state.seal import Seal
        from batchai_scenario.emulator.state.store import Store
        from batchai_scenario.emulator.ui.guard import token_of

        self.notices = tuple(self._home.make())
        lock = HomeLock(self._home)
        lock.take()
        held.callback(lock.release)
        previous = last_ports(self._home)
        settings = self._settings
        listener = listen(settings.host, settings.port, preferred=previous.port if previous else 0)
        held.callback(listener.close)
        last = urlsplit(previous.blob_url).port or 0 if previous else 0
        blobs = listen(settings.host, 0, preferred=last)
        held.callback(blobs.close)
        proxies = self._proxies(held, previous)
        clock, even = SystemClock(), EvenClock()
        address = self._address(listener, blobs, proxies, wire_time(clock.now()))
        address, secure = self._secured(held, clock, previous, address)
        log = EmulatorLog(self._home.log)
        held.callback(log.close)
        check(self._home)
        seal = Seal.at(self._home.seal_key)
        store = Store(self._home.database, seal)
        held.callback(store.close)
        known = self._credentials()
        keys = [own.account_key for own in known]
        keep_copies(held, self._home, store, even, log.error)
        tokens = Tokens(seal.key, clock)
        services = make_services(
            held, self._home, settings, store, (clock, even), keys, tokens, blob_url=address.blob_url
        )
        address = replace(address, page_token=token_of(seal.key))
        gateway = self._gateway(services, tokens, clock, address, log, store, [own.secret for own in known])
        authority = Authority(self._home, clock)
        serve(
            held,
            gateway,
            [listener, blobs],
            authority=authority,
            report=log.error,
            proxies=proxies,
            secure=secure,
        )
        write_address(self._home, address)
        held.callback(remove_address, self._home, address.instance)
        warm_up(held, services.steps(), log.error)
        return address

    def _credentials(self) -> list[OwnCredentials]:
        """Give what is known from the start: the home's own, and the published ones if they are wanted."""
        from batchai_scenario.emulator.identity.development import PUBLISHED
        from batchai_scenario.emulator.state.own import OwnCredentials

        own = OwnCredentials.at(self._home.credentials)
        return [own, PUBLISHED] if self._settings.development_credentials else [own]

    @staticmethod
    def _proxies(held: ExitStack, previous: Address | None) -> dict[bool, socket.socket]:
        """Listen for the proxies, on their previous ports if they are free."""
        from batchai_scenario.emulator.listening import listen

        proxies: dict[bool, socket.socket] = {}
        for passthrough in (False, True):
            last = 0
            if previous is not None:
                last = previous.passthrough_port if passthrough else previous.proxy_port
            proxies[passthrough] = listen(_PROXY_HOST, 0, preferred=last)
            held.callback(proxies[passthrough].close)
        return proxies

    def _secured(
        self, held: ExitStack, clock: Clock, previous: Address | None, address: Address
    ) -> tuple[Address, tuple[socket.socket, ssl.SSLContext] | None]:
        """Listen for TLS at the emulator's own address, if that is wanted."""
        if not self._settings.https:
            return address, None
        from batchai_scenario.emulator.gateway.authority import LOOPBACK, Authority
        from batchai_scenario.emulator.listening import listen

        last = urlsplit(previous.https_url).port or 0 if previous else 0
        listener = listen(self._settings.host, 0, preferred=last)
        held.callback(listener.close)
        authority = Authority(self._home, clock, LOOPBACK)
        url = f"https://{urlsplit(address.url).hostname}:{listener.getsockname()[1]}"
        return replace(address, https_url=url), (listener, authority.context())

    @staticmethod
    def _address(
        listener: socket.socket, blobs: socket.socket, proxies: Mapping[bool, socket.socket], now: str
    ) -> Address:
        host, port = listener.getsockname()[:2]
        # Whoever listens everywhere is asked on loopback.
        reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
        return Address(
            url=f"http://{reached}:{port}",
            host=host,
            port=port,
            pid=os.getpid(),
            started_at=now,
            version=__version__,
            instance=str(uuid.uuid4()),
            stop_key=secrets.token_urlsafe(32),
            proxy_port=proxies[False].getsockname()[1],
            passthrough_port=proxies[True].getsockname()[1],
            blob_url=f"http://{reached}:{blobs.getsockname()[1]}",
        )

    def _gateway(  # noqa: PLR0917 - what the front is made of
        self,
        services: Services,
        tokens: Tokens,
        clock: Clock,
        address: Address,
        log: EmulatorLog,
        store: Store,
        own: Sequence[str],
    ) -> Gateway:
        """Build the front; ``own`` are the passwords of the home's own client."""
        from batchai_scenario.emulator.gateway.app import Gateway
        from batchai_scenario.emulator.identity import development
        from batchai_scenario.emulator.identity.directory import Directory
        from batchai_scenario.emulator.identity.graph import Graph
        from batchai_scenario.emulator.identity.managed import ManagedIdentity
        from batchai_scenario.emulator.identity.service import IdentityService
        from batchai_scenario.emulator.lazy import Lazy

        clients = {id_: (secret,) for id_, secret in self._settings.credentials.clients.items()}
        clients[development.CLIENT] = (*own, *clients.get(development.CLIENT, ()))
        directory = Directory(store, clock)

        def passwords(client: str) -> tuple[str, ...]:
            return (*clients.get(client, ()), *directory.passwords(client))

        def show() -> Page:
            from batchai_scenario.emulator.showing import make_page

            facts = partial(self._facts, address)
            return make_page(services, self._settings, facts, address.page_token)

        return Gateway(
            manager=services.manager,
            identity=IdentityService(tokens, clock, passwords),
            managed=ManagedIdentity(tokens, own),
            graph=Graph(directory),
            tokens=tokens,
            storage=services.storage,
            clock=clock,
            host=self._settings.host,
            blob_port=urlsplit(address.blob_url).port or 0,
            health=lambda: self._health(address),
            stop_key=address.stop_key,
            stop=lambda: threading.Thread(target=self.close, name="emulator-stop").start(),
            report=log.error,
            refused=log.info,
            preempt=services.preempt,
            page=Lazy(show),
        )

    def _facts(self, address: Address) -> dict[str, Any]:
        """Say what the page says of the emulator itself."""
        health = self._health(address)
        told = ("version", "instance", "startedAt", "engine", "gpus", "only", "strict")
        return {**{name: health[name] for name in told}, "home": str(self._home.root), "url": address.url}

    def _health(self, address: Address) -> dict[str, Any]:
        return {
            "status": "serving",
            "version": address.version,
            "pid": address.pid,
            "instance": address.instance,
            "startedAt": address.started_at,
            "engine": self._settings.engine,
            "gpus": self._settings.gpus,
            "only": self._settings.only,
            "strict": self._settings.strict,
            "accounts": sorted(self._settings.credentials.accounts),
            "clients": sorted(self._settings.credentials.clients),
            "developmentCredentials": self._settings.development_credentials,
        }
