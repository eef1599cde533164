"""The ASGI application: every request comes in here, and goes to a service by its path.

=========================================================  =================================================
``/subscriptions/...``, ``/providers/...``, ``/tenants``   the resource manager; needs a bearer token
``/{tenant}/oauth2/...``, ``/{tenant}/...openid-...``      the token endpoint
``/metadata/endpoints``                                    what a command line asks a cloud for
``/MSI/token``, ``/metadata/identity/oauth2/token``        tokens for managed identities
``/.emulator/...``                                         the emulator itself: health, stop, preempt
``/blob/{account}/...``                                    Azure Blob
``/{account}/...``                                         Azure Files; on the port for Blob, Azure Blob
=========================================================  =================================================

A request that came for one of Azure's own hosts (``emulator.clouds``) goes to that host's service alone.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import re
import sqlite3
import uuid
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from batchai_scenario.emulator.arm.metadata import cloud_metadata
from batchai_scenario.emulator.clouds import place_of
from batchai_scenario.emulator.errors import HomeDamaged, NothingToTake, ServiceError
from batchai_scenario.emulator.gateway.peers import NOT_YOURS, Peer
from batchai_scenario.emulator.gateway.reading import (
    base_url_of,
    headers_of,
    is_host,
    is_loopback,
    is_own_host,
    parse_json,
    query_of,
    read_body,
)
from batchai_scenario.emulator.gateway.rendering import arm_headers, encoded, json_body, service_error_body
from batchai_scenario.emulator.log import describe
from batchai_scenario.emulator.state.store import os_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from batchai_scenario.emulator.arm.manager import ResourceManager
    from batchai_scenario.emulator.arm.messages import ArmResponse
    from batchai_scenario.emulator.clouds import CloudHost
    from batchai_scenario.emulator.identity.graph import Graph
    from batchai_scenario.emulator.identity.managed import ManagedIdentity
    from batchai_scenario.emulator.identity.service import IdentityService
    from batchai_scenario.emulator.identity.tokens import Tokens
    from batchai_scenario.emulator.lazy import Lazy
    from batchai_scenario.emulator.state.clock import Clock

_ARM = frozenset({"subscriptions", "providers", "tenants"})
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_TOKEN_LIMIT = 64 * 1024
_STORAGE = ("file", "blob")
_USED_UP = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_NO_ROOM = "The disk that holds the emulator's home is full: make room, then try again."
_NOT_WRITABLE = "The emulator's home cannot be written."
_DISK = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EROFS: _NOT_WRITABLE,
    errno.EACCES: _NOT_WRITABLE,
    errno.EPERM: _NOT_WRITABLE,
    errno.EBUSY: "The emulator's home is in use by another process for too long.",
}
_LONGEST = 300
"""Characters of a path, or of a property's path, that stand in the log."""
_CODE = "scenario_error"
_LOOK_SECONDS = 0.02
_LOOKS = 10


class AccountService(Protocol):
    """A storage service: takes everything under an account's name."""

    async def handle(self, request: Request, account: str, raw_path: str) -> Response:
        """Answer; ``raw_path`` is what follows the account, undecoded."""
        ...


class Storage(Protocol):
    """The storage services, by the kind of their hosts."""

    @property
    def file(self) -> AccountService:
        """Azure Files."""
        ...

    @property
    def blob(self) -> AccountService:
        """Azure Blob."""
        ...


class RequestHead:
    """What a request asks for, apart from its body.

    ``raw_path`` is not decoded and has no query; ``first`` is its first component, ``rest`` what follows;
    ``host`` is empty without that header; ``port`` is the one that was connected to. ``peer``: whose program
    asks, as far as it is told.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.method: str = scope["method"]
        self.port: int = (scope.get("server") or ("", 0))[1]
        self.raw_path: str = scope["raw_path"].decode("latin-1").partition("?")[0]
        self.first, _, self.rest = self.raw_path.removeprefix("/").partition("/")
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        self.host: str = hosts[-1].decode("latin-1") if hosts else ""
        self.peer: Peer = scope.get("peer", Peer.UNTOLD)

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Give the headers, names in lower case."""
        return headers_of(self._scope)

    @property
    def base_url(self) -> str:
        """Give scheme and host as the client used them."""
        return base_url_of(self._scope, self.headers)


class Gateway:
    """The application.

    ``host`` is the address that it listens on, ``blob_port`` the port where all is Blob; ``health`` gives the
    body of the health answer; ``stop`` is called to stop the emulator; ``manager`` and ``storage`` are built
    when they are first needed; ``report`` gets what nobody expected, for the emulator's own log.
    """

    def __init__(
        self,
        *,
        manager: Lazy[ResourceManager],
        identity: IdentityService,
        managed: ManagedIdentity,
        graph: Graph,
        tokens: Tokens,
        storage: Lazy[Storage],
        clock: Clock,
        host: str,
        blob_port: int,
        health: Callable[[], Mapping[str, Any]],
        stop_key: str,
        stop: Callable[[], None],
        report: Callable[[str], None],
        preempt: Callable[[str, str], str],
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Put the door together; ``report`` hears what nobody expected, ``refused`` of failed requests."""
        self._refused = refused
        self._preempt = preempt
        self._manager = manager
        self._identity = identity
        self._tokens = tokens
        self._managed = managed
        self._graph = graph
        self._storage = storage
        self._clock = clock
        self._on_loopback = is_loopback(host)
        self._blob_port = blob_port
        self._health = health
        self._stop_key = stop_key
        self._stop = stop
        self._report = report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        begun = False

        async def watched(message: Any) -> None:  # noqa: ANN401 - an ASGI message
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
                self._refused(_failed(scope, message))
            await send(message)

        try:
            await self._route(scope, receive, watched)
        except ConnectionError:
            return  # nobody is left to answer
        except ServiceError as error:
            await self._refuse(scope, watched, error)
        except Exception as error:  # the last door: what nobody expected is written down, not shown
            of_machine = None if begun else _of_machine(error)
            if of_machine is not None:
                await self._refuse(scope, watched, of_machine)
                return
            number = str(uuid.uuid4())
            self._report(f"error {number} in {_line(scope)}\n{describe(error)}")
            if begun:
                raise
            text = (
                f"The emulator failed (error {number}): its own log tells how, and 'scenario emulator logs' "
                "shows it. Please report it."
            )
            await self._refuse(scope, watched, ServiceError(500, "InternalServerError", text))

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = RequestHead(scope)
        self._check_asker(asked)
        place = place_of(asked.host)
        if place is not None:
            await self._at_azure(place, asked, scope, receive, send)
        elif asked.port == self._blob_port:
            await self._in_storage(asked, scope, receive, send)
        elif asked.first.lower() in _ARM:
            await self._arm(asked, query_of(scope), receive, send)
        elif self._identity.owns(asked.method, asked.first, asked.rest):
            await self._token(asked, receive, send)
        elif asked.first == ".emulator":
            await self._own(asked, query_of(scope), send)
        elif asked.raw_path == "/metadata/endpoints":
            await self._describe(asked, query_of(scope), send)
        elif self._managed.owns(asked.raw_path):
            await self._machine_token(asked, query_of(scope), receive, send)
        else:
            await self._in_storage(asked, scope, receive, send)

    async def _in_storage(self, asked: RequestHead, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is an account's, by the path or the port."""
        kind, path = "file", asked.raw_path.removeprefix("/")
        if asked.port == self._blob_port:
            kind = "blob"
        elif asked.first == "blob":
            kind, path = "blob", asked.rest
        account, slash, below = path.partition("/")
        if not _ACCOUNT.fullmatch(account):
            text = (
                f"Nothing is served at '{asked.raw_path[:200]}'. This is an emulator of Azure Batch AI: the "
                "resource manager is at /subscriptions, tokens are at /TENANT/oauth2/token, file shares at "
                "/ACCOUNT, containers at /blob/ACCOUNT, and at /ACCOUNT on a port of their own."
            )
            raise ServiceError(404, "NotFound", text)
        await self._store(kind, account, slash + below, scope, receive, send)

    def _check_asker(self, asked: RequestHead) -> None:
        if asked.peer is Peer.OTHER:
            raise ServiceError(401, "AuthenticationFailed", NOT_YOURS, headers={"Connection": "close"})
        if asked.host and not is_host(asked.host):
            text = "The Host header names no host."
            raise ServiceError(400, "InvalidHeaderValue", text, headers={"Connection": "close"})
        if self._on_loopback and not is_own_host(asked.host):
            text = "This emulator answers to addresses of this machine and to Azure's names only."
            raise ServiceError(421, "MisdirectedRequest", text)

    async def _at_azure(
        self, place: CloudHost, asked: RequestHead, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer what was meant for a host of Azure's."""
        if place.kind in _STORAGE:
            await self._store(place.kind, place.account, asked.raw_path, scope, receive, send)
        elif place.kind == "management" and asked.first.lower() in _ARM:
            await self._arm(asked, query_of(scope), receive, send)
        elif place.kind == "management" and asked.raw_path == "/metadata/endpoints":
            await self._describe(asked, query_of(scope), send)
        elif place.kind == "login" and self._identity.owns(asked.method, asked.first, asked.rest):
            await self._token(asked, receive, send)
        elif place.kind == "graph" and asked.first:
            await self._directory(place, asked, query_of(scope), receive, send)
        else:
            text = f"The emulator serves nothing at '{asked.base_url}{asked.raw_path[:200]}'."
            raise ServiceError(404, "NotFound", text)

    async def _directory(
        self, place: CloudHost, asked: RequestHead, query: Mapping[str, str], receive: Receive, send: Send
    ) -> None:
        """Answer what is asked of the directory: Azure AD Graph's path begins with the tenant."""
        from anyio import to_thread

        authorization = asked.headers.get("authorization", "")
        self._tokens.check(authorization, asked.base_url, (f"https://{place.host}",))
        body = parse_json(await read_body(receive)) or {}
        new = place.host == place.cloud.new_graph
        claims = self._tokens.claims(authorization.partition(" ")[2].strip()) or {}
        tenant = str(claims.get("tid", "")) if new else asked.first
        answer = await to_thread.run_sync(
            lambda: self._graph.handle(asked.method, unquote(asked.rest), query, body, new=new, tenant=tenant)
        )
        if answer.status == HTTPStatus.NO_CONTENT:
            await _send(send, answer.status, [], b"")
        else:
            await _json(send, answer.status, answer.body)

    async def _arm(self, asked: RequestHead, query: Mapping[str, str], receive: Receive, send: Send) -> None:
        self._tokens.check(asked.headers.get("authorization", ""), asked.base_url)
        await self._manager.wait()
        if asked.method in ("GET", "HEAD"):
            answer = await self._read(asked, query)
        else:
            # What changes something may wait for the disk or an engine: beside the event loop.
            from anyio import to_thread

            body = parse_json(await read_body(receive))
            answer = await to_thread.run_sync(self._manage, asked, query, body)
        data, described = json_body(answer.body)
        if answer.status == HTTPStatus.NO_CONTENT:
            described = []  # HTTP allows it no length
        extra = arm_headers(asked.method, asked.headers, self._clock.now())
        headers = [*described, *encoded(answer.headers), *extra]
        await _send(send, answer.status, headers, b"" if asked.method == "HEAD" else data)

    async def _read(self, asked: RequestHead, query: Mapping[str, str]) -> ArmResponse:
        """Answer a GET; a poll of work that goes on is held for a moment.

        With ``Retry-After: 0`` clients ask again at once: without this they would do nothing else. Those that
        are built on azure-core take 0 for no word at all, and would wait 30 s: they are told 1.
        """
        answer = self._manage(asked, query, None)
        looks = _LOOKS
        while looks and _goes_on(answer):
            await asyncio.sleep(_LOOK_SECONDS)
            answer = self._manage(asked, query, None)
            looks -= 1
        if _goes_on(answer) and asked.headers.get("user-agent", "").startswith("azsdk-"):
            answer = replace(answer, headers={**answer.headers, "Retry-After": "1"})
        return answer

    def _manage(
        self, asked: RequestHead, query: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> ArmResponse:
        return self._manager().handle(
            asked.method,
            asked.raw_path,
            query=query,
            headers=asked.headers,
            body=body,
            base_url=asked.base_url,
        )

    async def _token(self, asked: RequestHead, receive: Receive, send: Send) -> None:
        answer = self._identity.handle(
            asked.method,
            asked.first,
            asked.rest,
            headers=asked.headers,
            body=await read_body(receive, _TOKEN_LIMIT),
            base_url=asked.base_url,
        )
        await _json(send, answer.status, answer.body, {"Cache-Control": "no-store", **answer.headers})

    async def _machine_token(
        self, asked: RequestHead, query: Mapping[str, str], receive: Receive, send: Send
    ) -> None:
        body = await read_body(receive, _TOKEN_LIMIT)
        answer = self._managed.handle(
            asked.method,
            query,
            asked.headers,
            body,
            base_url=asked.base_url,
            own=asked.peer is Peer.OWN,
        )
        await _json(send, answer.status, answer.body, {"Cache-Control": "no-store"})

    @staticmethod
    async def _describe(asked: RequestHead, query: Mapping[str, str], send: Send) -> None:
        body = cloud_metadata(asked.base_url, query.get("api-version", ""))
        await _json(send, 200, body)

    async def _store(  # noqa: PLR0917 - a service, what is asked of it, and the ASGI triple
        self, kind: str, account: str, raw_path: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        from starlette.requests import Request

        services = await self._storage.wait()
        service = services.blob if kind == "blob" else services.file
        response = await service.handle(Request(scope, receive), account, raw_path)
        await response(scope, receive, send)

    async def _own(self, asked: RequestHead, query: Mapping[str, str], send: Send) -> None:
        if asked.rest == "health" and asked.method in ("GET", "HEAD"):
            await _json(send, 200, self._health())
            return
        if asked.rest not in ("stop", "preempt") or asked.method != "POST":
            text = "Here are GET /.emulator/health, POST /.emulator/stop and POST /.emulator/preempt."
            raise ServiceError(404, "NotFound", text)
        given = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._stop_key.encode()):
            text = f"POST /.emulator/{asked.rest} needs the stopKey of the emulator's address file."
            raise ServiceError(403, "AuthorizationFailed", text)
        if asked.rest == "preempt":
            await self._take_node(query, send)
            return
        await _json(send, 202, {"status": "stopping"})
        self._stop()

    async def _take_node(self, query: Mapping[str, str], send: Send) -> None:
        """Take a low-priority node away, as the service could at any moment."""
        from anyio import to_thread

        try:
            taken = await to_thread.run_sync(self._preempt, query.get("cluster", ""), query.get("node", ""))
        except NothingToTake as error:
            raise ServiceError(409, "NothingToTake", str(error)) from error
        await _json(send, 200, {"node": taken})

    async def _refuse(self, scope: Scope, send: Send, error: ServiceError) -> None:
        scope.setdefault("state", {})[_CODE] = f"{error.code} {error.target[:_LONGEST]}".strip()
        data, described = json_body(service_error_body(error))
        extra = arm_headers(scope["method"], headers_of(scope), self._clock.now())
        headers = [*described, *encoded(error.headers), *extra]
        await _send(send, error.status, headers, b"" if scope["method"] == "HEAD" else data)


def _line(scope: Scope) -> str:
    """Name a request without its query, which may hold a signature."""
    path = scope.get("raw_path") or scope["path"].encode("utf-8", "backslashreplace")
    return f"{scope['method']} {ascii(path[:_LONGEST])[2:-1]}"


def _failed(scope: Scope, start: Any) -> str:  # noqa: ANN401 - an ASGI message
    """Tell of a request that failed: what was asked, the status, and the code of the error."""
    codes = [value for name, value in start.get("headers", ()) if name.lower() == b"x-ms-error-code"]
    code = codes[0].decode("latin-1") if codes else scope.get("state", {}).get(_CODE, "")
    return f"{_line(scope)} {int(start['status'])} {code}".rstrip()


def _of_machine(error: Exception) -> ServiceError | None:
    """Say what the machine refuses; None if it is not that.

    409 for the disk, as to try again at once would not help; 503 for what may soon be free again.
    """
    if isinstance(error, HomeDamaged):
        return ServiceError(500, "InternalServerError", str(error))
    cause = os_error(error) if isinstance(error, sqlite3.OperationalError) else error
    number = cause.errno if isinstance(cause, OSError) else None
    if number in _USED_UP:
        text = "The emulator has no more descriptors or memory at the moment: try again."
        return ServiceError(503, "ServerBusy", text, headers={"Retry-After": "1"})
    reason = _DISK.get(number or 0)
    return None if reason is None else ServiceError(409, "InsufficientStorage", reason)


def _goes_on(answer: ArmResponse) -> bool:
    """Tell whether an answer is a poll's that says: not yet, ask again at once."""
    if answer.headers.get("Retry-After") != "0":
        return False
    return answer.status == HTTPStatus.ACCEPTED or (answer.body or {}).get("status") == "InProgress"


async def _json(
    send: Send, status: int, body: Mapping[str, Any] | Sequence[Any], headers: Mapping[str, str] | None = None
) -> None:
    data, described = json_body(body)
    await _send(send, status, [*described, *encoded(headers or {})], data)


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], data: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
