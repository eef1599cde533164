"""Serves Files on a real socket for the tests of this folder."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
from azure.storage.file import FileService
from starlette.requests import Request

from emulator.state.clock import Clock, SystemClock
from emulator.state.home import Home
from emulator.state.seal import Seal
from emulator.state.store import Store
from emulator.storage.accounts import Accounts
from emulator.storage.files import FilesService
from emulator.storage.shares import Shares

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

ACCOUNT = "devaccount"
KEY = base64.b64encode(bytes(range(64))).decode()


@dataclass
class Served:
    """A served home: its parts, and where it listens."""

    home: Home
    store: Store
    accounts: Accounts
    shares: Shares
    service: FilesService
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, account: str = ACCOUNT, key: str = KEY) -> FileService:
        service = FileService(
            connection_string=(
                f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};"
                f"FileEndpoint={self.url}/{account}"
            )
        )
        service.retry = lambda context: None
        return service

    def folder(self, share: str, account: str = ACCOUNT) -> Path:
        return self.home.storage / account / share

    def state(self) -> dict[str, bytes]:
        """Give all that stands in the storage folder, as path -> content."""
        found = {}
        for path in sorted(self.home.storage.rglob("*")):
            name = str(path.relative_to(self.home.storage))
            found[name] = path.read_bytes() if path.is_file() else b"<folder>"
        return found


def assemble(root: Path, clock: Clock | None = None) -> Served:
    home = Home(root)
    home.make()
    store = Store(home.database, Seal.at(home.seal_key))
    accounts = Accounts(store, home, development=(ACCOUNT, KEY))
    shares = Shares(home, store)
    return Served(home, store, accounts, shares, FilesService(accounts, shares, store, clock or SystemClock()))


class Serving:
    """Runs the service under uvicorn in a thread; a context manager."""

    def __init__(self, served: Served) -> None:
        self.served = served
        config = uvicorn.Config(self._app, log_level="warning", lifespan="off", ws="none", interface="asgi3")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.served.port = self._socket.getsockname()[1]

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        account, _, _ = scope["raw_path"].decode("latin-1")[1:].partition("/")
        raw_path = scope["raw_path"].decode("latin-1")[1 + len(account) :]
        response = await self.served.service.handle(request, account, raw_path)
        await response(scope, receive, send)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def __enter__(self) -> Served:
        self._thread.start()
        return self.served

    def __exit__(self, *_: Any) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()
        self.served.store.close()
