"""Requests as nobody should send them, and a client that sends them as they are."""

from __future__ import annotations

import base64
import hmac
import socket
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime
from urllib.parse import quote, urlsplit

from batchai_scenario.emulator.storage.sharedkey import string_to_sign
from tests.security.vocabulary import ACCOUNT


@dataclass
class Request:
    """A request; ``signed`` asks for the service's own way to say who asks."""

    service: str
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    signed: bool = True

    def target(self) -> str:
        """Give what stands in the first line: path and query."""
        prefix = {"files": f"/{ACCOUNT}", "blob": f"/blob/{ACCOUNT}"}.get(self.service, "")
        query = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in self.query.items())
        path = quote(prefix + self.path, safe="/%$&'()*+,;=:@!~")
        return f"{path}?{query}" if query else path


@dataclass
class Reply:
    """An answer; ``status`` 0: the connection was closed without one."""

    status: int
    head: str = ""
    body: bytes = b""


class Client:
    """Sends requests as they are, each on a connection that is kept as long as the server keeps it."""

    def __init__(self, url: str, token: str, key: str) -> None:
        where = urlsplit(url)
        self._address = (where.hostname or "", where.port or 0)
        self._token = token
        self._key = key
        self._line: socket.socket | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def send(self, request: Request) -> Reply:
        """Send a request and read its answer."""
        return self.raw(self.encoded(request), head=request.method == "HEAD")

    def encoded(self, request: Request) -> bytes:
        """Write a request as it goes over the wire."""
        headers = {"host": f"{self._address[0]}:{self._address[1]}", **request.headers}
        if request.body or request.method in ("PUT", "POST", "PATCH"):
            headers.setdefault("content-length", str(len(request.body)))
        if request.signed and "authorization" not in headers:
            if request.service == "arm":
                headers["authorization"] = f"Bearer {self._token}"
            elif request.service in ("files", "blob") and "sig" not in request.query:
                headers = self._sign(request, headers)
        lines = [f"{request.method} {request.target()} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items() if "\r" not in value]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + request.body

    def _sign(self, request: Request, headers: dict[str, str]) -> dict[str, str]:
        now = format_datetime(datetime.now(timezone.utc), usegmt=True)
        headers = {"x-ms-version": "2021-12-02", "x-ms-date": now, **headers}
        path = request.target().partition("?")[0].removeprefix("/blob") if request.service == "blob" else ""
        path = f"/blob{path}" if request.service == "blob" else request.target().partition("?")[0]
        seen = {name: value.strip(" \t") for name, value in headers.items()}
        try:
            text = string_to_sign(ACCOUNT, request.method, path, request.query, seen)
        except Exception:  # noqa: BLE001 - what cannot be signed is sent unsigned
            return headers
        code = hmac.digest(base64.b64decode(self._key), text.encode("utf-8", "surrogatepass"), "sha256")
        return {**headers, "authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(code).decode()}"}

    def raw(self, data: bytes, *, head: bool = False, close: bool = False) -> Reply:
        """Send bytes and read an answer; ``close``: say that no more comes."""
        fresh = self._line is None
        line = self._line or self._connect()
        try:
            line.sendall(data)
            if close:
                line.shutdown(socket.SHUT_WR)
            reply = self._read(line, head=head)
        except (BrokenPipeError, ConnectionResetError):
            reply = Reply(0)
        if reply.status == 0 and not fresh:  # the server closed what it had kept, as it may
            self.close()
            return self.raw(data, head=head, close=close)
        if reply.status == 0 or close or "connection: close" in reply.head.lower():
            self.close()
        return reply

    def _connect(self) -> socket.socket:
        self._line = socket.create_connection(self._address, timeout=120)
        self._rest = b""
        return self._line

    def _read(self, line: socket.socket, *, head: bool) -> Reply:
        while True:
            text = self._until(line, b"\r\n\r\n")
            if not text:
                return Reply(0)
            lines = text.decode("latin-1")
            status = int(lines.split(" ", 2)[1])
            if status != 100:
                break
        if head or status in (204, 304):
            return Reply(status, lines)
        lower = lines.lower()
        if "transfer-encoding: chunked" in lower:
            return Reply(status, lines, self._chunks(line))
        length = next(
            (int(one.split(":")[1]) for one in lower.split("\r\n") if one.startswith("content-length:")), 0
        )
        while len(self._rest) < length:
            more = line.recv(1 << 16)
            if not more:
                return Reply(0, lines)
            self._rest += more
        body, self._rest = self._rest[:length], self._rest[length:]
        return Reply(status, lines, body)

    def _chunks(self, line: socket.socket) -> bytes:
        body = b""
        while True:
            size = int(self._until(line, b"\r\n").strip() or b"0", 16)
            while len(self._rest) < size + 2:
                self._rest += line.recv(1 << 16)
            body, self._rest = body + self._rest[:size], self._rest[size + 2 :]
            if not size:
                return body

    def _until(self, line: socket.socket, end: bytes) -> bytes:
        while end not in self._rest:
            more = line.recv(1 << 16)
            if not more:
                return b""
            self._rest += more
        found, _, self._rest = self._rest.partition(end)
        return found + end
