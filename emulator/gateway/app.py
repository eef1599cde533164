"""The ASGI application: every request comes in here, and goes to a service by its path.

=========================================================  =================================================
``/subscriptions/...``, ``/providers/...``, ``/tenants``   the resource manager; needs a bearer token
``/{tenant}/oauth2/...``, ``/{tenant}/...openid-...``      the token endpoint
``/metadata/endpoints``                                    what a command line asks a cloud for
``/MSI/token``, ``/metadata/identity/oauth2/token``        tokens for managed identities
``/.emulator/...``                                         the emulator itself: health, stop, preempt
``/ui/...``                                                the page for a person's browser
``/blob/{account}/...``                                    Azure Blob
``/{account}/...``                                         Azure Files; on the port for Blob, Azure Blob
=========================================================  =================================================

A request that came for one of Azure's own hosts (``emulator.clouds``) goes to that host's service alone.
"""

from __future__ import annotations

import re
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from batchai_scenario.emulator.arm.metadata import cloud_metadata
from batchai_scenario.emulator.clouds import place_of
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.gateway.browser import BrowserDoor
from batchai_scenario.emulator.gateway.failing import CODE, LONGEST, failed, line_of, of_machine
from batchai_scenario.emulator.gateway.head import RequestHead
from batchai_scenario.emulator.gateway.managing import ManagerDoor
from batchai_scenario.emulator.gateway.own import OwnDoor
from batchai_scenario.emulator.gateway.peers import NOT_YOURS, Peer
from batchai_scenario.emulator.gateway.reading import (
    is_host,
    is_loopback,
    is_own_host,
    parse_json,
    query_of,
    read_body,
)
from batchai_scenario.emulator.gateway.rendering import (
    arm_headers,
    encoded,
    json_body,
    send_bytes,
    send_json,
    service_error_body,
)
from batchai_scenario.emulator.log import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response
    from starlette.types import Message, Receive, Scope, Send

    from batchai_scenario.emulator.arm.manager import ResourceManager
    from batchai_scenario.emulator.clouds import CloudHost
    from batchai_scenario.emulator.gateway.browser import WebPage
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


class AccountService(Protocol):
    """A storage service: takes everything under an account's name."""

    async def handle(self, scope: Scope, receive: Receive, account: str, raw_path: str) -> Response:
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
        page: Lazy[WebPage],
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Put the door together; ``report`` hears what nobody expected, ``refused`` of failed requests."""
        self._refused = refused
        self._management = ManagerDoor(manager, tokens, clock)
        self._own = OwnDoor(health=health, stop_key=stop_key, stop=stop, preempt=preempt)
        self._browser = BrowserDoor(page)
        self._identity = identity
        self._tokens = tokens
        self._managed = managed
        self._graph = graph
        self._storage = storage
        self._clock = clock
        self._on_loopback = is_loopback(host)
        self._blob_port = blob_port
        self._report = report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        begun = False

        async def watched(message: Any) -> None:  # noqa: ANN401 - an ASGI message
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                if message["status"] >= HTTPStatus.BAD_REQUEST:
                    self._refused(failed(scope, message))
                message = _closing(scope, message)
            await send(message)

        try:
            await self._route(scope, receive, watched)
        except ConnectionError:
            return  # nobody is left to answer
        except ServiceError as error:
            await self._refuse(scope, watched, error)
        except Exception as error:  # the last door: what nobody expected is written down, not shown
            refusal = None if begun else of_machine(error)
            if refusal is not None:
                await self._refuse(scope, watched, refusal)
                return
            number = str(uuid.uuid4())
            self._report(f"error {number} in {line_of(scope)}\n{describe(error)}")
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
            await self._management.answer(asked, query_of(scope), receive, send)
        elif self._identity.owns(asked.method, asked.first, asked.rest):
            await self._token(asked, receive, send)
        elif asked.first == ".emulator":
            await self._own.answer(asked, query_of(scope), send)
        elif asked.first == "ui":
            await self._browser.answer(asked, scope, receive, send)
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
            await self._management.answer(asked, query_of(scope), receive, send)
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
            await send_bytes(send, answer.status, [], b"")
        else:
            await send_json(send, answer.status, answer.body)

    async def _token(self, asked: RequestHead, receive: Receive, send: Send) -> None:
        answer = self._identity.handle(
            asked.method,
            asked.first,
            asked.rest,
            headers=asked.headers,
            body=await read_body(receive, _TOKEN_LIMIT),
            base_url=asked.base_url,
        )
        await send_json(send, answer.status, answer.body, {"Cache-Control": "no-store", **answer.headers})

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
        await send_json(send, answer.status, answer.body, {"Cache-Control": "no-store"})

    @staticmethod
    async def _describe(asked: RequestHead, query: Mapping[str, str], send: Send) -> None:
        body = cloud_metadata(asked.base_url, query.get("api-version", ""))
        await send_json(send, 200, body)

    async def _store(  # noqa: PLR0917 - a service, what is asked of it, and the ASGI triple
        self, kind: str, account: str, raw_path: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        services = await self._storage.wait()
        service = services.blob if kind == "blob" else services.file
        response = await service.handle(scope, receive, account, raw_path)
        await response(scope, receive, send)

    async def _refuse(self, scope: Scope, send: Send, error: ServiceError) -> None:
        scope.setdefault("state", {})[CODE] = f"{error.code} {error.target[:LONGEST]}".strip()
        data, described = json_body(service_error_body(error))
        asked = RequestHead(scope)
        version = query_of(scope).get("api-version", "")
        extra = arm_headers(asked, version, self._clock.now(), error.headers)
        headers = [*described, *encoded(error.headers), *extra]
        await send_bytes(send, error.status, headers, b"" if scope["method"] == "HEAD" else data)


def _closing(scope: Scope, message: Message) -> Message:
    """Have an answer end the connection if a body may follow that nobody asked for, or the next request."""
    if "body_untaken" in scope and scope["body_untaken"]():
        return {**message, "headers": [*message["headers"], (b"connection", b"close")]}
    return message
