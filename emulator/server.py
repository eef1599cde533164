"""The emulator as a whole: put together here, served from a thread, stopped cleanly."""

from __future__ import annotations

import os
import secrets
import threading
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from emulator import __version__
from emulator.credentials import NO_CREDENTIALS, Credentials
from emulator.serving import (
    Address,
    HomeLock,
    last_address,
    read_address,
    remove_address,
    write_address,
)
from emulator.state.home import Home

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from emulator.arm.messages import ResourceProvider
    from emulator.arm.operations import Operations
    from emulator.engines.base import Engine
    from emulator.engines.images import PullPolicy
    from emulator.gateway.app import Gateway
    from emulator.gateway.log import EmulatorLog
    from emulator.launch.plan import GpuMode
    from emulator.state.clock import Clock
    from emulator.state.store import Store
    from emulator.storage.volumes import Volumes

__all__ = ["Address", "Credentials", "EmulatorServer", "EmulatorSettings", "read_address"]

_PROXY_HOST = "127.0.0.1"
"""Proxies are for programs on this machine, wherever the emulator itself listens."""


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """How to serve a home.

    ``port`` 0: the previous one if it is free, else any. ``engine``: ``auto``, ``docker`` or ``process``;
    ``gpus``: ``auto``, ``none`` or ``required``; both can be chosen anew for each cluster. ``strict``: keep
    the service's pace (``Retry-After: 15``). ``training``: folder of training programs, by default the
    installed one. ``python``: the interpreter that CNTK environments are made from, empty: found.
    ``pull``: Docker images that are missing, ``missing`` or ``never``. ``credentials``: what is known
    besides the development credentials and what is made through the resource manager. ``only``: ``files``
    for storage alone, without clusters, engines and Batch AI; empty for everything.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = 0
    engine: str = "auto"
    gpus: str = "auto"
    strict: bool = False
    training: Path | None = None
    python: str = ""
    pull: str = "missing"
    credentials: Credentials = NO_CREDENTIALS
    only: str = ""


class EmulatorServer:
    """An emulator: ``start`` returns when it answers, ``close`` when it is gone. Jobs outlive it."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._home = Home(settings.home)
        self._held: ExitStack | None = None
        self._guard = threading.Lock()
        self._closed = threading.Event()

    def start(self) -> Address:
        """Serve the home from a thread.

        Raises:
            HomeInUse: another emulator serves it.
            AddressInUse: the port is taken.
        """
        with ExitStack() as held:
            address = self._start(held)
            self._held = held.pop_all()
        return address

    def close(self) -> None:
        """Stop serving; nothing if it was done before."""
        with self._guard:
            held, self._held = self._held, None
            if held is not None:
                held.close()
                self._closed.set()

    def serve_forever(self) -> None:
        """Wait until ``close`` was called, or the stop request came; starts first if need be."""
        if self._held is None:
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
        from emulator.gateway.authority import Authority
        from emulator.gateway.log import EmulatorLog
        from emulator.gateway.web import serve
        from emulator.listening import listen
        from emulator.state.clock import SystemClock, wire_time

        self._home.make()
        lock = HomeLock(self._home)
        lock.take()
        held.callback(lock.release)
        previous = last_address(self._home)
        settings = self._settings
        listener = listen(settings.host, settings.port, preferred=previous.port if previous else 0)
        held.callback(listener.close)
        proxies: dict[bool, socket.socket] = {}
        for passthrough in (False, True):
            last = 0
            if previous is not None:
                last = previous.passthrough_port if passthrough else previous.proxy_port
            proxies[passthrough] = listen(_PROXY_HOST, 0, preferred=last)
            held.callback(proxies[passthrough].close)
        clock = SystemClock()
        address = self._address(listener, proxies, wire_time(clock.now()))
        log = EmulatorLog(self._home.database.parent / "emulator.log")
        held.callback(log.close)
        gateway = self._assemble(held, clock, address, log)
        authority = Authority(self._home, clock)
        serve(held, gateway, listener, authority=authority, report=log.error, proxies=proxies)
        write_address(self._home, address)
        held.callback(remove_address, self._home, address.instance)
        if self._settings.only != "files":
            threading.Thread(target=_warm_up, name="emulator-warm-up", daemon=True).start()
        return address

    @staticmethod
    def _address(listener: socket.socket, proxies: Mapping[bool, socket.socket], now: str) -> Address:
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
        )

    def _assemble(self, held: ExitStack, clock: Clock, address: Address, log: EmulatorLog) -> Gateway:
        """Build every room, from the innermost outwards."""
        from emulator.arm.manager import ResourceManager
        from emulator.arm.operations import Operations
        from emulator.arm.providers import COMPANIONS, NamespaceOnly
        from emulator.gateway.app import Gateway
        from emulator.identity import development
        from emulator.identity.managed import ManagedIdentity
        from emulator.identity.service import IdentityService
        from emulator.identity.tokens import Tokens
        from emulator.state.seal import Seal
        from emulator.state.store import Store
        from emulator.storage.accounts import Accounts
        from emulator.storage.blob.service import BlobService
        from emulator.storage.files import FilesService
        from emulator.storage.provider import StorageProvider
        from emulator.storage.shares import Shares
        from emulator.storage.volumes import Volumes

        home, settings = self._home, self._settings
        seal = Seal.at(home.seal_key)
        store = Store(home.database, seal)
        held.callback(store.close)
        given = settings.credentials
        accounts = Accounts(
            store,
            home,
            development=(development.ACCOUNT, development.ACCOUNT_KEY),
            given=given.accounts,
        )
        shares = Shares(home, store)
        files = FilesService(accounts, shares, store, clock)
        blobs = BlobService(accounts, shares, store, clock, home)
        operations = Operations(store, clock, strict=settings.strict)
        providers: list[ResourceProvider] = [
            StorageProvider(accounts, shares, clock, retry_after=int(operations.retry_after)),
        ]
        if settings.only != "files":
            providers.insert(0, self._batch_ai(held, store, clock, operations, Volumes(files, blobs)))
            providers += [NamespaceOnly(name) for name in COMPANIONS]
        tokens = Tokens(seal.key, clock)
        return Gateway(
            manager=ResourceManager(
                store,
                providers,
                tenant=development.TENANT,
                subscription=development.SUBSCRIPTION,
                retry_after=operations.retry_after,
            ),
            identity=IdentityService(tokens, clock, given.clients),
            managed=ManagedIdentity(tokens),
            tokens=tokens,
            storage={"file": files, "blob": blobs},
            clock=clock,
            host=settings.host,
            health=lambda: self._health(address),
            stop_key=address.stop_key,
            stop=lambda: threading.Thread(target=self.close, name="emulator-stop").start(),
            report=log.error,
        )

    def _batch_ai(
        self, held: ExitStack, store: Store, clock: Clock, operations: Operations, volumes: Volumes
    ) -> ResourceProvider:
        """Build what runs jobs, and the provider in front of it."""
        from emulator.batchai.provider import BatchAIProvider
        from emulator.cluster.controller import Controller
        from emulator.engines.choose import Engines

        settings = self._settings
        engines = Engines(
            self._home,
            settings.training or _training(),
            settings.engine,
            pull=cast("PullPolicy", settings.pull),
            python=settings.python,
        )
        held.callback(engines.close)
        controller = Controller(store, clock, engines, volumes)
        controller.start()
        held.callback(controller.close)
        return BatchAIProvider(
            store,
            clock,
            controller,
            operations,
            volumes,
            resolve_engine=lambda name: _answering(engines(name)),
            gpus=cast("GpuMode", settings.gpus),
        )

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
        }


def _answering(engine: Engine) -> str:
    """Name an engine that answers; EngineUnavailable before anything is made if it does not."""
    engine.info()
    return engine.name


def _training() -> Path:
    """Find the folder of training programs, which is data that lies beside this package."""
    from importlib.util import find_spec

    found = find_spec("training")
    places = found.submodule_search_locations if found is not None else None
    if not places:
        raise FileNotFoundError("the package 'training' is not installed")
    return Path(next(iter(places)))


def _warm_up() -> None:
    """Import what the first requests need, while the client is still getting ready."""
    import jwt  # noqa: F401
    from anyio import to_thread  # noqa: F401

    from emulator.batchai import schema

    schema.ClusterCreate.model_rebuild()
    schema.JobCreate.model_rebuild()
