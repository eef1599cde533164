"""Serves Files on a real socket for the tests of this folder."""

from __future__ import annotations

import asyncio
import base64
import hmac
import http.client
import socket
import threading
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import uvicorn
from azure.storage.file import FileService

from batchai_scenario.emulator.gateway.protocol import HttpProtocol
from batchai_scenario.emulator.identity.tokens import Tokens
from batchai_scenario.emulator.state.clock import SystemClock
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store
from batchai_scenario.emulator.storage.accounts import Accounts
from batchai_scenario.emulator.storage.files import FilesService
from batchai_scenario.emulator.storage.sharedkey import string_to_sign
from batchai_scenario.emulator.storage.shares import Shares
from batchai_scenario.emulator.storage.signing import file_link

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from batchai_scenario.emulator.state.clock import Clock

ACCOUNT = "devaccount"
KEY = base64.b64encode(bytes(range(64))).decode()


VERSION = "2019-02-02"
SMB = {
    "x-ms-file-attributes": "None",
    "x-ms-file-creation-time": "now",
    "x-ms-file-last-write-time": "now",
    "x-ms-file-permission": "Inherit",
}


@dataclass
class Answer:
    """An answer; ``headers`` have lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error code, in header (not of old versions) and body alike; empty for success."""
        code = self.headers.get("x-ms-error-code", "")
        if self.status < 400 or not self.body.startswith(b"\xef\xbb\xbf"):
            return code
        told = ET.fromstring(self.body.decode("utf-8-sig")).findtext("Code") or ""
        assert code in ("", told)
        return told

    def text(self, name: str) -> str:
        """The text of the first XML element of that name."""
        found = ET.fromstring(self.body.decode("utf-8-sig")).find(f".//{name}")
        return "" if found is None else found.text or ""


@dataclass
class Served:
    """A served home: its parts, and where it listens."""

    home: Home
    store: Store
    accounts: Accounts
    shares: Shares
    service: FilesService
    clock: Clock
    tokens: Tokens
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

    def sign(
        self, method: str, raw_path: str, query: Mapping[str, str], headers: Mapping[str, str], key: str = KEY
    ) -> dict[str, str]:
        """Give the headers with version, date and signature added where they are not given."""
        signed = {
            "x-ms-version": VERSION,
            "x-ms-date": format_datetime(self.clock.now(), usegmt=True),
            **{name.lower(): value for name, value in headers.items()},
        }
        text = string_to_sign(ACCOUNT, method, f"/{ACCOUNT}{raw_path}", query, signed)
        signature = base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), "sha256")).decode()
        return {"authorization": f"SharedKey {ACCOUNT}:{signature}", **signed}

    def ask(
        self,
        method: str,
        raw_path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        signed: bool = True,
    ) -> Answer:
        """Send a request as it is written, without the tidying that clients do to paths."""
        query, headers = query or {}, dict(headers or {})
        headers.setdefault("content-length", str(len(body)))
        if signed:
            headers = self.sign(method, raw_path, query, headers)
        url = f"/{ACCOUNT}{raw_path}" + ("?" + urlencode(query) if query else "")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, url, body=body, headers=headers)
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()

    def make(self, path: str, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Make a file over the wire."""
        sent = {"x-ms-type": "file", "x-ms-content-length": str(len(content)), **SMB, **(headers or {})}
        assert self.ask("PUT", path, headers=sent).status == 201
        for first in range(0, len(content), 4 * 1024 * 1024):
            assert self.put(path, first, content[first : first + 4 * 1024 * 1024]).status == 201

    def put(self, path: str, first: int, content: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Write a range over the wire."""
        span = f"bytes={first}-{first + len(content) - 1}"
        sent = {"x-ms-write": "update", "x-ms-range": span, **(headers or {})}
        return self.ask("PUT", path, {"comp": "range"}, sent, content)

    def linked(self, path: str, permissions: str = "r") -> str:
        """Give the URL of a file, with a SAS that opens it."""
        share, _, name = path.strip("/").partition("/")
        account = self.accounts.get(ACCOUNT)
        assert account is not None
        later = self.clock.now() + timedelta(hours=1)
        return file_link(account, share, name, expires=later, base_url=self.url, permissions=permissions)

    def folder(self, share: str, account: str = ACCOUNT) -> Path:
        return self.home.storage / account / share

    def state(self) -> dict[str, bytes]:
        """Give all that stands in the storage folder, as path -> content."""
        found = {}
        for path in sorted(self.home.storage.rglob("*")):
            name = str(path.relative_to(self.home.storage))
            found[name] = path.read_bytes() if path.is_file() else b"<folder>"
        return found


def assemble(
    root: Path,
    clock: Clock | None = None,
    shares: type[Shares] = Shares,
    copy_seconds: float = 0,
    *,
    even: Clock | None = None,
    share_days: int = 0,
) -> Served:
    home = Home(root)
    home.make()
    clock = clock or SystemClock()
    store = Store(home.database, Seal.at(home.seal_key))
    accounts = Accounts(store, home, development=(ACCOUNT, KEY))
    made = shares(home, store)
    tokens = Tokens(b"a key", clock)
    return Served(
        home,
        store,
        accounts,
        made,
        FilesService(
            accounts,
            made,
            store,
            (clock, even or clock),
            tokens,
            copy_seconds=copy_seconds,
            share_days=share_days,
        ),
        clock,
        tokens,
    )


class Serving:
    """Runs the service under uvicorn in a thread; a context manager."""

    def __init__(self, served: Served) -> None:
        self.served = served
        config = uvicorn.Config(
            self._app,
            http=HttpProtocol,
            log_level="warning",
            lifespan="off",
            ws="none",
            interface="asgi3",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.served.port = self._socket.getsockname()[1]

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        account, _, _ = scope["raw_path"].decode("latin-1")[1:].partition("/")
        raw_path = scope["raw_path"].decode("latin-1")[1 + len(account) :]
        response = await self.served.service.handle(scope, receive, account, raw_path)
        await response(scope, receive, send)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def __enter__(self) -> Served:
        self._thread.start()
        return self.served

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()
        self.served.service.close()
        self.served.store.close()
